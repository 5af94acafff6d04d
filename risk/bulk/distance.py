"""How far each account is from liquidation along each factor alone, in floats.

With S = Σ value·threshold and D = Σ debt, moving a factor by the fraction x gives
S + x·S_f = 1e4·(D + x·D_f), a straight line, so x = (1e4·D − S)/(S_f − 1e4·D_f). A price with a cap
stops rising at it. The contract's roundings are left out, and to 3.4 the truncation of the average
threshold (at most a bps): exact boundaries are `risk.liquidation`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chain.units import BPS
from protocols.aave_v3.state import Quote
from risk.bulk.exposure import F64, Exposure
from risk.bulk.screen import Verdict, Verdicts
from risk.bulk.weights import Weights
from risk.liquidation import engine_of
from risk.liquidation.engine import NOW


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """For each account the factor that needs to move least."""

    factors: tuple[str, ...]
    labels: tuple[str, ...]
    nearest: NDArray[np.int16]
    """(P,): place in `factors`; −1 where no factor alone leads to liquidation."""
    move: F64
    """(P,): −0.2 where it has to fall by a fifth; 0 where liquidatable now; NaN where none."""


def factors_of(exposure: Exposure) -> dict[str, Quote]:
    """Return every factor that a cell hangs on, with the quote that names it best."""
    found: dict[str, Quote] = {}
    for cell in exposure.cells:
        quote = cell.quote
        if quote is not None and not quote.constant:
            named = found.get(quote.factor)
            if named is None or (_derived(named) and not _derived(quote)):
                found[quote.factor] = quote
    return found


def _derived(quote: Quote) -> bool:
    return (quote.num, quote.den) != (1, 1) or quote.cap is not None


def distances(exposure: Exposure, verdicts: Verdicts, prices: Mapping[str, int] = NOW) -> Distances:
    """Return how far every account is from liquidation by one factor's move."""
    columns, rows = exposure.columns, len(exposure)
    weights = Weights.of(exposure.cells, columns.rules, columns.at.timestamp, prices)
    factors = factors_of(exposure)
    move, nearest = np.full(rows, np.nan), np.full(rows, -1, np.int16)
    needed = BPS * exposure.debt.sums(weights.debt, rows)
    needed -= exposure.collateral.sums(weights.weighted, rows)
    for place, factor in enumerate(factors):
        x = _crossing(exposure, weights, needed, factor, prices)
        closer = np.abs(x) < np.abs(np.where(np.isnan(move), np.inf, move))
        move[closer], nearest[closer] = x[closer], place
    names = {name: place for place, name in enumerate(factors)}
    for row in np.flatnonzero(exposure.exact_only & (verdicts.verdict == Verdict.SAFE)).tolist():
        move[row], nearest[row] = _exact(exposure, row, names)
    idle = verdicts.verdict != Verdict.SAFE
    move[idle], nearest[idle] = np.nan, -1
    move[verdicts.liquidatable] = 0.0
    labels = tuple(quote.label for quote in factors.values())
    return Distances(tuple(factors), labels, nearest, move)


def _crossing(
    exposure: Exposure, weights: Weights, needed: F64, factor: str, prices: Mapping[str, int]
) -> F64:
    """Return by what fraction one factor must move; NaN where no move of it suffices."""
    rows = len(exposure)
    room = np.array([_room(cell.quote, factor, prices) for cell in exposure.cells])
    free, capped = room == np.inf, np.isfinite(room)

    def slope(chosen: NDArray[np.bool_], by: F64 | float = 1.0) -> F64:
        held = exposure.collateral.sums(np.where(chosen, weights.weighted * by, 0.0), rows)
        owed = exposure.debt.sums(np.where(chosen, weights.debt * by, 0.0), rows)
        return np.asarray(held - BPS * owed)

    loose = slope(free)
    whole = loose if not capped.any() else loose + slope(capped)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = needed / whole
        if capped.any():
            limit = room[capped].min()
            held_back = slope(capped, np.where(capped, room, 0.0))
            beyond = (needed - held_back) / loose
            late = ~(x > -1) | (x > limit)
            x = np.where(late, np.where(beyond > limit, beyond, np.nan), x)
    x[~((x > -1) & np.isfinite(x))] = np.nan
    return np.asarray(x)


def _room(quote: Quote | None, factor: str, prices: Mapping[str, int]) -> float:
    """Return by what fraction a price may still rise with a factor; NaN for other factors."""
    if quote is None or quote.factor != factor or quote.constant:
        return float("nan")
    price = quote.price(prices.get(factor))
    if quote.cap is None or not price:
        return float("inf")
    return quote.cap / price - 1


def _exact(exposure: Exposure, row: int, names: Mapping[str, int]) -> tuple[float, int]:
    """Return the nearest boundary of one account as the integer engine finds it."""
    state = exposure.columns.account_state(row)
    engine = engine_of(state)
    assert engine is not None  # every Aave account has one
    found = [b for f in engine.factors(state) for b in engine.boundary(state, f)]
    if not found:
        return float("nan"), -1
    best = min(found, key=lambda b: abs(b.distance_frac))
    return best.distance_frac, names[best.factor]
