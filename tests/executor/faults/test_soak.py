"""A short run of the soak; `make soak` goes on for a thousand faults."""

from pathlib import Path

import pytest
from world.anvil import Anvil

from tests.executor.faults.soak import soak

pytestmark = pytest.mark.world


@pytest.mark.parametrize("seed", [3])
def test_soak__random_faults__one_effect_each_nothing_lost_caps_kept(
    node: Anvil, tmp_path: Path, seed: int
) -> None:
    told: list[str] = []
    soak(node, tmp_path, 40, seed, told.append)
    assert "40 faults" in told[-1]
