"""The tables shipped with this package: the one place in the room that reads files, its own."""

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any


def table(folder: str, name: str) -> dict[str, Any]:
    """Return a TOML file of a folder of this package."""
    return tomllib.loads((files("protocols") / folder / name).read_text("utf-8"))


def tables(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the TOML files of a folder, in order of their names, with the names."""
    for name in sorted(entry.name for entry in (files("protocols") / folder).iterdir()):
        if name.endswith(".toml"):
            yield name, table(folder, name)
