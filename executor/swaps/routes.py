"""Which routes there are between two tokens, from the pools that exist.

A route stays within one venue, because one router swaps it; it has one pool, or two with one of
the question's `via` tokens between them.
"""

from collections.abc import Sequence
from typing import Final

from chain.calls import ReadFailed, Reads, gather
from chain.types import Address
from executor.swaps.types import Found, Hop, Pair, Pool, Question, Route, Venue

DEEPEST: Final = 2
"""Pools of one pair that routes of two pools may use: more would multiply the quotes."""


def find(
    question: Question, venues: Sequence[Venue]
) -> Reads[tuple[tuple[Route, ...], tuple[str, ...]]]:
    """Return the routes by their keys, and in words what could not be learned; one batch."""
    ends = (question.token_in.address, question.token_out.address)
    via = [token for token in dict.fromkeys(question.via) if token not in ends]
    pairs: list[Pair] = [ends]
    for token in via:
        pairs += [(ends[0], token), (token, ends[1])]
    answers = yield from gather([venue.pools(pairs) for venue in venues])
    routes: list[Route] = []
    unknown: list[str] = []
    for venue, found in zip(venues, answers, strict=True):
        if isinstance(found, ReadFailed):
            unknown.append(found.cause)
        else:
            routes += _routes(venue, found, ends, via)
            unknown += found.unknown
    return tuple(sorted(routes, key=lambda route: route.key)), tuple(unknown)


def _routes(venue: Venue, found: Found, ends: Pair, via: Sequence[Address]) -> list[Route]:
    routes = [Route(venue, (Hop(pool, *ends),)) for pool in _between(found, ends)]
    for token in via:
        first = _between(found, (ends[0], token))[:DEEPEST]
        second = _between(found, (token, ends[1]))[:DEEPEST]
        routes += [
            Route(venue, (Hop(one, ends[0], token), Hop(two, token, ends[1])))
            for one in first
            for two in second
            if one.id != two.id
        ]
    return routes


def _between(found: Found, pair: Pair) -> list[Pool]:
    """Return the pools that hold both tokens, the deepest first."""
    pools = [pool for pool in found.pools if {*pair} <= {*pool.tokens}]
    return sorted(pools, key=lambda pool: (-pool.depth, pool.id))
