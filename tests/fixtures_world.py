"""The world for tests, and a guard that keeps unit tests off the network.

- `anvil`: the session's node on the built world. Do not change its state: use `world`.
- `world`: the same, rolled back after the test.
- `published`: the node_modules of the address lists our data is compared with.
- `tester`: the same world in an in-process EVM, behind a loopback URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_socket
from world.anvil import Anvil
from world.install import REFERENCE, node_modules
from world.world import World, start

if TYPE_CHECKING:
    from world.tester import InProcess

WORLD_FIXTURES = frozenset({"anvil", "world"})
LOOPBACK_FIXTURES = WORLD_FIXTURES | {"tester_session", "tester"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the world, so that `-m "not world"` needs no anvil."""
    for item in items:
        if WORLD_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.world)


@pytest.fixture(autouse=True)
def socket_guard(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse sockets to any test that does not say it speaks to this machine."""
    allowed = (
        LOOPBACK_FIXTURES.intersection(request.fixturenames)
        or request.node.get_closest_marker("loopback")
        or request.node.get_closest_marker("world")
    )
    if allowed:
        yield
        return
    pytest_socket.disable_socket(allow_unix_socket=True)
    try:
        yield
    finally:
        pytest_socket.enable_socket()


@pytest.fixture(scope="session")
def anvil() -> Iterator[World[Anvil]]:
    with start() as running:
        yield running


@pytest.fixture
def world(anvil: World[Anvil]) -> Iterator[World[Anvil]]:
    with anvil.node.rollback():
        yield anvil


@pytest.fixture(scope="session")
def published() -> Path:
    return node_modules(REFERENCE)


@pytest.fixture(scope="session")
def tester_session() -> Iterator[World[InProcess]]:
    # Here, because py-evm takes a second to import and most tests want none of it.
    from world.tester import start_tester

    with start_tester() as running:
        yield running


@pytest.fixture
def tester(tester_session: World[InProcess]) -> Iterator[World[InProcess]]:
    taken = tester_session.node.rpc.request("evm_snapshot")
    yield tester_session
    tester_session.node.rpc.request("evm_revert", taken)
