"""Scenes for the tests of the web: shared ones to read from, new ones to change."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.underkeel.web.scene import Client, Scene, break_it, opened, scene


@pytest.fixture
def seeded(tmp_path: Path) -> Iterator[Scene]:
    made = scene(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def client(seeded: Scene) -> Client:
    return seeded.client()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Something of everything, never changed."""
    made = scene(tmp_path_factory.mktemp("shared"))
    made.client()
    yield made
    made.store.close()


@pytest.fixture
def reader(shared: Scene) -> Client:
    return Client(shared.the_app)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A store that nothing was ever written to."""
    made = scene(tmp_path_factory.mktemp("empty"), seeded=False)
    yield made
    made.store.close()


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A store whose file is no database any more."""
    made = scene(tmp_path_factory.mktemp("broken"))
    break_it(made)
    return made


@pytest.fixture(scope="session")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Where a token is asked for, never changed."""
    made = opened(tmp_path_factory.mktemp("walled"))
    yield made
    made.store.close()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Scene]:
    made = opened(tmp_path)
    yield made
    made.store.close()
