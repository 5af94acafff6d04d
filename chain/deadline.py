"""Cut connections whose time is over, however slowly their bytes drip.

A socket's own timeout starts anew with every byte, and a server that drips its status line, its
headers or the sizes of its chunks could hold a read for days. One thread watches all exchanges
under way: a timer of its own for each would cost more than a short exchange does.
"""

import heapq
import itertools
import os
import socket
import threading
import time
from contextlib import suppress
from typing import Final

SPARE: Final = 64
"""Alarms that were stopped and are still listed, above which the list is cleared of them."""


class Alarm:
    """Cuts the connection of one exchange when its time is over."""

    def __init__(self, seconds: float) -> None:
        self.rang = False
        self.stopped = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        _watch.add(self, time.monotonic() + seconds)

    def watch(self, connection: socket.socket | None) -> None:
        """Cut this one; None lets go, because the connection is about to serve another."""
        with self._lock:
            self._socket = connection
            if self.rang:
                self._cut()

    def stop(self) -> None:
        """Ring no more."""
        with self._lock:
            self.stopped = True
            self._socket = None
        _watch.stopped()

    def ring(self) -> None:
        """Cut what is watched, and all that is to be watched."""
        with self._lock:
            self.rang = not self.stopped
            self._cut()

    def _cut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                # the plain socket's: TLS would want to say goodbye first
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Watch:
    """The alarms that may have to ring, the earliest first, and the thread that rings them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._order = itertools.count()
        self._spare = 0
        self._thread: threading.Thread | None = None

    def add(self, alarm: Alarm, due: float) -> None:
        with self._changed:
            entry = (due, next(self._order), alarm)
            heapq.heappush(self._alarms, entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif self._alarms[0] is entry:
                self._changed.notify()

    def stopped(self) -> None:
        with self._changed:
            self._spare += 1
            if self._spare > SPARE + len(self._alarms) // 2:
                self._alarms = [entry for entry in self._alarms if not entry[2].stopped]
                heapq.heapify(self._alarms)
                self._spare = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                left = self._alarms[0][0] - time.monotonic() if self._alarms else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                _, _, alarm = heapq.heappop(self._alarms)
                if alarm.stopped:
                    self._spare = max(0, self._spare - 1)
            alarm.ring()


_watch = _Watch()


def _forked() -> None:
    """Begin anew in a child process: threads do not come along."""
    global _watch
    _watch = _Watch()


os.register_at_fork(after_in_child=_forked)
