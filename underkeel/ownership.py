"""Refuse to run when a room of ours is somebody else's package.

The rooms are top-level packages with plain names, and other distributions have such names too.
Running with one of theirs in place of ours would be running unknown code next to keys.
"""

import importlib.util
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

from underkeel.errors import AppError

ROOMS: Final = ("chain", "protocols", "risk", "executor")
OURS: Final = "underkeel"


class ForeignRoom(AppError):
    """A package with the name of a room belongs to another distribution."""

    def __init__(self, room: str, owner: str) -> None:
        super().__init__(
            f"the package {room!r} belongs to {owner}, not to underkeel; uninstall that, or "
            "install underkeel into an environment of its own (python -m venv)"
        )
        self.room = room
        self.owner = owner


@cache
def installed() -> Mapping[str, list[str]]:
    """Return the distributions of every top-level package; read once, as it takes a while."""
    return packages_distributions()


def check_rooms(
    owners: Callable[[], Mapping[str, list[str]]] = installed,
    home: Path | None = None,
) -> None:
    """Raise `ForeignRoom` when a room is owned by, or imported from, another distribution."""
    found = owners()
    for room in ROOMS:
        for owner in found.get(room, ()):
            if owner.lower().replace("_", "-") != OURS:
                raise ForeignRoom(room, f"the distribution {owner!r}")
    home = Path(__file__).resolve().parent.parent if home is None else home
    for room in ROOMS:
        place = room_folder(room)
        if place is not None and place != home / room:
            raise ForeignRoom(room, f"the folder {place.parent}")


def room_folder(room: str) -> Path | None:
    """Return the folder a room is imported from; None where there is none."""
    spec = importlib.util.find_spec(room)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).resolve().parent
