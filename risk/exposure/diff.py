"""What changed between two blocks in what positions stand on, named one by one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chain.types import ZERO_ADDRESS, Address
from protocols.exposure.state import (
    Dependencies,
    Facts,
    LinkKind,
    Power,
    Safe,
    Survey,
)
from risk.exposure.control import control

NOTHING: Final = "–"
"""What stands for an absence, before or after."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was."""

    subject: str
    """The address or position that changed."""
    what: str
    before: str
    after: str
    evidence: str = ""


def changes(
    before: Survey,
    after: Survey,
    then: Sequence[Dependencies] = (),
    now: Sequence[Dependencies] = (),
) -> tuple[Change, ...]:
    """Return every change, in the order in which the contracts were found.

    What was found at one of the blocks only is reported by whatever began or ceased to name it;
    a contract that could not be read at one of them is told as such, and not as unchanged.
    """
    found: list[Change] = []
    for address in dict.fromkeys((*after.facts, *before.facts)):
        old, new = before.facts.get(address), after.facts.get(address)
        if old is not None and new is not None:
            found += _facts(old, new)
            found += _delay(before, after, address)
    earlier = {one.position: one for one in then}
    for one in now:
        if one.position in earlier:
            found += _position(earlier[one.position], one)
    return tuple(found)


def _facts(old: Facts, new: Facts) -> Iterator[Change]:
    at = new.address
    if old.kind is not new.kind:
        yield Change(at, "kind", old.kind.value, new.kind.value)
    if old.codehash != new.codehash:
        yield Change(at, "code", old.codehash or NOTHING, new.codehash or NOTHING, "eth_getCode")
    yield from _proxies(old, new)
    yield from _named(old, new)
    if old.delay_s != new.delay_s:
        shorter = (new.delay_s or 0) < (old.delay_s or 0)
        what = "delay shortened" if shorter else "delay lengthened"
        yield Change(at, what, _seconds(old.delay_s), _seconds(new.delay_s), new.timelock)
    if old.safe is not None and new.safe is not None:
        yield from _safe(at, old.safe, new.safe)
    yield from _powers(at, old, new)
    if old.pending_owner != new.pending_owner:
        after = new.pending_owner or NOTHING
        yield Change(at, "pending owner", old.pending_owner or NOTHING, after)


def _proxies(old: Facts, new: Facts) -> Iterator[Change]:
    kinds = dict.fromkeys(p.kind for p in (*old.proxies, *new.proxies))
    for kind in kinds:
        was = tuple(t for p in old.proxies if p.kind is kind for t in p.targets)
        now = tuple(t for p in new.proxies if p.kind is kind for t in p.targets)
        if was != now:
            evidence = next(p.evidence for p in (*new.proxies, *old.proxies) if p.kind is kind)
            yield Change(new.address, "implementation", _list(was), _list(now), evidence)


_SOURCES: Final = (LinkKind.SOURCE, LinkKind.FEED)


def _named(old: Facts, new: Facts) -> Iterator[Change]:
    """Yield what a contract names otherwise than before; proxies and Safes are told elsewhere."""
    was = {(ln.kind, ln.evidence): ln.target for ln in old.links}
    now = {(ln.kind, ln.evidence): ln.target for ln in new.links}
    for key in dict.fromkeys((*was, *now)):
        kind, evidence = key
        told = kind in (LinkKind.MEMBER, LinkKind.GUARD, LinkKind.DELEGATE)
        proxied = kind in (LinkKind.IMPLEMENTATION, LinkKind.BEACON) and bool(
            old.proxies or new.proxies
        )
        if told or proxied or was.get(key) == now.get(key):
            continue
        what = "oracle source" if kind in _SOURCES else kind.value
        yield Change(new.address, what, was.get(key, NOTHING), now.get(key, NOTHING), evidence)


