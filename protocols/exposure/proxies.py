"""Make of code, slots and answers whose code a contract runs, and who may change that. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from chain.calls import Call, Ok, Read, Result, Storage, Unknown
from chain.types import Address
from protocols.exposure import bytecode, slots
from protocols.exposure import questions as q
from protocols.exposure.control import Answers
from protocols.exposure.state import (
    BURNED,
    Facts,
    Link,
    LinkKind,
    Power,
    Proxy,
    ProxyKind,
    Verb,
)


def _slot(answers: Answers, slot: int) -> Address | None:
    found = slots.held(answers.raw(Storage(answers.address, slot)))
    return found if isinstance(found, str) else None


def borrowed(facts: Facts, answers: Answers, code: bytes) -> Facts:
    """Return the facts with every way in which the contract runs another's code."""
    found: list[Proxy] = []
    links: list[Link] = []
    unknown: list[str] = []
    runs = bytecode.delegates(code)
    for slot, kind in (
        (slots.IMPLEMENTATION, ProxyKind.EIP1967),
        (slots.BEACON, ProxyKind.BEACON),
        (slots.PROXIABLE, ProxyKind.EIP1822),
        (slots.ZEPPELINOS, ProxyKind.ZEPPELINOS),
    ):
        held = slots.held(answers.raw(Storage(facts.address, slot)))
        if isinstance(held, Unknown):
            unknown.append(f"{slots.evidence(slot)}: {held.reason}")
        elif held is not None and not runs:
            unknown.append(f"{slots.evidence(slot)} names {held}, and its code never delegates")
        elif held is not None:
            if kind is ProxyKind.EIP1967 and _slot(answers, slots.ADMIN) is not None:
                kind = ProxyKind.TRANSPARENT
            found.append(Proxy(kind, (held,), slots.evidence(slot)))
    if (cloned := bytecode.clone(code)) is not None:
        found.append(Proxy(ProxyKind.EIP1167, (cloned[1],), f"code of {cloned[0]}"))
    if not found:
        found += _told(answers, runs)
    for proxy in found:
        beacon = proxy.kind is ProxyKind.BEACON
        why = LinkKind.BEACON if beacon else LinkKind.IMPLEMENTATION
        links += [Link(facts.address, t, why, proxy.evidence) for t in proxy.targets]
    if not runs and (logic := _named_logic(answers)) is not None:
        links.append(Link(facts.address, logic[0], LinkKind.IMPLEMENTATION, logic[1]))
    for function, why in q.NAMES:
        named = q.word_address(answers.ask(function))
        if isinstance(named, str) and named not in BURNED and named != facts.address:
            links.append(Link(facts.address, named, why, f"{function.name}()"))
    return replace(
        facts,
        proxies=tuple(found),
        links=tuple(links),
        unknown=(*facts.unknown, *unknown),
    )


def _named_logic(answers: Answers) -> tuple[Address, str] | None:
    for function in q.IMPLEMENTATIONS:
        named = q.word_address(answers.ask(function))
        if isinstance(named, str) and named != answers.address:
            return named, f"{function.name}()"
    return None


def _told(answers: Answers, runs: bool) -> Iterator[Proxy]:
    """Yield what a proxy without known slots says that it runs."""
    logic = _named_logic(answers) if runs else None
    if logic is not None:
        kind = answers.value(q.PROXY_TYPE)
        told = f", proxyType() {kind}" if isinstance(kind, int) else ""
        yield Proxy(ProxyKind.EIP897, (logic[0],), logic[1] + told)
        return
    facets = answers.value(q.FACETS)
    if runs and isinstance(facets, tuple) and facets:
        targets = tuple(dict.fromkeys(facet[0] for facet in facets))
        yield Proxy(ProxyKind.DIAMOND, targets, "facets()")
        return
    singleton = _slot(answers, slots.SINGLETON)
    if runs and singleton is not None and isinstance(answers.value(q.OWNERS), tuple):
        yield Proxy(ProxyKind.SAFE, (singleton,), slots.evidence(slots.SINGLETON))


def admin_seen_by(proxy: Address, candidate: Address) -> Call:
    """Return the question that a proxy answers to its immutable admin only."""
    return q.ADMIN.at(proxy, sender=candidate)


def upgraded_by(facts: Facts, said: Mapping[Read, Result], code: bytes) -> Facts:
    """Return the facts with who may change the implementation, and by which standard."""
    proxies: list[Proxy] = []
    powers = list(facts.powers)
    unknown: list[str] = []
    for proxy in facts.proxies:
        if proxy.kind in (ProxyKind.TRANSPARENT, ProxyKind.ZEPPELINOS):
            slot = slots.ADMIN if proxy.kind is ProxyKind.TRANSPARENT else slots.ZEPPELINOS_ADMIN
            admin = slots.held(said[Storage(facts.address, slot)])
            if isinstance(admin, Unknown):
                unknown.append(f"{slots.evidence(slot)}: {admin.reason}")
                powers.append(Power(Verb.UPGRADE, None, slots.evidence(slot)))
            elif admin is not None and admin not in BURNED:
                powers.append(Power(Verb.UPGRADE, admin, slots.evidence(slot)))
        elif proxy.kind in (ProxyKind.EIP1967, ProxyKind.EIP1822):
            admin = _immutable_admin(facts.address, said, code)
            if admin is not None:
                powers.append(Power(Verb.UPGRADE, admin, "admin() as seen by its own address"))
                proxy = replace(proxy, kind=ProxyKind.TRANSPARENT)
            elif proxy.kind is ProxyKind.EIP1967 and _is_uups(said, proxy):
                proxy = replace(
                    proxy, kind=ProxyKind.UUPS, evidence=f"{proxy.evidence}, proxiableUUID()"
                )
        proxies.append(proxy)
    return replace(
        facts,
        proxies=tuple(proxies),
        powers=tuple(powers),
        unknown=(*facts.unknown, *unknown),
    )


def _immutable_admin(proxy: Address, said: Mapping[Read, Result], code: bytes) -> Address | None:
    for candidate in bytecode.constants(code):
        answer = said.get(admin_seen_by(proxy, candidate))
        if answer is not None and q.word_address(answer) == candidate:
            return candidate
    return None


def _is_uups(said: Mapping[Read, Result], proxy: Proxy) -> bool:
    answer = said[q.PROXIABLE_UUID.at(proxy.targets[0])]
    return isinstance(answer, Ok) and answer.data == slots.IMPLEMENTATION.to_bytes(32, "big")
