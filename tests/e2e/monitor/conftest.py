"""One portfolio for all tests here; each test has a database and processes of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from world.anvil import Anvil
from world.world import World

from bench.watched import Crowd, open_crowd
from tests.e2e.monitor.place import Place, opened


@pytest.fixture(scope="module")
def crowd(anvil: World[Anvil]) -> Iterator[Crowd]:
    with anvil.node.rollback():
        yield open_crowd(anvil, wallets=1, markets=2)


@pytest.fixture(scope="module")
def served(crowd: Crowd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with opened(crowd.world, crowd, tmp_path_factory.mktemp("served")) as place:
        place.start()
        place.read_to(place.mine())
        yield place


@pytest.fixture
def running(served: Place) -> Iterator[Place]:
    """A service that several tests torment; each leaves it and the price as they were."""
    served.receiver.got.clear()
    yield served
    served.settled()


@pytest.fixture
def place(crowd: Crowd, tmp_path: Path) -> Iterator[Place]:
    with opened(crowd.world, crowd, tmp_path) as place:
        yield place
