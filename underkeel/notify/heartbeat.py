"""The dead-man switch: pinged only for a complete round while messages can be delivered.

Nothing here pings by itself. Somebody who sees everything calls `beat`; where nobody does, or what
they say is not well, there is silence, and the switch at the other end tells of it.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from underkeel.config.channels import HeartbeatTable
from underkeel.notify.times import Times
from underkeel.notify.types import Verdict
from underkeel.notify.wire import Target, send, target, under

log: Final = logging.getLogger(__name__)
AGAIN_S: Final = 5.0
"""The least between two tries, where the last one failed."""
BODY_MOST: Final = 2_000


@dataclass(frozen=True, slots=True)
class HeartbeatStatus:
    """How the pings go; times by the wall clock."""

    place: str
    pings: int = 0
    failures: int = 0
    last_at: float | None = None
    """Of the last ping that was taken."""
    cause: str = ""
    """Why the last ping was not taken, or why none is sent; "" where all is well."""


class Heartbeat:
    """Pings a URL; every failure is logged, counted and shown, and none is raised."""

    def __init__(
        self,
        url: str,
        table: HeartbeatTable,
        stuck: Callable[[], str],
        *,
        times: Times | None = None,
    ) -> None:
        self._table = table
        self._stuck = stuck
        self._times = times or Times()
        self._ping = target(url)
        self._start, self._fail = target(under(url, "/start")), target(under(url, "/fail"))
        self.status = HeartbeatStatus(self._ping.label)
        self._bell = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._said: tuple[bool, str] | None = None
        self._not_before = self._times.steady()
        self._blind = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin; with `signals`, the switch hears of it."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End; no further ping is sent."""
        self._over.set()
        self._bell.set()
        self._thread.join(timeout_s)

    def beat(self, cycle_ok: bool, why: str = "") -> None:
        """Say that a round of all chains is committed, or why it is not complete."""
        with self._lock:
            self._said = (cycle_ok, why)
        self._bell.set()

    def _run(self) -> None:
        if self._table.signals:
            self._sent(self._start, "", counted=False)
        while not self._over.is_set():
            self._bell.wait()
            self._bell.clear()
            with self._lock:
                said, self._said = self._said, None
            if said is not None and not self._over.is_set():
                try:
                    self.hear(*said)
                except Exception:
                    log.exception("heartbeat")

    def hear(self, cycle_ok: bool, why: str = "") -> None:
        """Ping, or do not."""
        trouble = (why or "a round was not complete") if not cycle_ok else self._stuck()
        if trouble:
            self._note(cause=f"no ping: {trouble}")
            if self._table.signals and not self._blind:
                self._blind = self._sent(self._fail, trouble, counted=False)
            return
        now = self._times.steady()
        if now < self._not_before and not self._blind:
            return
        taken = self._sent(self._ping, "", counted=True)
        self._blind = self._blind and not taken
        every = float(self._table.every)
        self._not_before = now + (every if taken else min(every, AGAIN_S))

    def _sent(self, to: Target, body: str, *, counted: bool) -> bool:
        outcome = send(
            to, self._table.method, {"Accept": "*/*", "Content-Type": "text/plain; charset=utf-8"},
            body[:BODY_MOST].encode() if self._table.method == "POST" else b"",
            self._table.timeout,
        )  # fmt: skip
        taken = outcome.verdict is Verdict.DELIVERED
        if not taken:
            log.warning("heartbeat: %s", outcome.cause)
        if counted:
            self._note(ping=taken, cause=outcome.cause)
        return taken

    def _note(self, *, cause: str, ping: bool | None = None) -> None:
        was = self.status
        self.status = HeartbeatStatus(
            was.place,
            was.pings + (ping is True),
            was.failures + (ping is False),
            self._times.wall() if ping else was.last_at,
            cause,
        )
