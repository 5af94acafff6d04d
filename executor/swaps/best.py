"""Find the best swap: one batch for the pools, one for the ladder of quotes, one for exact legs."""

from collections.abc import Sequence

from chain.calls import Reads, Unknown
from chain.types import BlockRef
from executor.swaps import split
from executor.swaps.cost import cost, value
from executor.swaps.quotes import Asked, Quotes, quote
from executor.swaps.routes import find
from executor.swaps.types import (
    Considered,
    Leg,
    Limits,
    NoSwap,
    Question,
    Route,
    Side,
    Swap,
    Venue,
    Why,
)


def best_swap(
    question: Question, venues: Sequence[Venue], limits: Limits, at: BlockRef
) -> Reads[Swap | NoSwap]:
    """Yield the reads, return the best swap that keeps to the limits, or why there is none.

    For exact-in the best pays out most, for exact-out it takes least, each leg after the first
    counted at `leg_cost`. It is never worse than the best single route, whose quote for the whole
    amount is on the ladder. Raises `ValueError` for a question that is none.
    """
    _check(question, limits)
    for token, price in (
        (question.token_in, question.price_in),
        (question.token_out, question.price_out),
    ):
        worth = value(token, price, 1)
        if isinstance(worth, Unknown):
            return NoSwap(question, at, Why.NO_PRICE, worth.reason)
    side, account = question.side, question.account
    routes, unknown = yield from find(question, venues)
    rungs = split.ladder(question.amount)
    quotes = yield from quote([(r, rung) for r in routes for rung in rungs], side, account)
    considered = _considered(routes, question, quotes)
    candidates: list[tuple[Asked, ...]] = [
        ((one.route, question.amount),) for one in considered if isinstance(one.amount, int)
    ]
    candidates += _splits(routes, rungs, quotes, question, limits)
    legs = {leg for candidate in candidates for leg in candidate} - quotes.keys()
    ordered = sorted(legs, key=lambda leg: (leg[0].key, leg[1]))
    quotes |= yield from quote(ordered, side, account)
    chosen = _choose(candidates, quotes, side, limits.leg_cost)
    if chosen is None:
        return NoSwap(
            question, at, Why.NO_ROUTE, _no_route(considered, unknown),
            considered=considered, unknown=unknown,
        )  # fmt: skip
    return _judged(question, at, chosen, limits, considered, unknown)


def _check(question: Question, limits: Limits) -> None:
    if question.amount <= 0:
        raise ValueError(f"amount {question.amount}: there is nothing to swap")
    if question.token_in.address == question.token_out.address:
        raise ValueError(f"{question.token_in.symbol} for itself is no swap")
    if not 0 <= limits.slippage_bps < 10_000:
        raise ValueError(f"slippage_bps {limits.slippage_bps}: not in [0, 10000)")
    if not 1 <= limits.routes <= 3:
        raise ValueError(f"routes {limits.routes}: one to three")
    if limits.leg_cost < 0:
        raise ValueError(f"leg_cost {limits.leg_cost}: below zero")


def _considered(
    routes: Sequence[Route], question: Question, quotes: Quotes
) -> tuple[Considered, ...]:
    sign = -1 if question.side is Side.EXACT_IN else 1

    def rank(one: Considered) -> tuple[bool, int, str]:
        known = isinstance(one.amount, int)
        return not known, sign * one.amount if isinstance(one.amount, int) else 0, one.route.key

    whole = (Considered(route, quotes[route, question.amount]) for route in routes)
    return tuple(sorted(whole, key=rank))


def _splits(
    routes: Sequence[Route],
    rungs: Sequence[int],
    quotes: Quotes,
    question: Question,
    limits: Limits,
) -> tuple[tuple[Asked, ...], ...]:
    if limits.routes == 1:
        return ()
    found = (
        split.curve(route, question.side, [(rung, quotes[route, rung]) for rung in rungs])
        for route in routes
    )
    curves = [one for one in found if one is not None]
    return split.propose(curves, question.amount, limits.routes, limits.leg_cost)


def _choose(
    candidates: Sequence[Sequence[Asked]], quotes: Quotes, side: Side, leg_cost: int
) -> tuple[Leg, ...] | None:
    """Return the legs of the best candidate that is quoted as a whole; fewer legs where equal."""
    best: tuple[tuple[int, int, tuple[str, ...]], tuple[Leg, ...]] | None = None
    for candidate in candidates:
        legs = []
        for route, amount in candidate:
            other = quotes[route, amount]
            if isinstance(other, Unknown):
                break
            amounts = (amount, other) if side is Side.EXACT_IN else (other, amount)
            legs.append(Leg(route, *amounts))
        else:
            extra = leg_cost * (len(legs) - 1)
            taken = sum(leg.amount_in for leg in legs) + extra
            given = sum(leg.amount_out for leg in legs) - extra
            rank = (
                -given if side is Side.EXACT_IN else taken,
                len(legs),
                tuple(leg.route.key for leg in legs),
            )
            if best is None or rank < best[0]:
                best = rank, tuple(legs)
    return None if best is None else best[1]


def _judged(
    question: Question,
    at: BlockRef,
    legs: tuple[Leg, ...],
    limits: Limits,
    considered: tuple[Considered, ...],
    unknown: tuple[str, ...],
) -> Swap | NoSwap:
    """Return the swap if what it costs is within the limits."""
    loses = cost(
        question.token_in, question.price_in, sum(leg.amount_in for leg in legs),
        question.token_out, question.price_out, sum(leg.amount_out for leg in legs),
    )  # fmt: skip
    if isinstance(loses, Unknown):
        return NoSwap(
            question, at, Why.NO_PRICE, loses.reason, considered=considered, unknown=unknown
        )
    swap = Swap(question, at, legs, loses, limits.slippage_bps, considered, unknown)
    if loses.bps > limits.max_cost_bps:
        why = Why.TOO_DEAR
        reason = f"costs {loses.bps} bps of its value, at most {limits.max_cost_bps} are allowed"
    elif -loses.bps > limits.max_gain_bps:
        why = Why.TOO_GOOD
        reason = (
            f"pays {-loses.bps} bps more than the oracle says, {limits.max_gain_bps} are believed"
        )
    else:
        return swap
    return NoSwap(question, at, why, reason, swap, considered, unknown)


def _no_route(considered: Sequence[Considered], unknown: Sequence[str]) -> str:
    causes = [
        f"{one.route.key}: {one.amount.reason}"
        for one in considered
        if isinstance(one.amount, Unknown)
    ]
    told = "; ".join((*causes[:3], *unknown[:3]))
    return f"no venue quotes the amount: {told}" if told else "no venue has a pool for it"
