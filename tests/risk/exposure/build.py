"""Surveys written by hand."""

from __future__ import annotations

from chain.types import Address
from protocols.exposure.state import (
    Dependencies,
    Facts,
    Kind,
    Link,
    LinkKind,
    Power,
    Proxy,
    ProxyKind,
    Safe,
    Survey,
    Verb,
)
from risk.exposure.priors import Priors, priors
from tests.support.fake_chain import address

PRIORS: Priors = priors()
ZERO = address(0)


def contract(n: int, *powers: Power, code: int | None = None, **more: object) -> Facts:
    codehash = f"0x{n if code is None else code:064x}"
    return Facts(address(n), Kind.CONTRACT, codehash, 100, powers=powers, **more)  # type: ignore[arg-type]


def key(n: int) -> Facts:
    return Facts(address(n), Kind.EOA)


def safe(
    n: int, owners: tuple[int, ...], threshold: int, *modules: int, standard: bool = True
) -> Facts:
    held = Safe(tuple(map(address, owners)), threshold, tuple(map(address, modules)), ZERO,
                address(0x5AFE), "1.4.1", standard)  # fmt: skip
    powers = tuple(Power(Verb.EXECUTE, address(m), "getModulesPaginated()") for m in modules)
    return Facts(address(n), Kind.SAFE, "0x" + "5a" * 32, 100, powers=powers, safe=held)


def power(
    holder: int | None, verb: Verb = Verb.OWN, delay: int = 0, evidence: str = "owner()"
) -> Power:
    return Power(verb, None if holder is None else address(holder), evidence, delay)


def link(
    source: int | str, target: int, kind: LinkKind = LinkKind.PROTOCOL, share: float = 1.0
) -> Link:
    start = source if isinstance(source, str) else address(source)
    return Link(start, address(target), kind, "test", share)


def proxied(n: int, logic: int, *powers: Power) -> Facts:
    proxy = Proxy(ProxyKind.TRANSPARENT, (address(logic),), "slot")
    return contract(n, *powers, proxies=(proxy,),
                    links=(link(n, logic, LinkKind.IMPLEMENTATION),))  # fmt: skip


def survey(
    *facts: Facts, powers: tuple[Power, ...] = (), unseen: tuple[Address, ...] = ()
) -> Survey:
    return Survey({one.address: one for one in facts}, powers, unseen)


def stands(position: str, *links: Link) -> Dependencies:
    return Dependencies(position, links)
