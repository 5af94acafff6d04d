"""Swaps on the way: the best that the venues quote, as drafts of the wallet or steps of a guard."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from chain.calls import ReadFailed
from chain.types import ZERO_ADDRESS, Address
from chain.units import BPS, WAD
from executor.plan.lab import Draft, Lab
from executor.plan.types import SwapCost
from executor.plan.view import usd_text
from executor.swaps import NoSwap, Order, Question, Side, Swap, best_swap, orders
from executor.swaps.types import Leg, Venue
from protocols.effects import Effect
from protocols.types import Token


@dataclass(frozen=True, slots=True)
class Trade:
    """A swap whose route is chosen."""

    swap: Swap

    @property
    def max_in(self) -> int:
        """Return the most that goes in."""
        return self.swap.max_in

    @property
    def min_out(self) -> int:
        """Return the least that comes out."""
        return self.swap.min_out


def quote(
    lab: Lab,
    token_in: Token,
    token_out: Token,
    side: Side,
    amount: int,
    account: Address,
    venues: Sequence[Venue] | None = None,
) -> Trade | str:
    """Return the best swap within the owner's limits; text says why there is none."""
    if ZERO_ADDRESS in (token_in.address, token_out.address):
        return "the native coin is swapped in its wrapped form only"
    where = lab.venues if venues is None else tuple(venues)
    if not where:
        return "no venue to swap on is known on this chain"
    wrapped = lab.book.wrapped_native
    via = (wrapped,) if wrapped and wrapped not in (token_in.address, token_out.address) else ()
    question = Question(
        token_in,
        token_out,
        side,
        amount,
        account,
        lab.price(token_in.address),
        lab.price(token_out.address),
        via,
    )
    try:
        found = lab.read(best_swap(question, where, lab.limits, lab.at))
    except ReadFailed as failure:
        return failure.cause
    except ValueError as nonsense:
        return str(nonsense)
    if isinstance(found, NoSwap):
        return f"{token_in.symbol} → {token_out.symbol}: {found.why}: {found.reason}"
    return Trade(found)


def tradable(lab: Lab, token: Token) -> Token | None:
    """Return what a token is swapped as: the native coin in its wrapped form, if that is known."""
    if token.address != ZERO_ADDRESS:
        return token
    wrapped = lab.book.wrapped_native
    return None if wrapped is None else Token(wrapped, f"W{token.symbol}", token.decimals)


def resized(trade: Trade, amount_out: int, max_in: int) -> Trade:
    """Return an exact-out swap over the same routes for another amount, taking up to `max_in`.

    Each leg keeps its share. What goes in is a bound, not a quote: only a simulation tells.
    """
    swap = trade.swap
    allowed = max_in * BPS // (BPS + swap.slippage_bps)
    outs = _shared(amount_out, [leg.amount_out for leg in swap.legs])
    ins = _shared(allowed, [leg.amount_in for leg in swap.legs])
    legs = tuple(
        Leg(leg.route, most, out) for leg, most, out in zip(swap.legs, ins, outs, strict=True)
    )
    question = replace(swap.question, amount=amount_out)
    return Trade(replace(swap, question=question, legs=legs))


def _shared(total: int, weights: Sequence[int]) -> list[int]:
    """Share a total out by weights; the first one takes the rest."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    parts[0] += total - sum(parts)
    return parts


def by_wallet(lab: Lab, trade: Trade, *, recipient: Address | None = None) -> tuple[Draft, ...]:
    """Return the swap as transactions of the wallet: allowance, order, allowance taken back."""
    drafts: list[Draft] = []
    for order in orders(trade.swap, recipient or lab.wallet, lab.time):
        what = route_text(trade.swap, [order.leg])
        drafts += _drafts(lab, order, f"swap {what}", exact_out=_exact_out(trade))
    return tuple(drafts)


def _drafts(lab: Lab, order: Order, what: str, *, exact_out: bool) -> list[Draft]:
    approval = order.approval
    # some tokens take a new allowance only when the old one is zero
    left = lab.allowance(approval.token, approval.permit2 or approval.spender)
    again = approval.revoke if left != 0 else ()
    calls = [(f"take back what {approval.spender} may take", c) for c in again]
    calls += [(f"let {approval.spender} take what is swapped", c) for c in approval.grant]
    calls.append((what, order.call))
    if exact_out:
        calls += [(f"take back what {approval.spender} may take", c) for c in approval.revoke]
    return [
        Draft(
            text,
            Effect(call.to, call.data, call.value),
            lab.wallet,
            deadline=lab.time if call is order.call else None,
        )
        for text, call in calls
    ]


def _exact_out(trade: Trade) -> bool:
    return trade.swap.question.side is Side.EXACT_OUT


def swap_cost(swap: Swap) -> SwapCost:
    """Return what a swap loses against the oracle."""
    question = swap.question
    usd = None
    if swap.cost.quote == "USD":
        usd = usd_text(Decimal(swap.cost.value) / WAD)
    return SwapCost(
        token_in=question.token_in.symbol,
        token_out=question.token_out.symbol,
        amount_in=swap.amount_in,
        amount_out=swap.amount_out,
        cost_bps=swap.cost.bps,
        cost_usd=usd,
        route=route_text(swap, swap.legs),
    )


def route_text(swap: Swap, legs: Sequence[Leg]) -> str:
    """Return venues and shares in words."""
    question = swap.question
    whole = swap.amount_out or 1
    shares = ", ".join(
        f"{leg.amount_out * 100 // whole} % {leg.route.venue.name}"
        + (f" in {len(leg.route.hops)} hops" if len(leg.route.hops) > 1 else "")
        for leg in legs
    )
    return f"{question.token_in.symbol} → {question.token_out.symbol} ({shares})"
