"""Repaying to and adding collateral on Morpho Blue, with its own rounding.

Rounds: assets repaid give ⌊assets·(S + 1e6)/(B + 1)⌋ shares, after the market is accrued. Repaying
all of it goes by shares, since its assets, rounded up, may be worth one share more than is owed.
Source: `Morpho.repay`, `Morpho.supplyCollateral`, `Morpho._isHealthy`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from protocols.morpho_blue.math import Accrued, accrue, average_rate, to_shares_down
from protocols.morpho_blue.state import MorphoPosition
from risk.liquidation.morpho_blue import ENGINE
from risk.remedy.types import Kind, Lever

WIDEST: Final = 2**127
"""Collateral is a 128-bit word."""


def accrued(state: MorphoPosition, at: int) -> MorphoPosition:
    """Return the position in a market that was accrued, and stored, at `at`."""
    rate = state.rate
    if at != state.timestamp and state.rate_at_target is not None:
        rate = average_rate(state.rate_at_target, state.stored, at)
    then = accrue(state.stored, rate, at).totals
    return replace(state, stored=then, accrued=Accrued(then, 0, 0), timestamp=at)


def levers(state: MorphoPosition, at: int) -> tuple[tuple[Lever, ...], tuple[str, ...]]:
    """Return the debt and the collateral; see `risk.remedy.aave.levers`."""
    if not state.borrow_shares or state.oracle is None:
        return (), ()
    then = accrued(state, at)
    market = then.stored

    def repaid(amount: int) -> MorphoPosition:
        if amount >= then.borrowed:
            return replace(then, borrow_shares=0)
        shares = to_shares_down(amount, market.borrow_assets, market.borrow_shares)
        left = replace(
            market,
            borrow_assets=max(0, market.borrow_assets - amount),
            borrow_shares=market.borrow_shares - shares,
        )
        own = then.borrow_shares - shares
        return replace(then, borrow_shares=own, stored=left, accrued=Accrued(left, 0, 0))

    def added(amount: int) -> MorphoPosition:
        return replace(then, collateral=then.collateral + amount)

    loan, token = state.loan, state.collateral_token
    found = [
        Lever(
            Kind.REPAY,
            loan.address,
            loan.symbol,
            loan.decimals,
            "debt",
            then.borrowed,
            _bounds(repaid),
        )
    ]
    if token is not None:
        bounds = _bounds(added)
        found.append(
            Lever(
                Kind.ADD, token.address, token.symbol, token.decimals, "collateral", WIDEST, bounds
            )
        )
    return tuple(found), ()


def _bounds(
    change: Callable[[int], MorphoPosition],
) -> Callable[[int, int], tuple[int | None, int | None]]:
    """Return health at both ends: it never falls as the amount grows.

    Nor by rounding: a larger repayment leaves fewer assets, and takes no fewer shares from the
    debt and, as many, from the market's, which are no fewer.
    """

    def bounds(lo: int, hi: int) -> tuple[int | None, int | None]:
        low = ENGINE.health(change(lo))
        return low, (low if lo == hi else ENGINE.health(change(hi)))

    return bounds


__all__ = ["accrued", "levers"]
