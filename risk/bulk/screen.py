"""Tell which accounts of a market can be liquidated: in floats, and in integers where it is close.

**The bound.** u = 2⁻⁵³, θₖ stands for any factor (1+δ₁)…(1+δₖ) − 1 with |δ| ≤ u, and
|θₖ| ≤ γₖ = k·u/(1 − k·u). All numbers are non-negative; nothing overflows: amounts are below
2¹²⁸, prices below 2²⁵⁶, so every sum is below 2⁵¹².

1. A scaled amount a = hi·2⁶⁴ + lo becomes â = a(1+θ₂): both halves are rounded, the shift is
   exact, the sum is rounded. A weight w (a rational) becomes ŵ = w(1+θ₁), their product
   a·w·(1+θ₄), and the sum of m of them, added one by one, T̂ = T·(1+θ₄₊ₘ), T = Σ a·w, because no
   term is negative. So |T − T̂| ≤ ρ·T̂ with ρ = 2·(m+8)·u: γₘ₊₄/(1 − γₘ₊₄) < 1.3·(m+4)·u while
   (m+4)·u < 0.1, and what ρ has to spare is more than the few roundings of using it.
2. The contract rounds an entry's balance (off by less than one token unit, worth price/unit) and
   then its value (off by less than 1), up or down. So its value V differs from a·w by less than
   e = price/unit + 1, and the sum of an account's values from T by less than E = Σ e; with the
   threshold t in front, Σ V·t from Σ a·w·t by less than Σ e·t.
3. Hence S = Σ V·t, C = Σ V and D lie in [T̂(1−ρ) − E(1+ρ), T̂(1+ρ) + E(1+ρ)], each with its own
   T̂ and E. From 3.5 an account is safe if S ≥ 1e4·D, and liquidatable if
   S < 1e4·D·(1 − 2⁻⁵²): the rounding in the division by D hides 5e-23 of it, no more. To 3.4
   X = ⌊(C·⌊S/C⌋ + 5000)/1e4⌋ is compared with D, so that (S − G − 5000)/1e4 < X ≤
   (S + 5000)/1e4, where G = C, but 0 where all collateral has one threshold, for then ⌊S/C⌋ is
   that threshold; safe if X ≥ D, liquidatable if X < D·(1 − 2⁻⁵²).

Accounts that neither inequality decides are settled by the integer engine; so the set of
liquidatable accounts is exactly the contract's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chain.units import BPS, WAD
from protocols.aave_v3.math import lines, totals
from risk.bulk.exposure import F64, Bool, Exposure
from risk.bulk.weights import Weights
from risk.liquidation import engine_of
from risk.liquidation.engine import NOW

UNIT_ROUNDOFF: Final = 2.0**-53
BELOW_ONE: Final = float(np.nextafter(1.0, 0.0))


class Verdict(IntEnum):
    """What is known of one account."""

    NO_DEBT = 0
    SAFE = 1
    LIQUIDATABLE = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """All accounts at one price vector."""

    verdict: NDArray[np.uint8]
    """(P,): exact; see `Verdict`."""
    health: F64
    """(P,): below 1 if and only if liquidatable; NaN without debt or where unknown. Off by less
    than 1e-12 of itself and the contract's own roundings; to 3.4, where thresholds differ and
    their average is within that of a whole bps, by that bps."""
    collateral: F64
    """(P,): in base currency units; NaN where unknown."""
    debt: F64
    """(P,): likewise."""
    settled: int
    """How many accounts only the integers could decide."""

    @property
    def liquidatable(self) -> Bool:
        """Return the mask of the accounts that can be liquidated."""
        return np.asarray(self.verdict == Verdict.LIQUIDATABLE)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What the floats say of each account, each sum with the greatest error it may have."""

    collateral: F64
    weighted: F64
    debt: F64
    collateral_error: F64
    weighted_error: F64
    debt_error: F64


def relative_bound(most: int) -> float:
    """Return ρ for accounts with at most so many entries on a side."""
    return 2 * (most + 8) * UNIT_ROUNDOFF


