"""One position under each form of the guard, undone after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from world.anvil import Anvil
from world.world import World

from tests.support.guard_stage import FORMS, Stage, staged


@pytest.fixture(scope="module", params=FORMS)
def _on_aave(request: pytest.FixtureRequest, anvil: World[Anvil]) -> Iterator[Stage]:
    with staged(anvil, "aave-3.0", request.param) as made:
        yield made


@pytest.fixture
def on_aave(_on_aave: Stage) -> Iterator[Stage]:
    """A position on Aave 3.0, under the module and under the delegate."""
    with _on_aave.world.node.rollback():
        yield _on_aave