def _safe(at: Address, old: Safe, new: Safe) -> Iterator[Change]:
    if old.threshold != new.threshold:
        what = "threshold lowered" if new.threshold < old.threshold else "threshold raised"
        yield Change(
            at,
            what,
            f"{old.threshold} of {len(old.owners)}",
            f"{new.threshold} of {len(new.owners)}",
            "getThreshold()",
        )
    for name, was, now, evidence in (
        ("owner", old.owners, new.owners, "getOwners()"),
        ("module", old.modules, new.modules, "getModulesPaginated()"),
    ):
        for gone in was:
            if gone not in now:
                yield Change(at, f"{name} removed", gone, NOTHING, evidence)
        for added in now:
            if added not in was:
                yield Change(at, f"{name} added", NOTHING, added, evidence)
    if old.guard != new.guard:
        yield Change(at, "guard", _or_nothing(old.guard), _or_nothing(new.guard), "guard slot")


def _powers(at: Address, old: Facts, new: Facts) -> Iterator[Change]:
    """Yield holders that came and went, by what names them; modules are told with the Safe.

    A timelock's own delay is every power's, and told once.
    """
    was, now = _by_evidence(old.powers), _by_evidence(new.powers)
    one_delay = old.delay_s is not None
    for evidence in dict.fromkeys((*was, *now)):
        if evidence.startswith("getModulesPaginated"):
            continue
        before, after = was.get(evidence, {}), now.get(evidence, {})
        what = _title(evidence)
        gone = [h for h in before if h not in after]
        come = [h for h in after if h not in before]
        if len(gone) == 1 and len(come) == 1:
            yield Change(at, what, gone[0], come[0], evidence)
            continue
        for holder in gone:
            yield Change(at, what, holder, NOTHING, evidence)
        for holder in come:
            yield Change(at, what, NOTHING, holder, evidence)
        for holder in before:
            if holder in after and before[holder] != after[holder] and not one_delay:
                shorter = after[holder] < before[holder]
                word = "shortened" if shorter else "lengthened"
                yield Change(
                    at,
                    f"delay of {what} {word}",
                    _seconds(before[holder]),
                    _seconds(after[holder]),
                    evidence,
                )


def _by_evidence(powers: Sequence[Power]) -> Mapping[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for power in powers:
        found.setdefault(power.evidence, {})[power.holder or "unknown"] = power.delay_s
    return found


def _title(evidence: str) -> str:
    """Return what to call the power that some evidence names: `owner()` is the owner."""
    name = evidence.partition(",")[0]
    if name.endswith("()"):
        return name[:-2]
    return "admin" if "admin" in name else name


def _delay(before: Survey, after: Survey, address: Address) -> Iterator[Change]:
    """Yield a change of the shortest way to a change of a contract, wherever it comes from."""
    old, new = control(before, address), control(after, address)
    if old.delay_s != new.delay_s:
        yield Change(
            address, "effective delay", _seconds(old.delay_s), _seconds(new.delay_s),
            "the shortest of all ways",
        )  # fmt: skip
    if old.kind is not new.kind:
        yield Change(address, "worst admin", old.kind.value, new.kind.value)


_PRICED: Final = (LinkKind.ORACLE, LinkKind.FEED)


def _position(old: Dependencies, new: Dependencies) -> Iterator[Change]:
    kinds = dict.fromkeys(ln.kind for ln in (*old.links, *new.links))
    for kind in kinds:
        was = [ln.target for ln in old.links if ln.kind is kind]
        now = [ln.target for ln in new.links if ln.kind is kind]
        gone, come = ([t for t in was if t not in now], [t for t in now if t not in was])
        if gone or come:
            what = "oracle" if kind in _PRICED else kind.value
            yield Change(new.position, what, _list(gone), _list(come), kind.value)
    before, after = dict(old.parameters), dict(new.parameters)
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield Change(
                new.position,
                f"parameter {name}",
                before.get(name, NOTHING),
                after.get(name, NOTHING),
            )


def _list(addresses: Sequence[str]) -> str:
    return ", ".join(addresses) or NOTHING


def _or_nothing(address: Address) -> str:
    return NOTHING if address == ZERO_ADDRESS else address


def _seconds(delay: int | None) -> str:
    return NOTHING if delay is None else f"{delay} s"
