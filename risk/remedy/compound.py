"""Repaying to and supplying to Compound v2, with its own rounding.

Rounds: a repayment is taken off the accrued debt; a supply gives ⌊amount · 1e18 / rate⌋ cTokens at
the accrued rate. Either accrues its own market, and no other. At a time after the block debts are
taken for the greatest that they can be: their principal is not public.
Source: `CToken.repayBorrowFresh`, `mintFresh`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from chain.units import WAD
from protocols.compound_v2.state import CHolding, CompoundAccount
from risk.liquidation.compound_v2 import ENGINE
from risk.liquidation.compound_v2_lines import advanced, touched
from risk.remedy.types import Kind, Lever

WIDEST: Final = 2**127
"""No amount of any token is larger."""


def levers(state: CompoundAccount, at: int) -> tuple[tuple[Lever, ...], tuple[str, ...]]:
    """Return every debt and every collateral; see `risk.remedy.aave.levers`."""
    then = advanced(state, at)
    found: list[Lever] = []
    for i, one in enumerate(then.holdings):
        one = touched(then, one)
        if one.debt:
            found.append(_lever(then, i, Kind.REPAY, "debt", one.debt, _repaid(one)))
        if one.counts and one.tokens:
            found.append(_lever(then, i, Kind.ADD, "collateral", WIDEST, _added(one)))
    return tuple(found), ()


def _repaid(one: CHolding) -> Callable[[int], CHolding]:
    def change(amount: int) -> CHolding:
        left = max(0, one.debt - amount)
        return replace(one, debt=left, stored_debt=left)

    return change


def _added(one: CHolding) -> Callable[[int], CHolding]:
    def change(amount: int) -> CHolding:
        return replace(one, tokens=one.tokens + amount * WAD // one.market.rate)

    return change


def _lever(
    state: CompoundAccount,
    place: int,
    kind: Kind,
    name: str,
    most: int,
    change: Callable[[int], CHolding],
) -> Lever:
    market = state.holdings[place].market
    first, last = state.holdings[:place], state.holdings[place + 1 :]

    def health(amount: int) -> int | None:
        return ENGINE.health(replace(state, holdings=(*first, change(amount), *last)))

    def bounds(lo: int, hi: int) -> tuple[int | None, int | None]:
        low = health(lo)
        return low, (low if lo == hi else health(hi))

    paused = kind is Kind.ADD and market.mint_paused
    token = market.underlying
    return Lever(
        kind,
        token.address,
        token.symbol,
        token.decimals,
        name,
        most,
        bounds,
        ("supplying is paused",) if paused else (),
    )


__all__ = ["advanced", "levers"]
