"""A small file beside the journal that tells whether the journal has gone back in time.

Every commit of signed bytes counts a sequence up; the mark is written after the commit and before
anything is sent. A journal whose sequence is below its mark lost commits: it was restored from a
backup, or its log was torn. One whose instance is another was put in the place of the first.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from executor.journal.errors import NotWritten


@dataclass(frozen=True, slots=True)
class Mark:
    """What the file holds."""

    instance: str
    sequence: int


def read(path: Path) -> Mark | None:
    """Return the mark; None where there is none. An unreadable one counts as another journal's."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        values = orjson.loads(text)
        return Mark(str(values["instance"]), int(values["sequence"]))
    except (ValueError, KeyError, TypeError):
        return Mark("unreadable", 0)


def write(path: Path, mark: Mark) -> None:
    """Replace the file and make sure that it is on disk; raises `NotWritten`."""
    old = read(path)
    if old is not None and old.instance == mark.instance and old.sequence >= mark.sequence:
        return
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    text = orjson.dumps({"instance": mark.instance, "sequence": mark.sequence})
    try:
        with fresh.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise NotWritten(f"its mark: {error.strerror}") from None
