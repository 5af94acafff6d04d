"""One anvil for each file, a wallet for each test, and a server that forks executors at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from world.anvil import Anvil
from world.builder import build

from tests.executor.faults.place import FORK, Place

FORK.set_forkserver_preload(["tests.executor.faults.entry"])


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with Anvil(build().anvil) as running:
        yield running


@pytest.fixture
def place(node: Anvil, tmp_path: Path) -> Iterator[Place]:
    made = Place(node, tmp_path)
    made.base_fee()
    node.mine()
    yield made
    made.close()
    made.drop()
