"""Read by functions what storage was not believed for."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chain.bulk import Bulk, Chunks, Step
from protocols.aave_v3 import lens
from protocols.aave_v3.columns import Kind
from protocols.aave_v3.gathering import Cell, Gathering
from protocols.aave_v3.lens import Run
from protocols.aave_v3.sources import Source


def refused(
    found: Gathering, first: Run, flags: int, sources: Sequence[Source], masks: NDArray[np.bool_]
) -> Bulk[list[Cell]]:
    """Read the sources that have no layout; return the amounts that are still to be asked for.

    `first` is a run that knows the market, `flags` what the whole reading is asked for.
    """
    number = {(one.place, one.kind): i for i, one in enumerate(sources) if one.layout is None}
    rows = np.flatnonzero(masks[:, list(number.values())].any(axis=1))
    if not len(rows):
        return []
    asset_of = {found.reserves[place].reserve.asset: place for place, _ in number}
    listed = tuple(row for row in first.reserves if row.asset in asset_of)
    place_of = np.array([asset_of[row.asset] for row in listed], np.uint16)
    if not any(kind is Kind.WALLET for _, kind in number):
        flags &= ~lens.WALLET
    few = replace(first, reserves=listed)
    answers = yield Step(lens=lens.following(few, found.accounts[rows].tobytes(), flags))
    wanted = np.zeros((len(found.reserves), 256), np.bool_)
    for place, kind in number:
        wanted[place, kind] = True
    done = np.zeros(len(rows), np.bool_)
    cells: list[Cell] = []
    for chunk in answers.lens.chunks if isinstance(answers.lens, Chunks) else ():
        run = lens.decode(chunk)
        fine = run.status & 0xF == lens.OK
        done[run.first : run.first + run.done] = fine
        where, places = rows[run.account + run.first], lens.placed(run, place_of)
        kept = wanted[places, run.kind] & fine[run.account]
        good, bad = kept & (run.failed == lens.OK), kept & (run.failed != lens.OK)
        found.add(where[good], places[good], run.kind[good], run.hi[good], run.lo[good])
        cells += (
            Cell(row, place, Kind(kind))
            for row, place, kind in zip(
                where[bad].tolist(), places[bad].tolist(), run.kind[bad].tolist(), strict=True
            )
        )
    for (place, kind), i in number.items():
        cells += (Cell(row, place, kind) for row in rows[~done & masks[rows, i]].tolist())
    return cells
