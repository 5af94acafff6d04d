"""Who can change a contract, by which way, and after how long at the least.

A way goes from power to power until it ends with somebody: a key, a Safe, a vote, or an unknown.
Delays add up along a way; the effective delay is the least over all ways, because whoever means
harm takes the shortest. A Safe's modules are ways of their own: they need none of its owners.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chain.types import Address
from protocols.exposure.state import Facts, Kind, Power, Survey, Verb


class AdminKind(StrEnum):
    """Who stands at the end of a way, the least dangerous first."""

    NONE = "none"
    TIMELOCKED_GOVERNANCE = "timelocked-governance"
    GOVERNANCE = "governance"
    TIMELOCKED_SAFE = "timelocked-safe"
    TIMELOCKED_EOA = "timelocked-eoa"
    SAFE = "safe"
    EOA = "eoa"
    """One key; also a Safe that wants one signature."""
    UNKNOWN = "unknown"


ORDER: Final = tuple(AdminKind)
_TIMELOCKED: Final[Mapping[AdminKind, AdminKind]] = {
    AdminKind.GOVERNANCE: AdminKind.TIMELOCKED_GOVERNANCE,
    AdminKind.SAFE: AdminKind.TIMELOCKED_SAFE,
    AdminKind.EOA: AdminKind.TIMELOCKED_EOA,
}
LIMITED: Final = frozenset({Verb.PAUSE, Verb.MINT, Verb.ORACLE, Verb.CONFIGURE, Verb.FEE})
"""Powers that stay as small as they are, however one comes to them."""
HARMLESS: Final = frozenset({Verb.FEE})
"""Powers that take nobody's principal: no part of the effective delay."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to change a contract."""

    verb: Verb
    kind: AdminKind
    end: str
    """The address it ends at; `unknown:<address>` where a holder is not known."""
    delay_s: int | None
    """None for a circle: nobody outside it is known."""
    steps: tuple[str, ...]
    """From the contract to the end: what gives the power at each step."""


@dataclass(frozen=True, slots=True)
class Control:
    """Who can change one contract."""

    ways: tuple[Way, ...]
    """Shortest first; one per end and verb."""

    @property
    def kind(self) -> AdminKind:
        """Return the most dangerous of those who can."""
        kinds = [way.kind for way in self.ways if way.verb not in HARMLESS]
        return max(kinds, key=ORDER.index, default=AdminKind.NONE)

    @property
    def delay_s(self) -> int | None:
        """Return the shortest delay; None where nobody can, or nobody is known."""
        delays = [w.delay_s for w in self.ways if w.verb not in HARMLESS and w.delay_s is not None]
        return min(delays, default=None)

    @property
    def delays(self) -> Mapping[Verb, int]:
        """Return the shortest delay of each power."""
        found: dict[Verb, int] = {}
        for way in self.ways:
            if way.delay_s is not None:
                found[way.verb] = min(found.get(way.verb, way.delay_s), way.delay_s)
        return found


def powers_of(survey: Survey) -> Mapping[Address, tuple[Power, ...]]:
    """Return every contract's powers, those included that only its protocol's rules tell."""
    found = {address: facts.powers for address, facts in survey.facts.items()}
    for power in survey.powers:
        found[power.of] = (*found.get(power.of, ()), power)
    return found


def control(survey: Survey, address: Address) -> Control:
    """Return who can change a contract, or make an admin act."""
    powers = powers_of(survey)
    facts = survey.facts.get(address)
    ways: dict[tuple[str, Verb], Way] = {}
    seen: set[tuple[str, Verb]] = set()
    queue: list[tuple[int, int, str, Verb, tuple[str, ...]]] = []
    count = 0

    def push(delay: int, holder: str, verb: Verb, steps: tuple[str, ...]) -> None:
        nonlocal count
        count += 1
        heapq.heappush(queue, (delay, count, holder, verb, steps))

    if facts is not None and facts.kind is not Kind.CONTRACT and facts.kind is not Kind.TIMELOCK:
        push(0, address, Verb.EXECUTE, ())
    else:
        seen |= {(address, verb) for verb in Verb}
        for power in powers.get(address, ()):
            push(power.delay_s, _holder(power, address), power.verb, (_step(power),))
    while queue:
        delay, _, holder, verb, steps = heapq.heappop(queue)
        if (holder, verb) in seen:
            continue
        seen.add((holder, verb))
        for way in _ends(survey, powers, holder, delay, verb, steps):
            ways.setdefault((way.end, way.verb), way)
        for power in powers.get(Address(holder), ()):
            further = power.verb if power.verb in LIMITED else verb
            after = delay + power.delay_s
            push(after, _holder(power, holder), further, (*steps, _step(power)))
    dead_ends = any(not powers.get(Address(holder)) for holder, _ in seen)
    if not ways and powers.get(address) and not dead_ends:
        circle = Way(Verb.OWN, AdminKind.UNKNOWN, f"unknown:{address}", None,
                     ("its admins name only each other",))  # fmt: skip
        return Control((circle,))
    return Control(tuple(sorted(ways.values(), key=lambda w: w.delay_s or 0)))


def _holder(power: Power, of: str) -> str:
    return power.holder or f"unknown:{of}"


def _step(power: Power) -> str:
    waits = f" after {power.delay_s} s" if power.delay_s else ""
    return f"{power.verb.value} by {power.holder or 'somebody unknown'}: {power.evidence}{waits}"


def _ends(
    survey: Survey,
    powers: Mapping[Address, tuple[Power, ...]],
    holder: str,
    delay: int,
    verb: Verb,
    steps: tuple[str, ...],
) -> Iterator[Way]:
    """Yield the way that ends with a holder, if one does."""
    if holder.startswith("unknown:"):
        yield Way(verb, AdminKind.UNKNOWN, holder, delay, steps)
        return
    facts = survey.facts.get(Address(holder))
    if facts is None or facts.kind in (Kind.UNKNOWN, Kind.GONE):
        yield Way(verb, AdminKind.UNKNOWN, holder, delay, (*steps, "it could not be followed"))
        return
    kind, own = _nature(facts)
    if kind is not None:
        delay += own
        timely = _TIMELOCKED.get(kind, kind) if delay else kind
        yield Way(verb, timely, holder, delay, steps)
    elif not powers.get(Address(holder)) and not facts.renounced:
        yield Way(verb, AdminKind.UNKNOWN, holder, delay,
                  (*steps, "a contract that nobody is known to command"))  # fmt: skip


def _nature(facts: Facts) -> tuple[AdminKind | None, int]:
    """Return who a holder is by itself and its own delay; None for what only passes power on."""
    match facts.kind:
        case Kind.EOA | Kind.DELEGATED:
            return AdminKind.EOA, 0
        case Kind.GOVERNOR:
            return AdminKind.GOVERNANCE, facts.delay_s or 0
        case Kind.SAFE:
            if facts.safe is None or not facts.safe.standard or facts.safe.threshold < 1:
                return AdminKind.UNKNOWN, 0
            return AdminKind.SAFE if facts.safe.threshold > 1 else AdminKind.EOA, 0
        case _:
            return None, 0


def ends(controls: Iterable[Control]) -> Mapping[str, int]:
    """Return everybody at the end of some way, with the shortest delay to any harm they can do."""
    found: dict[str, int] = {}
    for one in controls:
        for way in one.ways:
            if way.verb not in HARMLESS:
                delay = way.delay_s or 0
                found[way.end] = min(found.get(way.end, delay), delay)
    return found
