"""A store on either database, a clock in the hand."""

import pytest

from tests.underkeel.notify.scene import Scene
from underkeel.notify import lane
from underkeel.store.store import Store


@pytest.fixture
def scene(store: Store, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(lane, "POLL_S", 1e9)  # nobody else puts anything
    return Scene(store)
