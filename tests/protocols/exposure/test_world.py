"""Every planted proxy and admin is found, on the published contracts' own bytecode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from world.anvil import Anvil
from world.world import World

from chain.client import ChainSpec, connect
from chain.types import Address
from protocols.adapter import Log
from protocols.exposure.roles import GRANTED, GRANTS, grant_of
from protocols.exposure.state import Dependencies, Facts, Link, LinkKind, Survey
from protocols.exposure.survey import roles_unread, survey
from risk.exposure.control import control
from tests.support.planted import Garden, plant

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def garden(anvil: World[Anvil]) -> Iterator[Garden]:
    with anvil.node.rollback():
        yield plant(anvil)


def seeds(garden: Garden) -> list[Dependencies]:
    links = tuple(
        Link("planted", case.address, LinkKind.SPENDER, "planted") for case in garden.cases.values()
    )
    return [Dependencies("planted", links)]


@pytest.fixture(scope="module")
def found(garden: Garden) -> Survey:
    spec = ChainSpec("world", garden.world.node.chain_id, (garden.world.node.url,))
    with connect(spec) as client:
        at = client.head()
        snapshot = client.snapshot(at)
        first = snapshot.run(survey(seeds(garden)))
        grants = {}
        for address in roles_unread(first):
            logs = client.logs([address], ["0x" + GRANTED.hex()], 0, at.number)
            texts = GRANTS.found(
                Log(x.address, tuple(bytes.fromhex(t[2:]) for t in x.topics), x.data) for x in logs
            )
            grants[address] = [grant_of(t) for t in texts]
        return snapshot.run(survey(seeds(garden), grants, first.facts))


def facts(found: Survey, address: Address) -> Facts:
    return found.facts[address]


def test_survey__every_planted_case__is_what_it_is(garden: Garden, found: Survey) -> None:
    wrong = []
    for name, case in garden.cases.items():
        one = facts(found, case.address)
        if one.kind is not case.kind:
            wrong.append(f"{name}: {one.kind}, not {case.kind}")
        kinds = [p.kind for p in one.proxies]
        if kinds != ([case.proxy] if case.proxy else []):
            wrong.append(f"{name}: {kinds}, not {case.proxy}")
        runs = tuple(t for p in one.proxies for t in p.targets)
        if case.runs and runs != case.runs:
            wrong.append(f"{name}: runs {runs}, not {case.runs}")
        powers = {(p.verb, p.holder, p.delay_s) for p in one.powers}
        if case.powers is not None and powers != case.powers:
            wrong.append(f"{name}: {powers}, not {set(case.powers)}")
        if case.unknown and not any(case.unknown in u for u in one.unknown):
            wrong.append(f"{name}: {one.unknown} lacks {case.unknown!r}")
        if not case.unknown and one.unknown:
            wrong.append(f"{name}: {one.unknown}")
    assert wrong == []
    assert len(garden.cases) >= 25


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
