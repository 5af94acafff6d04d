"""What `liquidateBorrow` takes: pair by pair, to the base unit.

Mirrors: `Comptroller.liquidateBorrowAllowed`, `liquidateCalculateSeizeTokens`, `seizeAllowed`;
`CToken.liquidateBorrowFresh`, `seizeInternal`.
Scales: base units of the underlying tokens; cTokens; wads.
Rounds: everything down; cTokens are told as the underlying that they are worth.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chain.units import WAD
from protocols.compound_v2.math import most_repaid, seize_ratio, seized
from protocols.compound_v2.state import CompoundAccount
from risk.liquidation.compound_v2_lines import Choice, Line, chosen, forced, lines, pairs
from risk.liquidation.engine import NOW, Seizure, Terms

SEIZE_PAUSED: Final = "seizing is paused"


@dataclass(frozen=True, slots=True)
class Call:
    """One possible `liquidateBorrow` and its outcome."""

    debt: Line
    collateral: Line
    repaid: int
    tokens: int
    """cTokens that leave the borrower."""
    protocol_tokens: int
    """Of these, what becomes reserves."""
    gain: int
    """What the liquidator receives less what they repay, 1e36 of the oracle's currency."""
    loss: int
    """What leaves the borrower less what is repaid, likewise."""


def calls(
    state: CompoundAccount, prices: Mapping[str, int] = NOW, *, always: bool = False
) -> Iterator[Call]:
    """Yield the largest call of every pair that the Comptroller allows; of all with `always`.

    Raises `PriceReverts` where an entered market has no price.
    """
    found = lines(state)
    priced = prices_of(found, prices)
    for debt, collateral in pairs(found):
        owes, holds = found[debt], found[collateral]
        deprecated = owes.holding.market.deprecated
        if not holds.holding.tokens:
            continue
        if not (always or deprecated or worst_way(found, priced, debt, collateral)[0] < 0):
            continue
        most = owes.accrued.debt
        if not deprecated:
            most = state.close_factor * most // WAD
        rate = holds.accrued.rate
        try:
            ratio = seize_ratio(state.incentive, priced[debt], priced[collateral], rate)
        except ZeroDivisionError:
            continue
        repaid = min(most, most_repaid(ratio, holds.holding.tokens))
        if owes.coins and not (always or deprecated):
            repaid = _most_short(found, priced, debt, collateral, repaid)
        if not repaid:
            continue
        tokens = seized(ratio, repaid)
        protocol = tokens * holds.holding.market.seize_share // WAD
        paid, price = repaid * priced[debt], priced[collateral]
        yield Call(
            owes,
            holds,
            repaid,
            tokens,
            protocol,
            (tokens - protocol) * rate // WAD * price - paid,
            tokens * rate // WAD * price - paid,
        )


def worst_way(
    found: Sequence[Line], priced: Sequence[int], debt: int, collateral: int, repaid: int = 1
) -> tuple[int, Choice]:
    """Return what is borne less what is owed as this is repaid, with others as is worst."""
    by_line = {id(line): price for line, price in zip(found, priced, strict=True)}

    def margin(way: Choice) -> int:
        counted = chosen(found, way, repaid)
        worths = (line.worth(variant, by_line[id(line)]) for line, variant in counted)
        return sum(bears - weighs for bears, weighs in worths)

    return min((margin(way), way) for way in forced(found, debt, collateral))


def _most_short(
    found: Sequence[Line], priced: Sequence[int], debt: int, collateral: int, most: int
) -> int:
    """Return the greatest repayment in coins that leaves a shortfall while it is under way.

    One coin does: the coins that have arrived raise what the borrower's own cETH bears.
    """

    def short(repaid: int) -> bool:
        return worst_way(found, priced, debt, collateral, repaid)[0] < 0

    if not most or short(most):
        return most
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if short(middle) else (low, middle)
    return low


def prices_of(found: Sequence[Line], prices: Mapping[str, int]) -> list[int]:
    """Return every line's price; 0 where the Comptroller needs none and the oracle gives none.

    Raises `PriceReverts` where an entered market has no price.
    """
    return [
        line.price(prices) if line.holding.entered or line.holding.market.quote else 0
        for line in found
    ]


def best_call(
    state: CompoundAccount, prices: Mapping[str, int] = NOW, *, always: bool = False
) -> Call | None:
    """Return the most profitable call; None where nothing may be taken."""
    return max(calls(state, prices, always=always), key=lambda call: call.gain, default=None)


def best_seizure(state: CompoundAccount, prices: Mapping[str, int] = NOW) -> Seizure | None:
    """Return the most profitable call's seizure; None where nothing may be taken."""
    call = None if state.seize_paused else best_call(state, prices)
    return None if call is None else told(state, call)


def told(state: CompoundAccount, call: Call) -> Seizure:
    """Return a call as others tell it, its cTokens as what they are worth."""
    market, rate = call.collateral.holding.market, call.collateral.accrued.rate
    liquidator = (call.tokens - call.protocol_tokens) * rate // WAD
    return Seizure(
        debt=call.debt.holding.market.underlying.address,
        repaid=call.repaid,
        collateral=market.underlying.address,
        seized=liquidator,
        protocol_fee=call.tokens * rate // WAD - liquidator,
        profit_usd=call.gain / 10**36 if state.dollars else None,
    )


def seizure_terms(state: CompoundAccount, prices: Mapping[str, int] = NOW) -> Terms:
    """Return close factor, what the incentive takes, the loss at these prices, and what blocks."""
    owing = [one for one in state.holdings if one.debt]
    if not owing:
        return Terms()
    call = best_call(state, prices, always=True)
    whole = any(one.market.deprecated for one in owing)
    blocked = [SEIZE_PAUSED] if state.seize_paused else []
    blocked += [f"{one.market.symbol} is not listed" for one in owing if not one.market.listed]
    return Terms(
        close_factor_frac=1.0 if whole else state.close_factor / WAD,
        penalty_frac=(state.incentive - WAD) / WAD,
        expected_loss_usd=call.loss / 10**36 if call is not None and state.dollars else None,
        blocked_by=tuple(blocked),
    )
