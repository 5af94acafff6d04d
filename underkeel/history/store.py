"""Rounds on disk: a file per chain, feed and phase that is only ever appended to.

A record is 40 bytes and carries its own check, so one that is torn, damaged or misplaced is left
out and read again; a lost file costs reads and nothing else. Rounds younger than the chain's
finality are not kept: a reorganisation may still take them back.
"""

import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chain.types import Address
from protocols.prices.state import Round
from underkeel.cache import read_own

RECORD: Final = np.dtype(
    [("n", "<u8"), ("updated_at", "<u8"), ("low", "<u8"), ("high", "<u8"), ("check", "<u8")]
)
MAGIC: Final = np.uint64(0x756E6465726B6565)
MIX: Final = tuple(
    np.uint64(k)
    for k in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
)
MOST_BYTES: Final = 64_000_000
"""A larger file is not ours to trust."""


@dataclass(frozen=True, slots=True)
class Store:
    """The rounds of one chain that were read before."""

    folder: Path
    """The cache."""
    chain_id: int

    def load(self, feed: Address, phase: int) -> dict[int, Round]:
        """Return what is known of a phase by the proxy's round id; empty where nothing is."""
        path = self._path(feed, phase)
        with suppress(OSError):
            if path.stat().st_size > MOST_BYTES:
                return {}
        raw = read_own(path) or b""
        found = np.frombuffer(raw[: len(raw) // RECORD.itemsize * RECORD.itemsize], RECORD)
        found = found[found["check"] == _check(found)]
        base = phase << 64
        columns = (found[name].tolist() for name in ("n", "updated_at", "low", "high"))
        return {
            base + n: Round(base + n, high << 64 | low, updated)
            for n, updated, low, high in zip(*columns, strict=True)
        }

    def add(self, feed: Address, phase: int, rounds: Iterable[Round]) -> None:
        """Append rounds of one phase; a full disk is no reason to fail what they were for."""
        rows = [
            (r.id % 2**64, r.updated_at, r.answer % 2**64, r.answer >> 64, 0)
            for r in rounds
            if r.answer < 2**128 and r.updated_at < 2**64
        ]
        if not rows:
            return
        records = np.array(rows, RECORD)
        records["check"] = _check(records)
        path = self._path(feed, phase)
        with suppress(OSError):
            path.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                size = os.fstat(file.fileno()).st_size
                if size % RECORD.itemsize:  # the last writer was cut off
                    file.truncate(size // RECORD.itemsize * RECORD.itemsize)
                file.write(records.tobytes())

    def forget(self, feed: Address, phase: int) -> None:
        """Remove a phase whose rounds are not those of the chain."""
        with suppress(OSError):
            self._path(feed, phase).unlink(missing_ok=True)

    def _path(self, feed: Address, phase: int) -> Path:
        return self.folder / "rounds" / f"{self.chain_id}-{feed.lower()}-{phase}.bin"


def _check(records: NDArray[np.void]) -> NDArray[np.uint64]:
    """Return a number that another record, or this one shifted by a byte, hardly ever has."""
    found = np.full(len(records), MAGIC)
    for name, k in zip(("n", "updated_at", "low", "high"), MIX, strict=True):
        found = (found ^ records[name]) * k
        found ^= found >> np.uint64(29)
    return found
