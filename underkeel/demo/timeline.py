"""What happened in the demo, in its order: seconds since the start, block, words."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MARKS: Final = {
    "chain": "◇",
    "price": "↓",
    "read": "○",
    "alert": "!",
    "plan": "→",
    "transaction": "✔",
    "receipt": "✉",
    "service": "·",
}
"""A sign for each kind of entry; the word is always beside it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened."""

    t: float
    """Seconds since the demo began."""
    kind: str
    text: str
    block: int | None = None
    severity: str = ""
    alert: str = ""
    """The alert's key, or its rule where the key is not known."""
    transaction: str | None = None


class Timeline:
    """Collects entries from any thread, and passes each on as it comes."""

    def __init__(
        self,
        hear: Callable[[Entry], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hear = hear
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self.entries: list[Entry] = []

    def add(
        self,
        kind: str,
        text: str,
        *,
        block: int | None = None,
        severity: str = "",
        alert: str = "",
        transaction: str | None = None,
    ) -> None:
        """Add what happened now."""
        with self._lock:
            t = round(self._clock() - self._began, 3)
            entry = Entry(t, kind, text, block, severity, alert, transaction)
            self.entries.append(entry)
            self._hear(entry)
