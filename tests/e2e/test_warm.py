"""A second reading by the command line asks in one request what the first asked in several."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Ran, Scene

pytestmark = pytest.mark.world


def test_risk__run_again__is_the_head_and_one_request(
    scene: Scene, run: Callable[..., Ran], tmp_path: Path
) -> None:
    # The search of the logs, which comes before the reading, has requests of its own.
    config = scene.config(tmp_path, extra="discover = false")
    asked: list[int] = []
    told = []
    for damaged in (False, False, True):
        if damaged:
            (memory,) = (tmp_path / "cache" / "reads").iterdir()
            memory.write_bytes(memory.read_bytes()[:-5])
        document = run("risk", "--json", "--config", config).doc
        asked.append(int(document["chains"][0]["requests"]))
        told.append(document["positions"])
    assert told == [told[0]] * 3
    cold, warm, cold_again = asked
    assert warm == 2 < cold == cold_again
