"""Stage each registered adapter once per module."""

from collections.abc import Iterator

import pytest
from world.anvil import Anvil
from world.world import World

from protocols.adapter import Adapter
from protocols.registry import ADAPTERS
from tests.protocols.conformance.fixture import fixture_of
from tests.protocols.conformance.staging import Staged
from tests.support import referee


@pytest.fixture(scope="module", params=ADAPTERS, ids=lambda adapter: adapter.name)
def staged(request: pytest.FixtureRequest, anvil: World[Anvil]) -> Iterator[Staged]:
    adapter: Adapter = request.param
    with anvil.node.rollback():
        stage = fixture_of(adapter).stage(anvil)
        anvil.node.mine()
        rpc = anvil.node.rpc
        at = referee.head(rpc)
        program = adapter.read(stage.market, stage.accounts, at)
        truth, recording = referee.record(program, rpc, at)
        yield Staged(anvil, adapter, stage, at, truth, recording)