def sums(exposure: Exposure, prices: Mapping[str, int] = NOW) -> Sums:
    """Return every account's sums at prices by factor, at the block's time."""
    columns, rows = exposure.columns, len(exposure)
    weights = Weights.of(exposure.cells, columns.rules, columns.at.timestamp, prices)
    rho = relative_bound(exposure.most)
    held, owed = exposure.collateral, exposure.debt
    collateral = held.sums(weights.collateral, rows)
    weighted = held.sums(weights.weighted, rows)
    debt = owed.sums(weights.debt, rows)
    wide = 1 + rho
    return Sums(
        collateral,
        weighted,
        debt,
        rho * collateral + wide * held.counted(weights.slack, rows),
        rho * weighted + wide * held.counted(weights.weighted_slack, rows),
        rho * debt + wide * owed.counted(weights.slack, rows),
    )


def decided(exposure: Exposure, found: Sums) -> tuple[Bool, Bool]:
    """Return which accounts are proven safe and which proven liquidatable; some are neither."""
    needed_most = BPS * (found.debt + found.debt_error)
    needed_least = BPS * (found.debt - found.debt_error) * (1 - 2.0**-52)
    least = found.weighted - found.weighted_error
    most = found.weighted + found.weighted_error
    if not exposure.columns.rules.exact_threshold:
        truncated = np.where(exposure.uniform, 0.0, found.collateral + found.collateral_error)
        least = least - truncated - BPS // 2
        most = most + BPS // 2
    return least >= needed_most, most < needed_least


def screen(exposure: Exposure, prices: Mapping[str, int] = NOW) -> Verdicts:
    """Judge every account at prices by factor (others as read) and at the block's time."""
    found = sums(exposure, prices)
    owing = np.zeros(len(exposure), bool)
    owing[exposure.debt.account] = True
    owing |= exposure.exact_only
    safe, broken = decided(exposure, found)
    open_ = owing & ~(safe ^ broken) | exposure.exact_only
    verdict = np.where(broken, Verdict.LIQUIDATABLE, Verdict.SAFE).astype(np.uint8)
    verdict[~owing] = Verdict.NO_DEBT
    health = _health(exposure, found)
    health[~owing] = np.nan
    debt, collateral = found.debt, found.collateral
    unknown = np.fromiter(exposure.unknown, np.int64, len(exposure.unknown))
    open_[unknown] = False
    rows = np.flatnonzero(open_).tolist()
    for row in rows:
        _settle(exposure, row, prices, verdict, health, debt)
    taken = verdict == Verdict.LIQUIDATABLE
    health[taken] = np.minimum(health[taken], BELOW_ONE)
    sound = verdict == Verdict.SAFE
    health[sound] = np.maximum(health[sound], 1.0)
    verdict[unknown] = Verdict.UNKNOWN
    for array in (health, debt, collateral):
        array[unknown] = np.nan
    return Verdicts(verdict, health, collateral, debt, len(rows))


def _health(exposure: Exposure, found: Sums) -> F64:
    """Return health as the floats have it; infinite or NaN without debt."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if exposure.columns.rules.exact_threshold:
            return np.asarray(found.weighted / (BPS * found.debt))
        average = found.weighted / found.collateral
        average = np.where(exposure.uniform, average, np.floor(average))
        average = np.where(found.collateral > 0, average, 0.0)
        return np.asarray(found.collateral * average / (BPS * found.debt))


def _settle(
    exposure: Exposure,
    row: int,
    prices: Mapping[str, int],
    verdict: NDArray[np.uint8],
    health: F64,
    debt: F64,
) -> None:
    """Let the integer engine judge one account."""
    state = exposure.columns.account_state(row)
    engine = engine_of(state)
    assert engine is not None  # every Aave account has one
    exact = engine.health(state, prices)
    if exact is None:
        verdict[row], health[row], debt[row] = Verdict.NO_DEBT, np.nan, 0.0
        return
    verdict[row] = Verdict.LIQUIDATABLE if exact < engine.scale else Verdict.SAFE
    health[row] = exact / WAD
    if exposure.exact_only[row]:
        debt[row] = totals(lines(state, state.timestamp), state.rules, prices).debt
