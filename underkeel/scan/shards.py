"""Read some accounts of a market wherever a shard is worked on, and put shards together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from chain.calls import ReadFailed
from chain.client import ChainSpec, Client, connect
from chain.errors import ChainError, Reorged
from chain.types import Address, BlockRef
from protocols.aave_v3.bulk import read_columns
from protocols.aave_v3.columns import Columns, Kind, Way
from protocols.aave_v3.layouts import Layouts
from protocols.aave_v3.state import EMode, Reserve

_CLIENTS: Final[dict[ChainSpec, tuple[Client, Layouts]]] = {}
"""Each process has its own client per chain, with its own connections and what it learned."""


@dataclass(frozen=True, slots=True)
class Shard:
    """What a worker needs to know."""

    spec: ChainSpec
    root: Address
    at: BlockRef
    accounts: bytes
    """20 bytes each."""
    storage: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a shard could not be read: a value, because it travels between processes."""

    cause: str
    reorged: bool = False


def read_shard(shard: Shard) -> Columns | Failure:
    """Read a shard at its block; parts that fail are the columns' own unknowns."""
    if shard.spec not in _CLIENTS:
        _CLIENTS[shard.spec] = connect(shard.spec), Layouts()
    client, layouts = _CLIENTS[shard.spec]
    accounts = np.frombuffer(shard.accounts, np.uint8).reshape(-1, 20)
    storage = layouts if shard.storage else None
    program = read_columns(shard.root, accounts, shard.at, health_only=True, storage=storage)
    try:
        return client.snapshot(shard.at).bulk(program)
    except Reorged as error:
        return Failure(str(error), reorged=True)
    except (ChainError, ReadFailed) as error:
        return Failure(str(error))


def cut(
    spec: ChainSpec,
    root: Address,
    at: BlockRef,
    accounts: bytes,
    size: int,
    *,
    storage: bool = False,
) -> list[Shard]:
    """Return the accounts in shards of at most so many; one empty shard for none."""
    step = 20 * size
    return [
        Shard(spec, root, at, accounts[i : i + step], storage)
        for i in range(0, max(len(accounts), 1), step)
    ]


def joined(parts: Sequence[Columns]) -> Columns:
    """Return shards of one block as one, in their order.

    A reserve that one shard could not read is there if another could: it is the same block.
    """
    if len(parts) == 1:
        return parts[0]
    reserves = _reserves(parts)
    places = {reserve.id: place for place, reserve in enumerate(reserves)}
    first = np.cumsum([0, *(len(part) for part in parts)])
    emodes: dict[int, EMode] = {}
    for part in parts:
        emodes |= part.emodes
    return replace(
        parts[0],
        reserves=reserves,
        emodes=emodes,
        accounts=np.concatenate([part.accounts for part in parts]),
        configuration=np.concatenate([part.configuration for part in parts]),
        emode=np.concatenate([part.emode for part in parts]),
        account=np.concatenate(
            [p.account + np.uint32(start) for p, start in zip(parts, first, strict=False)]
        ),
        reserve=np.concatenate([_moved(part, places) for part in parts]),
        kind=np.concatenate([part.kind for part in parts]),
        hi=np.concatenate([part.hi for part in parts]),
        lo=np.concatenate([part.lo for part in parts]),
        unknown=_rows([part.unknown for part in parts], first),
        incomplete=_rows([part.incomplete for part in parts], first),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        ways=_ways(parts),
    )


def _ways(parts: Sequence[Columns]) -> tuple[Way, ...]:
    """Return how each token was read: from storage only where it was in all shards."""
    found: dict[tuple[Address, Kind], Way] = {}
    for way in (way for part in parts for way in part.ways):
        known = found.get((way.contract, way.kind))
        if known is None or (way.cause and not known.cause):
            found[way.contract, way.kind] = way
    return tuple(found.values())


def _reserves(parts: Sequence[Columns]) -> tuple[Reserve, ...]:
    """Return every reserve that any shard knows, the best reading of each, by id."""
    found: dict[int, Reserve] = {}
    for reserve in (reserve for part in parts for reserve in part.reserves):
        known = found.get(reserve.id)
        if known is None or _doubt(reserve) < _doubt(known):
            found[reserve.id] = reserve
    return tuple(found[number] for number in sorted(found))


def _doubt(reserve: Reserve) -> float:
    return float("inf") if reserve.quote is None else len(reserve.quote.problems)


def _moved(part: Columns, places: Mapping[int, int]) -> np.ndarray:
    """Return the places of a shard's reserves among all."""
    table = np.array([places[reserve.id] for reserve in part.reserves], np.uint16)
    return table[part.reserve] if len(table) else part.reserve


def _rows(parts: Sequence[Mapping[int, str]], first: np.ndarray) -> dict[int, str]:
    return {
        row + int(start): cause
        for part, start in zip(parts, first, strict=False)
        for row, cause in part.items()
    }
