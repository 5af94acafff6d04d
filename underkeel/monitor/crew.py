"""Threads that must not die unnoticed: started, watched, started again, counted."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

log = logging.getLogger(__name__)

HANG_S: Final = 120.0
"""A thread that gives no sign of life for so long is given up, and another one is started."""
AGAIN_S: Final = 1.0
MOST_AGAIN_S: Final = 30.0
"""The pause before a thread that died is started again: doubled each time, up to this."""
SETTLED_S: Final = 300.0
"""A thread that has lived so long starts afresh when it dies."""


@dataclass(slots=True)
class Vitals:
    """Signs of life of one thread."""

    monotonic: Callable[[], float] = time.monotonic
    last: float = 0.0

    def __post_init__(self) -> None:
        self.beat()

    def beat(self) -> None:
        """Give a sign of life."""
        self.last = self.monotonic()


Work = Callable[[threading.Event, Vitals], None]
"""What a thread does until the event is set; it beats now and then, waits included."""


@dataclass(slots=True)
class Member:
    """One thread, and those that came before it."""

    name: str
    work: Work
    hang_s: float = HANG_S
    monotonic: Callable[[], float] = time.monotonic
    deaths: int = 0
    cause: str = ""
    """Why it died last."""
    stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _vitals: Vitals = field(default_factory=Vitals)
    _started: float = 0.0
    _again_at: float = 0.0
    _pause_s: float = AGAIN_S

    @property
    def alive(self) -> bool:
        """Whether it runs and gave a sign of life lately."""
        return self._running() and not self._hangs()

    def start(self) -> None:
        """Start a new thread; an older one, if it still breathes, finds its event set."""
        self.stop = threading.Event()
        self._vitals = Vitals(self.monotonic)
        self._started = self.monotonic()
        args = (self.stop, self._vitals)
        self._thread = threading.Thread(target=self._run, args=args, name=self.name, daemon=True)
        self._thread.start()

    def look(self) -> str:
        """Start it again if it died or hangs; return what happened, in words, or nothing."""
        if self._thread is not None:
            if self.alive:
                return ""
            self._bury()
            return f"{self.name} died ({self.cause}); it is started again"
        if self.monotonic() >= self._again_at:
            self.start()
        return ""

    def join(self, timeout_s: float) -> bool:
        """Wait for it to end; return whether it has."""
        if self._thread is not None:
            self._thread.join(max(0.0, timeout_s))
        return not self._running()

    def _run(self, stop: threading.Event, vitals: Vitals) -> None:
        try:
            self.work(stop, vitals)
            cause = "it ended by itself"
        except BaseException as fault:  # told by the supervisor, and started again
            log.exception("%s failed", self.name)
            cause = f"{type(fault).__name__}: {fault}"
        if not stop.is_set():
            self.cause = cause

    def _bury(self) -> None:
        if self._running():
            self.cause = f"no sign of life for {self.hang_s:.0f} s"
        self.stop.set()
        self.deaths += 1
        self._thread = None
        now = self.monotonic()
        if now - self._started > SETTLED_S:
            self._pause_s = AGAIN_S
        self._again_at = now + self._pause_s
        self._pause_s = min(2 * self._pause_s, MOST_AGAIN_S)

    def _running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _hangs(self) -> bool:
        return self.monotonic() - self._vitals.last > self.hang_s


class Crew:
    """All threads of the service."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.members: list[Member] = []
        self._monotonic = monotonic

    def add(self, name: str, work: Work, hang_s: float = HANG_S) -> Member:
        """Take in a thread, not yet started."""
        member = Member(name, work, hang_s, self._monotonic)
        self.members.append(member)
        return member

    def start(self) -> None:
        """Start every thread."""
        for member in self.members:
            member.start()

    def look(self) -> list[str]:
        """Start again what died; return what happened."""
        return [told for member in self.members if (told := member.look())]

    def dead(self) -> list[str]:
        """Return the names of threads that do not run."""
        return [member.name for member in self.members if not member.alive]

    def stop(self, timeout_s: float) -> list[str]:
        """End every thread; return the names of those that do not end in time."""
        for member in self.members:
            member.stop.set()
        deadline = self._monotonic() + timeout_s
        return [m.name for m in self.members if not m.join(deadline - self._monotonic())]
