"""Keep on disk what a chain was asked last time, so that the next reading needs one request.

A file per chain in the cache folder. It holds questions, never answers: one that is lost,
damaged, or of another program costs a few requests and nothing else.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from chain.prefetch import Foresight
from chain.types import Address
from underkeel.cache import write_whole

MOST_BYTES: Final = 16_000_000
"""A larger file is not ours to trust, and not worth the time of reading it."""


def name_of(accounts: Iterable[Address]) -> str:
    """Return the name under which the reads for these accounts are remembered."""
    return hashlib.sha256("\n".join(sorted(accounts)).encode()).hexdigest()[:16]


def remembered(folder: Path, chain_id: int) -> Foresight:
    """Return the memory of a chain; one that is absent or damaged is empty."""
    path = _path(folder, chain_id)
    try:
        if path.stat().st_size > MOST_BYTES:
            return Foresight()
        return Foresight.load(path.read_bytes())
    except OSError:
        return Foresight()


def remember(folder: Path, chain_id: int, foresight: Foresight) -> None:
    """Write the memory whole or not at all; a full disk is no reason to fail a reading."""
    if not foresight.changed:
        return
    if write_whole(_path(folder, chain_id), foresight.dump()):
        foresight.changed = False


def _path(folder: Path, chain_id: int) -> Path:
    return folder / "reads" / f"{chain_id}.json"
