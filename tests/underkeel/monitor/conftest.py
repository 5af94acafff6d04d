"""One small portfolio on the world for the tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from world.anvil import Anvil
from world.world import World

from bench.watched import Crowd, open_crowd


@pytest.fixture(scope="module")
def crowd(anvil: World[Anvil]) -> Iterator[Crowd]:
    with anvil.node.rollback():
        yield open_crowd(anvil, wallets=2, markets=2)
