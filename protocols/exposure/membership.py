"""Make of a contract's answers who holds its roles at the block. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from chain.calls import Read, Result, Unknown
from chain.types import Address
from protocols.exposure.control import Answers
from protocols.exposure.roles import (
    ACCESS_CONTROL,
    DEFAULT_ADMIN,
    ENUMERABLE,
    HAS_ROLE,
    MEMBER,
    MEMBER_COUNT,
    NAMES,
    ROLE_ADMIN,
    SUPPORTS,
    Grant,
    name_of,
    verb_of,
)
from protocols.exposure.state import BURNED, Facts, Kind, Power, Verb

MEMBERS: Final = 8
"""How many members of an enumerable role are asked for."""


def has(answers: Answers, interface: str) -> bool:
    """Return whether the contract has roles, or counts their holders.

    Those of OpenZeppelin 3 do not say so, and are known by answering.
    """
    if answers.value(SUPPORTS, bytes.fromhex(interface[2:])) is True:
        return True
    function = ROLE_ADMIN if interface == ACCESS_CONTROL else MEMBER_COUNT
    return isinstance(answers.value(function, DEFAULT_ADMIN), bytes | int)


def with_roles(
    facts: Facts,
    answers: Answers,
    said: Mapping[Read, Result],
    grants: Sequence[Grant] | None,
) -> Facts:
    """Return the facts with who holds its roles at this block."""
    if not has(answers, ACCESS_CONTROL):
        return facts
    enumerable = has(answers, ENUMERABLE)
    held, unknown, lost = _enumerated(facts.address, said) if enumerable else ({}, [], [])
    for grant in grants or ():
        still = HAS_ROLE.known(said[HAS_ROLE.at(facts.address, grant.role, grant.account)])
        if isinstance(still, Unknown):
            unknown.append(f"{name_of(grant.role)}: {still.reason}")
            lost.append(grant.role)
        elif still:
            held[grant] = None
    how = "enumerated" if enumerable else "unread" if grants is None else "logs"
    delay = (facts.delay_s or 0) if facts.kind is Kind.TIMELOCK else 0
    found: list[Power] = []
    for grant in held:
        verb = verb_of(grant.role)
        if verb is None or grant.account in BURNED or grant.account == facts.address:
            continue
        if facts.kind is Kind.TIMELOCK and verb in (Verb.OWN, Verb.EXECUTE):
            verb = Verb.EXECUTE  # an admin appoints who announces; the delay stays
        found.append(Power(verb, grant.account, f"{name_of(grant.role)}, {how}", delay))
    for role in dict.fromkeys(lost):
        verb = verb_of(role)
        if verb is not None:
            found.append(Power(verb, None, f"{name_of(role)}, a holder not read", delay))
    if how == "unread":
        why = "the holders of its roles are in its logs, which were not read"
        unknown.append(why)
        found.append(Power(Verb.OWN, None, why, delay))
    return replace(
        facts, roles=how, powers=(*facts.powers, *found), unknown=(*facts.unknown, *unknown)
    )


def _enumerated(
    address: Address, said: Mapping[Read, Result]
) -> tuple[dict[Grant, None], list[str], list[bytes]]:
    """Return who holds roles, what is unknown in words, and the roles it is unknown of."""
    held: dict[Grant, None] = {}
    lost: list[bytes] = []
    unknown: list[str] = []
    for role, name in NAMES.items():
        count = MEMBER_COUNT.known(said[MEMBER_COUNT.at(address, role)])
        if isinstance(count, Unknown):
            unknown.append(f"{name}: {count.reason}")
            lost.append(role)
            continue
        if count > MEMBERS:
            lost.append(role)
            unknown.append(f"{name} has {count} members, of whom {MEMBERS} are shown")
        for i in range(min(count, MEMBERS)):
            member = MEMBER.known(said[MEMBER.at(address, role, i)])
            if isinstance(member, Unknown):
                unknown.append(f"{name}: {member.reason}")
                lost.append(role)
            else:
                held[Grant(role, member)] = None
    return held, unknown, lost
