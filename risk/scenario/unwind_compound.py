"""Play one `liquidateBorrow`: the account and its two markets as the contracts leave them behind.

What the liquidator had accrued first stays accrued. Cash, borrows and reserves move with a
liquidation and are left as they were: at one and the same second they do not matter.
"""

from collections.abc import Mapping
from dataclasses import replace

from protocols.compound_v2.state import CHolding, CompoundAccount
from risk.liquidation.compound_v2_lines import Kind, lines, touched
from risk.liquidation.compound_v2_seizure import Call, best_call, prices_of, told, worst_way
from risk.liquidation.engine import NOW, Seizure


def unwound(
    state: CompoundAccount, prices: Mapping[str, int] = NOW
) -> tuple[CompoundAccount, Seizure] | None:
    """Return the account after the most profitable call at some prices; None where there is none.

    Its own prices stay as they were. Nothing is written off: bad debts stay debts.
    """
    call = None if state.seize_paused else best_call(state, prices)
    if call is None:
        return None
    found = lines(state)
    ctokens = [line.holding.market.ctoken for line in found]
    debt, seized = (
        ctokens.index(line.holding.market.ctoken) for line in (call.debt, call.collateral)
    )
    _, way = worst_way(found, prices_of(found, prices), debt, seized, call.repaid)
    stirred = {debt, seized} | {i for i, kind in enumerate(way) if kind is not Kind.STORED}
    holdings = tuple(
        _after(state, one, call) if i in stirred else one for i, one in enumerate(state.holdings)
    )
    return replace(state, holdings=holdings), told(state, call)


def _after(state: CompoundAccount, one: CHolding, call: Call) -> CHolding:
    """Return an accrued market's holding after a call."""
    one = touched(state, one)
    debt = tokens = 0
    if one.market.ctoken == call.debt.holding.market.ctoken:
        debt = call.repaid
    if one.market.ctoken == call.collateral.holding.market.ctoken:
        tokens = call.tokens
    return replace(one, stored_debt=one.debt - debt, debt=one.debt - debt,
                   tokens=one.tokens - tokens)  # fmt: skip
