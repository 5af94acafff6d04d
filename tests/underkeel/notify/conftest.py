"""A store on either database, a clock in the hand, channels that answer as they are told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.underkeel.notify.scene import Scene
from underkeel.notify import lane
from underkeel.store.store import Store


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "postgres":
        url = request.getfixturevalue("postgres")
    else:
        url = f"sqlite:///{tmp_path}/keel.sqlite"
    opened = Store.open(url, mode="dry-run", chains={"main": 1})
    yield opened
    opened.close()


@pytest.fixture
def scene(store: Store, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(lane, "POLL_S", 1e9)  # nobody else puts anything
    return Scene(store)
