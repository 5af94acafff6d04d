"""Follow what contracts name, and who controls them, from some addresses on.

Level by level: everything named at one level is read together, in as many rounds as one address
needs. Each address is read once, so a circle of owners ends by itself; what lies beyond the depth
or the number of contracts followed is listed as unseen, and counts as unknown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from chain.calls import ReadFailed, Reads, gather
from chain.types import Address, InvalidAddress, parse_address
from protocols.exposure.contract import inspect
from protocols.exposure.roles import Grant
from protocols.exposure.state import (
    BURNED,
    Dependencies,
    Facts,
    Kind,
    LinkKind,
    Power,
    Survey,
)

DEPTH: Final = 12
MOST: Final = 600

MUST_HAVE_CODE: Final = frozenset(LinkKind) - {
    LinkKind.ACCOUNT,
    LinkKind.MEMBER,
    LinkKind.SPENDER,
    LinkKind.TOKEN,  # the native coin is one
    LinkKind.CHAIN,
}
"""Links to what can only be a contract: without code it is gone."""


def survey(
    dependencies: Sequence[Dependencies],
    grants: Mapping[Address, Sequence[Grant]] | None = None,
    known: Mapping[Address, Facts] | None = None,
    block_time_s: float = 0.0,
) -> Reads[Survey]:
    """Return every contract behind some positions.

    `grants` are the role grants found in the logs of contracts that `roles_unread` named; `known`
    is what an earlier survey of the same block found, which is not read again.
    """
    grants, told = grants or {}, dict(known or {})
    for address in [a for a, facts in told.items() if facts.roles == "unread" and a in grants]:
        del told[address]
    extra = tuple(power for one in dependencies for power in one.powers)
    facts: dict[Address, Facts] = {}
    level = dict.fromkeys(a for one in dependencies for a in _begins(one))
    for _ in range(DEPTH):
        missing = [a for a in level if a not in told][: max(0, MOST - len(facts))]
        outcomes = yield from gather([inspect(a, grants.get(a), block_time_s) for a in missing])
        for address, outcome in zip(missing, outcomes, strict=True):
            told[address] = (
                Facts(address, Kind.UNKNOWN, unknown=(outcome.cause,))
                if isinstance(outcome, ReadFailed)
                else outcome
            )
        reached = {a: told[a] for a in level if a in told}
        facts |= reached
        level = dict.fromkeys(a for one in reached.values() for a in follows(one) if a not in facts)
        if not level or len(facts) >= MOST:
            break
    return Survey(_without_the_gone(facts, dependencies), extra, tuple(level))


def roles_unread(found: Survey) -> tuple[Address, ...]:
    """Return the contracts whose role holders only their logs can name."""
    return tuple(a for a, facts in found.facts.items() if facts.roles == "unread")


def address_in(text: str) -> Address | None:
    """Return the address that a link's end is; None for positions, chains, and what is none."""
    try:
        return parse_address(text)
    except InvalidAddress:
        return None


def _begins(one: Dependencies) -> Iterator[Address]:
    for link in one.links:
        address = address_in(link.target)
        if address is not None and address not in BURNED:
            yield address
    yield from (p.of for p in one.powers if p.of not in BURNED)
    yield from (p.holder for p in one.powers if p.holder is not None)


def follows(facts: Facts) -> Iterator[Address]:
    """Yield what a contract names."""
    for link in facts.links:
        address = address_in(link.target)
        if address is not None and address not in BURNED:
            yield address
    yield from holders(facts.powers)


def holders(powers: Iterable[Power]) -> Iterator[Address]:
    """Yield who holds powers."""
    yield from (p.holder for p in powers if p.holder is not None and p.holder not in BURNED)


def _without_the_gone(
    facts: dict[Address, Facts], dependencies: Sequence[Dependencies]
) -> dict[Address, Facts]:
    links = [link for one in dependencies for link in one.links]
    links += [link for one in facts.values() for link in one.links]
    expected = {link.target: link for link in links if link.kind in MUST_HAVE_CODE}
    return {
        address: replace(
            one,
            kind=Kind.GONE,
            unknown=(f"no code where a contract must be ({expected[address].evidence})",),
        )
        if one.kind is Kind.EOA and address in expected
        else one
        for address, one in facts.items()
    }
