"""Scenes for the tests of the web."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.underkeel.web.scene import Client, Scene, scene


@pytest.fixture
def seeded(tmp_path: Path) -> Iterator[Scene]:
    made = scene(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def client(seeded: Scene) -> Client:
    return seeded.client()
