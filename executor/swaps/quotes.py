"""Ask many routes for many amounts in one batch."""

from collections.abc import Iterable
from typing import TypeAlias

from chain.calls import Read, Reads, Unknown
from chain.types import Address
from executor.swaps.types import Route, Side

Asked: TypeAlias = tuple[Route, int]
Quotes: TypeAlias = dict[Asked, int | Unknown]


def quote(asked: Iterable[Asked], side: Side, account: Address) -> Reads[Quotes]:
    """Return the other amount of each route and amount; none is read where none is asked."""
    quotes: Quotes = {}
    reads: list[Read] = []
    waiting: list[Asked] = []
    for route, amount in dict.fromkeys(asked):
        read = route.venue.ask(route, side, amount, account)
        if isinstance(read, Unknown):
            quotes[route, amount] = read
        else:
            reads.append(read)
            waiting.append((route, amount))
    if reads:
        results = yield reads
        for (route, amount), result in zip(waiting, results, strict=True):
            quotes[route, amount] = _sound(route.venue.answer(route, side, result))
    return quotes


def _sound(amount: int | Unknown) -> int | Unknown:
    """An amount of nothing is no quote: too little was asked for, or somebody lies."""
    return Unknown("quoted nothing") if amount == 0 else amount
