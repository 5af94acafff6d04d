"""Fixtures shared by every room: the world's are in tests/fixtures_world.py."""

import tomllib
from pathlib import Path

import pytest

from tests.support.lines import Recorder

pytest_plugins = ["tests.fixtures_world", "tests.fixtures_postgres"]
ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lines", action="store_true", help="note for coverage.py which lines ran")


def pytest_configure(config: pytest.Config) -> None:
    """Note the lines that the tests run: in each worker, or here where there are none."""
    spread = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if config.getoption("--lines") and not spread:
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
        recorder = Recorder(settings["tool"]["coverage"]["run"]["source"], ROOT)
        recorder.install()
        config.add_cleanup(recorder.save)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes are numbered, not spelled: what two workers collect must have the same names.

    A gzip header holds the second it was made in; as a name it stopped a whole run.
    """
    return argname if isinstance(val, bytes) else None
