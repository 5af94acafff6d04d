"""Fixtures shared by every room: the world's are in tests/fixtures_world.py.

With NOTE_LINES in the environment the lines that run are noted for coverage.py.
"""

import os
import tomllib
from pathlib import Path

import pytest

from tests.support.lines import Recorder

pytest_plugins = ["tests.fixtures_postgres", "tests.fixtures_store", "tests.fixtures_world"]
ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RECORDER = Recorder(SETTINGS["tool"]["coverage"]["run"]["source"], ROOT)

# Here, because the conftest modules below this one import our rooms before any option is read.
if os.environ.get("NOTE_LINES"):
    RECORDER.install()


def pytest_unconfigure() -> None:
    if os.environ.get("NOTE_LINES"):
        RECORDER.save()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes are numbered, not spelled: what two workers collect must have the same names.

    A gzip header holds the second it was made in; as a name it stopped a whole run.
    """
    return argname if isinstance(val, bytes) else None
