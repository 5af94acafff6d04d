"""The delivery of all channels: a thread each, so that one that hangs delays no other."""

import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from underkeel.notify import queue, telling
from underkeel.notify.lane import ChannelHealth, Fence, Lane
from underkeel.notify.times import Times
from underkeel.notify.types import Channel
from underkeel.store.errors import StoreError
from underkeel.store.store import Store

log: Final = logging.getLogger(__name__)
STUCK_S: Final = 120.0
"""Seconds without a step after which a lane counts as stuck."""


def unfenced(db: Connection) -> None:
    """Check no lock: for a process that sends only what it put itself."""


class Delivery:
    """Takes from the outbox what waits, until it is stopped.

    With `fence`, which checks the service's lock in every transaction, it is the only delivery of
    the service, and takes over at once what an earlier one was sending when it ended.
    """

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        *,
        fence: Fence | None = None,
        times: Times | None = None,
    ) -> None:
        self._store = store
        self._times = times or Times(wall=store.clock)
        self._channels = channels
        self._stop = threading.Event()
        prefix = queue.SERVICE if fence is not None else "alone/"
        who = prefix + uuid.uuid4().hex
        self.lanes: Mapping[str, Lane] = {
            name: Lane(
                store, channel, [other for other in channels if other != name],
                who=who, fence=fence or unfenced, times=self._times,
            )
            for name, channel in channels.items()
        }  # fmt: skip
        self._fence = fence or unfenced
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin; what waits for channels that are gone is told on those that are there."""
        try:
            self._strangers()
        except StoreError as error:  # the lanes say so too, and go on trying
            log.warning("delivery: %s", error)
        for name, lane in self.lanes.items():
            thread = threading.Thread(
                target=lane.run, args=(self._stop,), name=f"notify-{name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def wake(self) -> None:
        """Say that something was put."""
        for lane in self.lanes.values():
            lane.bell.set()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End, after what is being sent; returns whether that ended in time.

        What had not is sent again at the next start.
        """
        self._stop.set()
        self.wake()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def health(self) -> dict[str, ChannelHealth]:
        """Return how every channel does."""
        try:
            with self._store.reading() as db:
                waiting = queue.backlog(db)
        except StoreError:
            waiting = {}
        return {
            name: lane.look(waiting[name].count if name in waiting else 0)
            for name, lane in self.lanes.items()
        }

    def totals(self) -> dict[tuple[str, str], int]:
        """Return the attempts since the start, by channel and outcome; they only grow."""
        return {
            (name, str(outcome)): count
            for name, lane in self.lanes.items()
            for outcome, count in lane.totals.copy().items()
        }

    def stuck(self) -> str:
        """Say why nobody would be told of anything now; "" where somebody would."""
        for name, thread in zip(self.lanes, self._threads, strict=False):
            if not thread.is_alive():
                return f"the delivery to {name} has ended {self.lanes[name].database}".rstrip()
        for name, lane in self.lanes.items():
            if lane.database:
                return f"the outbox cannot be used: {lane.database}"
            if lane.still() > STUCK_S:
                return f"the delivery to {name} hangs"
        failing = [n for n, lane in self.lanes.items() if lane.health.status == "failing"]
        if failing and len(failing) == len(self.lanes):
            return "no channel delivers: " + ", ".join(failing)
        return ""

    def _strangers(self) -> None:
        names: Sequence[str] = list(self._channels)
        with self._store.writing() as db:
            self._fence(db)
            now = self._times.wall()
            found = queue.strangers(db, names, now)
            for channel in dict.fromkeys(name for name, _ in found):
                titles = [title for name, title in found if name == channel]
                telling.Teller(db, channel, names, now).unknown_channel(titles)
