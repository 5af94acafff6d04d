"""A store on either database, a clock in the hand."""

import pytest

from tests.underkeel.notify.scene import Scene
from underkeel.store.store import Store


@pytest.fixture
def scene(store: Store) -> Scene:
    return Scene(store)
