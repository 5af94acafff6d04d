"""One anvil for the tests of a file, and a stage with a wallet of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from world.anvil import Anvil
from world.builder import build

from tests.executor.run.stage import GWEI, Stage


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with Anvil(build().anvil) as running:
        yield running


@pytest.fixture
def stage(node: Anvil, tmp_path: Path) -> Iterator[Stage]:
    node.rpc.request("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    made = Stage(node, tmp_path)
    yield made
    made.close()
    made.drop()
