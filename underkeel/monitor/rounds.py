"""Rounds: every chain read whole and on disk since the round before."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from underkeel.config.monitor import MonitorTable
from underkeel.portfolio import ChainReport

GRACE_S: Final = 120.0
"""How long a chain may be silent beyond what its pace explains, before it counts as late."""


class Rounds:
    """Who was read since when; safe between threads."""

    def __init__(
        self, names: tuple[str, ...], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        now = monotonic()
        self._good = dict.fromkeys(names, now)
        """When each was read whole and written last; at first, when we began."""
        self._faults = dict.fromkeys(names, "")
        self._open = set(names)
        """Chains that the present round still lacks."""

    def seen(self, report: ChainReport, *, on_disk: bool) -> None:
        """Take note of a chain's reading."""
        with self._lock:
            self._faults[report.name] = report.cause
            if report.fault is None and on_disk:
                self._good[report.name] = self._monotonic()
                self._open.discard(report.name)

    def complete(self) -> bool:
        """Tell whether a round is complete, and begin the next one if so."""
        with self._lock:
            if self._open or not self._good:
                return False
            self._open = set(self._good)
            return True

    def silent(self, table: MonitorTable) -> dict[str, str]:
        """Return the chains that nobody has read for too long, and for how long."""
        limit = GRACE_S + float(max(table.calm_every, table.every or 0))
        now = self._monotonic()
        with self._lock:
            return {
                name: f"not read for {now - at:.0f} s"
                for name, at in self._good.items()
                if now - at > limit
            }

    def late(self, table: MonitorTable) -> dict[str, str]:
        """Return the chains that fail, or were not read for too long, and why."""
        silent = self.silent(table)
        with self._lock:
            return silent | {name: cause for name, cause in self._faults.items() if cause}

    def unwatched(self, table: MonitorTable) -> list[str]:
        """Return the chains that are silent and do not even fail: their watchers hang."""
        silent = self.silent(table)
        with self._lock:
            return [name for name in silent if not self._faults.get(name)]
