"""Repaying to and supplying to Aave v3, with the pool's own rounding.

Rounds: to 3.4 scaled amounts half up (`rayDiv`), from 3.5 down for both (`TokenMath`). A stable
debt restarts at what is left. A repayment of all of it clears the borrowing flag.
Source: `BorrowLogic.executeRepay`, `SupplyLogic.executeSupply`, the three tokens' mint and burn.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from chain.units import RAY
from protocols.aave_v3.math import (
    Totals,
    counts,
    health,
    lines,
    normalized_debt,
    normalized_income,
    ray_mul,
    stable_debt,
    totals,
    truncated_health,
    variable_debt,
)
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import AaveAccount, Holding, Reserve
from risk.remedy.types import Kind, Lever

WIDEST: Final = 2**127
"""No amount of any token is larger; scaled balances are 128-bit words."""
Change = Callable[[int], Holding]


def levers(state: AaveAccount, at: int) -> tuple[tuple[Lever, ...], tuple[str, ...]]:
    """Return every debt that may be repaid and every collateral that may be added to.

    Besides, what may be done and cannot be computed.
    """
    found: list[Lever] = []
    unknown: list[str] = []
    for place, holding in enumerate(state.holdings):
        reserve = holding.reserve
        if holding.borrowing and holding.discount is not None:
            unknown.append(f"repay {reserve.symbol}: its debt token grants discounts")
        elif holding.borrowing:
            if holding.scaled_debt:
                found.append(_variable(state, place, holding, at))
            if holding.stable is not None:
                found.append(_stable(state, place, holding, at))
        if holding.scaled_supply and counts(state, holding):
            found.append(_supply(state, place, holding, at))
    return tuple(found), tuple(unknown)


def scaled(amount: int, index: int, rules: Rules) -> int:
    """Return what is minted or burnt for an amount, in scaled units."""
    half = 0 if rules.exact_threshold else index // 2
    return (amount * RAY + half) // index


def fits(reserve: Reserve, rules: Rules, amount: int, supplied: int, at: int) -> bool:
    """Tell whether supplying an amount stays within the reserve's supply cap.

    `supplied` are the scaled units of all suppliers and those set aside for the treasury; what the
    treasury earns until `at` is not in it.
    """
    cap = supply_cap(reserve)
    if cap is None:
        return True
    index = normalized_income(reserve, at)
    if rules.exact_threshold:
        return (supplied + scaled(amount, index, rules)) * index // RAY <= cap
    return ray_mul(supplied, index) + amount <= cap


def supply_cap(reserve: Reserve) -> int | None:
    """Return the most that all together may supply, in base units; None where there is no cap."""
    cap = reserve.configuration >> 116 & (1 << 36) - 1
    return cap * 10**reserve.decimals if cap else None


def _variable(state: AaveAccount, place: int, holding: Holding, at: int) -> Lever:
    index = normalized_debt(holding.reserve, at, state.rules)
    owed = variable_debt(holding, at, state.rules)

    def repaid(amount: int) -> Holding:
        burnt = min(scaled(min(amount, owed), index, state.rules), holding.scaled_debt)
        left = 0 if amount >= owed else holding.scaled_debt - burnt
        borrowing = amount < owed or holding.stable is not None
        return replace(holding, scaled_debt=left, borrowing=borrowing)

    name = "variable" if state.rules.stable_debt else "debt"
    return _lever(state, place, at, Kind.REPAY, name, owed, repaid)


def _stable(state: AaveAccount, place: int, holding: Holding, at: int) -> Lever:
    stable = holding.stable
    assert stable is not None
    owed = stable_debt(stable, at, state.rules)

    def repaid(amount: int) -> Holding:
        if amount >= owed:
            return replace(holding, stable=None, borrowing=holding.scaled_debt > 0)
        rest = replace(stable, principal=owed - amount, updated_at=at)
        return replace(holding, stable=rest)

    return _lever(state, place, at, Kind.REPAY, "stable", owed, repaid)


def _supply(state: AaveAccount, place: int, holding: Holding, at: int) -> Lever:
    index = normalized_income(holding.reserve, at)

    def supplied(amount: int) -> Holding:
        minted = scaled(amount, index, state.rules)
        return replace(holding, scaled_supply=holding.scaled_supply + minted)

    return _lever(state, place, at, Kind.ADD, "collateral", WIDEST, supplied)


def _lever(
    state: AaveAccount, place: int, at: int, kind: Kind, name: str, most: int, change: Change
) -> Lever:
    reserve = state.holdings[place].reserve
    first, last = state.holdings[:place], state.holdings[place + 1 :]

    def after(amount: int) -> tuple[Totals, bool]:
        changed = replace(state, holdings=(*first, change(amount) if amount else kept, *last))
        found = lines(changed, at)
        return totals(found, state.rules, {}), any(line.debt for line in found)

    kept = state.holdings[place]

    def bounds(lo: int, hi: int) -> tuple[int | None, int | None]:
        low, owing = after(lo)
        high, still = (low, owing) if lo == hi else after(hi)
        return (
            _health(low, high, state.rules, min) if owing else None,
            _health(high, low, state.rules, max) if still else None,
        )

    adding = kind is Kind.ADD
    return Lever(
        kind,
        reserve.asset,
        reserve.symbol,
        reserve.decimals,
        name,
        most,
        bounds,
        _obstacles(reserve, adding=adding),
        supply_cap(reserve) if adding else None,
    )


def _health(own: Totals, other: Totals, rules: Rules, choose: Callable[..., int]) -> int:
    """Return health at `own`, or its bound over what lies between the two.

    To 3.4 the average threshold is truncated, and moves one way from the one to the other.
    """
    if rules.exact_threshold or own is other or own.debt == 0:
        return health(own, rules)
    averages = (t.weighted // t.collateral if t.collateral else 0 for t in (own, other))
    return truncated_health(own.collateral, choose(averages), own.debt)


def _obstacles(reserve: Reserve, *, adding: bool) -> tuple[str, ...]:
    found = (
        (not reserve.active, "the reserve is not active"),
        (reserve.paused, "the reserve is paused"),
        (adding and reserve.frozen, "the reserve is frozen"),
    )
    return tuple(why for true, why in found if true)


__all__ = ["fits", "levers", "scaled", "supply_cap"]
