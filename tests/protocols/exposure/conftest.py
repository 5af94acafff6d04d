"""The planted contracts, once for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from world.anvil import Anvil
from world.world import World

from protocols.exposure.state import Survey
from tests.support.planted import Garden, plant
from tests.support.survey import surveyed


@pytest.fixture(scope="module")
def garden(anvil: World[Anvil]) -> Iterator[Garden]:
    with anvil.node.rollback():
        yield plant(anvil)


@pytest.fixture(scope="module")
def found(garden: Garden) -> Survey:
    return surveyed(garden.world, [case.address for case in garden.cases.values()])
