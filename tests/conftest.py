"""Fixtures shared by every room: the world's are in tests/fixtures_world.py."""

import pytest

pytest_plugins = ["tests.fixtures_world", "tests.fixtures_postgres"]


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes are numbered, not spelled: what two workers collect must have the same names.

    A gzip header holds the second it was made in; as a name it stopped a whole run.
    """
    return argname if isinstance(val, bytes) else None
