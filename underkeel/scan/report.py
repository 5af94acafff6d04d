"""A scanned market as rows: one column per fact, all accounts in the order asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from chain.types import BlockRef
from protocols.aave_v3.columns import Way
from protocols.adapter import Market
from risk.bulk import Curve, Exposure, Verdict, distances, screen

STATUS: Final = {
    Verdict.NO_DEBT: "not_liquidatable",
    Verdict.SAFE: "safe",
    Verdict.LIQUIDATABLE: "liquidatable",
    Verdict.UNKNOWN: "unknown",
}
FIELDS: Final = (
    "account",
    "status",
    "health",
    "distance_frac",
    "factor",
    "collateral_usd",
    "debt_usd",
    "cause",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One account."""

    account: str
    status: str
    health: float | None
    distance_frac: float | None
    factor: str | None
    collateral_usd: float | None
    debt_usd: float | None
    cause: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many accounts are what, before any filter."""

    accounts: int
    borrowers: int
    liquidatable: int
    unknown: int
    unread: int
    """Of the unknown, those whose health is not known either."""
    settled: int
    collateral_usd: float | None
    debt_usd: float | None


@dataclass(frozen=True, slots=True)
class Scan:
    """A market at one block."""

    chain: str
    market: Market
    at: BlockRef
    counts: Counts
    rows: tuple[Row, ...]
    curve: Curve | None
    curve_name: str
    unit_usd: float | None
    """Dollars per unit of the base currency; None where it is not the dollar."""
    ways: tuple[Way, ...] = ()
    """Where storage was asked for: how each token was read."""


def judge(
    exposure: Exposure, below: float | None = None, top: int | None = None
) -> tuple[Counts, tuple[Row, ...], float | None]:
    """Return the counts, the rows that pass the filters, the worst first, and the unit.

    Who has no health because it is unknown comes first, and passes every filter: they may be worse
    than all. `below` drops who has no debt. Equal ones stay in the order asked for.
    """
    columns = exposure.columns
    found = screen(exposure)
    far = distances(exposure, found)
    unit = None if columns.base_decimals is None else 10.0**-columns.base_decimals
    verdict = found.verdict
    rank = np.where(verdict == Verdict.UNKNOWN, -1.0, np.nan_to_num(found.health, nan=np.inf))
    doubted = doubts(exposure)
    for i in doubted:
        if verdict[i] == Verdict.SAFE:
            verdict[i] = Verdict.UNKNOWN
    chosen = np.arange(len(verdict))
    if below is not None:
        chosen = chosen[rank < below]
    chosen = chosen[np.argsort(rank[chosen], kind="stable")][:top]
    counts = Counts(
        accounts=len(verdict),
        borrowers=int((~np.isnan(found.health)).sum()),
        liquidatable=int(found.liquidatable.sum()),
        unknown=int((verdict == Verdict.UNKNOWN).sum()),
        unread=len(exposure.unknown),
        settled=found.settled,
        collateral_usd=None if unit is None else float(np.nansum(found.collateral)) * unit,
        debt_usd=None if unit is None else float(np.nansum(found.debt)) * unit,
    )
    causes = {**columns.incomplete, **doubted, **exposure.unknown}

    def row(i: int) -> Row:
        place = int(far.nearest[i])
        return Row(
            account=columns.address(i),
            status=STATUS[Verdict(int(verdict[i]))],
            health=_number(found.health[i]),
            distance_frac=_number(far.move[i]),
            factor=(far.labels[place] or far.factors[place]) if place >= 0 else None,
            collateral_usd=None if unit is None else _number(found.collateral[i] * unit),
            debt_usd=None if unit is None else _number(found.debt[i] * unit),
            cause=causes.get(i),
        )

    return counts, tuple(row(i) for i in chosen.tolist()), unit


def doubts(exposure: Exposure) -> dict[int, str]:
    """Return why who counts as safe should not, by account row: a release or price not trusted."""
    columns = exposure.columns
    if not columns.rules.known:
        cause = f"{columns.rules.version} is not a release we know"
        return dict.fromkeys(range(len(columns)), cause)
    found: dict[int, str] = {}
    for place, cell in enumerate(exposure.cells):
        if cell.quote is None or not cell.quote.problems:
            continue
        cause = f"{cell.quote.label or cell.reserve.symbol}: {'; '.join(cell.quote.problems)}"
        for side in (exposure.collateral, exposure.debt):
            for row in np.unique(side.account[side.cell == place]).tolist():
                found.setdefault(row, cause)
    return found


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def cells(rows: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
    """Yield each row's values in the order of `FIELDS`."""
    for row in rows:
        yield tuple(getattr(row, name) for name in FIELDS)
