"""Play one liquidation: the account as the contract leaves it behind.

Mirrors what `liquidationCall` and `liquidate` write: scaled balances, shares, cancelled debt. The
liquidator takes the call that pays most, as far as the protocol allows. Rates of the pool move with
it and are left as they were: at one and the same second they do not matter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from chain.types import Address
from chain.units import RAY, div_up, mul_div_half_up
from protocols.aave_v3.math import (
    normalized_debt,
    normalized_income,
    total_debt,
    variable_debt,
)
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import AaveAccount, Holding
from protocols.compound_v2.state import CompoundAccount
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import State
from risk.liquidation.aave_seizure import Call, best_call
from risk.liquidation.engine import NOW, Seizure
from risk.liquidation.morpho_blue import ENGINE as MORPHO
from risk.scenario.unwind_compound import unwound


@dataclass(frozen=True, slots=True)
class Unwound:
    """A state after one liquidation."""

    state: State
    seizure: Seizure
    written_off: Mapping[Address, int]


def aave(account: AaveAccount, prices: Mapping[str, int] = NOW) -> Unwound | None:
    """Return the account after the most profitable call at some prices; None where there is none.

    Its own prices stay as they were.
    """
    call = best_call(account, prices)
    if call is None:
        return None
    debt, collateral = call.debt.holding, call.collateral.holding
    seizure = Seizure(
        debt=debt.reserve.asset,
        repaid=call.repaid,
        collateral=collateral.reserve.asset,
        seized=call.seized,
        protocol_fee=call.fee,
        profit_usd=None
        if account.base_decimals is None
        else (call.seized_base - call.repaid_base) / 10**account.base_decimals,
        ask=call.ask,
    )
    after = replace(
        account,
        holdings=tuple(_after(account, holding, call) for holding in account.holdings),
    )
    lost: dict[Address, int] = {}
    if call.ends:
        lost = {
            h.reserve.asset: total_debt(h, after.timestamp, after.rules)
            for h in after.holdings
            if h.borrowing and h.scaled_debt
        }
        after = replace(
            after,
            holdings=tuple(replace(h, scaled_debt=0, borrowing=False) for h in after.holdings),
        )
    return Unwound(after, seizure, {k: v for k, v in lost.items() if v})


def _after(account: AaveAccount, holding: Holding, call: Call) -> Holding:
    """Return one reserve's holding after a call."""
    rules, at = account.rules, account.timestamp
    if holding is call.debt.holding:
        holding = _repaid(holding, call.repaid, at, rules)
    if holding.reserve.id == call.collateral.holding.reserve.id:
        index = normalized_income(holding.reserve, at)
        gone = _scaled(call.seized, index, rules) + _scaled(call.fee, index, rules)
        scaled = max(0, holding.scaled_supply - gone)
        if call.seized + call.fee >= call.collateral.collateral:
            scaled = 0
        holding = replace(
            holding, scaled_supply=scaled, collateral=holding.collateral and scaled > 0
        )
    return holding


def _repaid(holding: Holding, repaid: int, at: int, rules: Rules) -> Holding:
    """Return a holding after repaying: variable debt first, then stable debt."""
    variable = variable_debt(holding, at, rules) if holding.scaled_debt else 0
    if repaid < variable:
        index = normalized_debt(holding.reserve, at, rules)
        burned = repaid * RAY // index if rules.exact_threshold else _half(repaid, index)
        return replace(holding, scaled_debt=max(0, holding.scaled_debt - burned))
    rest, stable = repaid - variable, holding.stable
    if stable is not None and rest < (owed := total_debt(holding, at, rules) - variable):
        # accrued to now, less what was repaid
        stable = replace(stable, principal=owed - rest, updated_at=at)
        return replace(holding, scaled_debt=0, stable=stable)
    return replace(holding, scaled_debt=0, stable=None, borrowing=False)


def _scaled(amount: int, index: int, rules: Rules) -> int:
    return div_up(amount * RAY, index) if rules.exact_threshold else _half(amount, index)


def _half(amount: int, index: int) -> int:
    return mul_div_half_up(amount, RAY, index)


def morpho(state: MorphoPosition, prices: Mapping[str, int] = NOW) -> Unwound | None:
    """Return the position after the largest liquidation, which leaves no debt."""
    seizure = MORPHO.seizure(state, prices)
    if seizure is None:
        return None
    bad = MORPHO.bad_debt(state, prices)
    after = replace(state, borrow_shares=0, collateral=state.collateral - seizure.seized)
    return Unwound(after, seizure, {state.params.loan_token: bad} if bad else {})


def compound(state: CompoundAccount, prices: Mapping[str, int] = NOW) -> Unwound | None:
    """Return the account after the most profitable call; bad debts stay debts."""
    found = unwound(state, prices)
    return None if found is None else Unwound(*found, {})


UNWIND: Final[Mapping[type[State], Callable[[Any, Mapping[str, int]], Unwound | None]]] = {
    AaveAccount: aave,
    MorphoPosition: morpho,
    CompoundAccount: compound,
}
"""Who plays the liquidation of which state."""
