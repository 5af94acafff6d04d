"""Every planted proxy and admin is found, and every change of one, on published bytecode."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from eth_utils.crypto import keccak
from world.actors import feeds
from world.deployer import ZERO
from world.node import Bound

from chain.endpoint import Path
from chain.types import checksum
from protocols.exposure.state import Survey
from risk.exposure.control import control
from risk.exposure.diff import Change, changes
from tests.support.planted import DAY, Garden
from tests.support.survey import surveyed

pytestmark = pytest.mark.world

SENTINEL = "0x0000000000000000000000000000000000000001"


def test_survey__every_planted_case__is_what_it_is(garden: Garden, found: Survey) -> None:
    wrong = []
    for name, case in garden.cases.items():
        one = found.facts[case.address]
        if one.kind is not case.kind:
            wrong.append(f"{name}: {one.kind}, not {case.kind}")
        kinds = [p.kind for p in one.proxies]
        if kinds != ([case.proxy] if case.proxy else []):
            wrong.append(f"{name}: {kinds}, not {case.proxy}")
        runs = tuple(t for p in one.proxies for t in p.targets)
        if case.runs and runs != case.runs:
            wrong.append(f"{name}: runs {runs}, not {case.runs}")
        named = {link.target for link in one.links}
        if not named.issuperset(case.names):
            wrong.append(f"{name}: names {named}, not {case.names}")
        powers = {(p.verb, p.holder, p.delay_s) for p in one.powers}
        if case.powers is not None and powers != case.powers:
            wrong.append(f"{name}: {powers}, not {set(case.powers)}")
        if case.unknown and not any(case.unknown in u for u in one.unknown):
            wrong.append(f"{name}: {one.unknown} lacks {case.unknown!r}")
        if not case.unknown and one.unknown:
            wrong.append(f"{name}: {one.unknown}")
    assert wrong == []
    assert len(garden.cases) >= 50


def test_control__every_planted_case__worst_admin_and_shortest_way(
    garden: Garden, found: Survey
) -> None:
    wrong = []
    for name, case in garden.cases.items():
        if case.admin:
            told = control(found, case.address)
            if (told.kind.value, told.delay_s) != (case.admin, case.delay):
                wrong.append(f"{name}: {told.kind}, {told.delay_s}")
    assert wrong == []


def test_control__two_ways_in__each_power_has_its_own_delay(garden: Garden, found: Survey) -> None:
    delays = {v.value: s for v, s in control(found, garden["two ways in"]).delays.items()}
    assert delays == {"own": 2 * DAY, "pause": 0}


def test_control__module_bypass__way_leads_past_the_threshold(
    garden: Garden, found: Survey
) -> None:
    ways = control(found, garden["safe with a module bypass"]).ways
    by_key = [way for way in ways if way.end == garden.key("dave")]
    assert [way.kind.value for way in by_key] == ["eoa"]
    assert "getModulesPaginated()" in by_key[0].steps[0]


def as_itself(bound: Bound, function: str, *args: object) -> None:
    """Let a contract call itself, as a Safe or a timelock does in the end."""
    bound.node.rpc.request("anvil_setBalance", bound.address, hex(10**20))
    bound.send(bound.address, function, *args)


def by_a(garden: Garden, sender: str, bound: Bound, function: str, *args: object) -> None:
    garden.world.node.rpc.request("anvil_setBalance", sender, hex(10**20))
    bound.send(sender, function, *args)


def test_changes__made_between_two_blocks__each_is_named_and_nothing_else(
    garden: Garden,
) -> None:
    world, build = garden.world, garden.build
    alice, bob, carol, erin = (garden.key(n) for n in ("alice", "bob", "carol", "erin"))
    eth = feeds.feed_of(world, "ETH / USD")
    addresses = [case.address for case in garden.cases.values()]
    addresses.append(checksum(eth.proxy))
    with world.node.rollback():
        then = int(world.node.block()["number"], 16)
        fresh = checksum(build.new("UupsOwned").address)
        by_a(garden, garden["safe 2 of 3"], garden.bound["uups of a safe"],
             "upgradeToAndCall", fresh, b"")  # fmt: skip
        by_a(garden, garden["safe 2 of 3"], garden.bound["beacon"], "upgradeTo", fresh)
        garden.bound["owner pending"].send(carol, "acceptOwnership")
        garden.bound["owned by a key"].send(alice, "transferOwnership", erin)
        as_itself(garden.bound["timelock"], "updateDelay", DAY)
        as_itself(garden.bound["compound timelock"], "setDelay", 20 * DAY)
        safe = garden.bound["safe 2 of 3"]
        as_itself(safe, "addOwnerWithThreshold", erin, 1)
        as_itself(garden.bound["safe 1 of 2"], "enableModule", garden["module"])
        as_itself(garden.bound["safe with a guard"], "setGuard", ZERO)
        as_itself(garden.bound["safe with a delayed module"], "disableModule", SENTINEL,
                  garden["delay module"])  # fmt: skip
        upgrader = keccak(text="UPGRADER_ROLE")
        roles = garden.bound["uups of roles"]
        by_a(garden, garden["safe 2 of 3"], roles, "grantRole", upgrader, bob)
        by_a(garden, garden["safe 2 of 3"], roles, "revokeRole", upgrader, alice)
        facet = checksum(build.new("OpenGuard").address)
        garden.bound["diamond"].send(build.sender, "cut", facet, [b"\x09\x09\x09\x09"])
        garden.bound["eip-897"].send(build.sender, "upgradeTo", fresh)
        feed = feeds.proxy(world, "ETH / USD")
        other = checksum(feeds.feed_of(world, "BTC / USD").aggregators[-1])
        feed.send(world.book.admin, "proposeAggregator", other)
        feed.send(world.book.admin, "confirmAggregator", other)
        before, after = surveyed(world, addresses, then), surveyed(world, addresses)
    told = named(garden, changes(before, after))
    direct = {row for row in told if row[1] not in ("effective delay", "worst admin")}
    logic, live = garden["uups logic"], checksum(eth.aggregators[-1])
    assert direct == {
        ("uups of a safe", "implementation", logic, fresh),
        ("beacon", "implementation", logic, fresh),
        ("owner pending", "owner", bob, carol),
        ("owner pending", "pending owner", carol, "–"),
        ("owned by a key", "pending owner", "–", erin),
        ("timelock", "delay shortened", f"{2 * DAY} s", f"{DAY} s"),
        ("compound timelock", "delay lengthened", f"{3 * DAY} s", f"{20 * DAY} s"),
        ("safe 2 of 3", "threshold lowered", "2 of 3", "1 of 4"),
        ("safe 2 of 3", "owner added", "–", erin),
        ("safe 1 of 2", "module added", "–", garden["module"]),
        ("safe with a guard", "guard", guard_of(before, garden), "–"),
        ("safe with a delayed module", "module removed", garden["delay module"], "–"),
        ("uups of roles", "UPGRADER_ROLE", alice, bob),
        ("diamond", "implementation", facets(before, garden), facets(after, garden)),
        ("eip-897", "implementation", garden["owned by a key"], fresh),
        ("eip-897", "pending owner", checksum(build.sender), "–"),  # the new code has none
        (eth.proxy, "oracle source", live, other),
    }
    followed = told - direct
    assert ("transparent of a timelock", "effective delay", f"{2 * DAY} s", "86400 s") in followed
    assert ("uups of a safe", "worst admin", "safe", "eoa") in followed


def named(garden: Garden, found: Iterable[Change]) -> set[tuple[str, str, str, str]]:
    names = {case.address: name for name, case in garden.cases.items()}
    return {(names.get(c.subject, c.subject), c.what, c.before, c.after) for c in found}  # type: ignore[call-overload]


def guard_of(survey: Survey, garden: Garden) -> str:
    safe = survey.facts[garden["safe with a guard"]].safe
    assert safe is not None
    return safe.guard


def facets(survey: Survey, garden: Garden) -> str:
    return ", ".join(survey.facts[garden["diamond"]].proxies[0].targets)


def test_changes__nothing_was_changed__nothing_is_told(garden: Garden, found: Survey) -> None:
    assert changes(found, found) == ()


@pytest.mark.parametrize("path", [Path.INITCODE, Path.MULTICALL3, Path.SINGLE], ids=str)
def test_survey__any_read_path__tells_the_same(path: Path, garden: Garden, found: Survey) -> None:
    told = surveyed(garden.world, [case.address for case in garden.cases.values()], path=path)
    wrong = [name for name, case in garden.cases.items()
             if told.facts[case.address] != found.facts[case.address]]  # fmt: skip
    assert wrong == []
    assert told == found
