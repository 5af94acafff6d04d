"""Fixtures shared by every room: the world's are in tests/fixtures_world.py."""

pytest_plugins = ["tests.fixtures_world"]
