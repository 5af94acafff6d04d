"""What happens, live: server-sent events with ids, read by one task for all listeners.

`event: event` has the id of the row in `events`, so a browser that was away gets what it missed by
`Last-Event-ID`. `event: snapshot` says that a chain was read again. A listener that does not keep
up is sent away; its browser comes back by itself with the last id it has.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import orjson

from underkeel.store import chains, events
from underkeel.store.errors import StoreError
from underkeel.store.store import Store
from underkeel.web.problems import Refusal
from underkeel.web.reading.alerting import event
from underkeel.web.reading.common import moment

log = logging.getLogger(__name__)

POLL_S: Final = 0.25
BEAT_S: Final = 10.0
RETRY_MS: Final = 2_000
MOST_MISSED: Final = 1_000
"""Events that a listener who comes back is told; of more the newest, after `event: missed`."""
MOST_WAITING: Final = 256
BATCH: Final = 200
Frame = bytes


@dataclass(slots=True, eq=False)
class Listener:
    """One browser."""

    queue: asyncio.Queue[Frame | None] = field(
        default_factory=lambda: asyncio.Queue(MOST_WAITING + 1)
    )
    last: int = 0
    """The newest event that was put; older ones are not put again."""

    def put(self, frame: Frame, id_: int = 0) -> bool:
        """Queue a frame; False where the listener is too slow."""
        if id_ and id_ <= self.last:
            return True
        if self.queue.qsize() >= MOST_WAITING:
            return False
        self.last = max(self.last, id_)
        self.queue.put_nowait(frame)
        return True

    def end(self) -> None:
        """Send the listener away after what is queued."""
        with contextlib.suppress(asyncio.QueueFull):
            self.queue.put_nowait(None)


@dataclass(slots=True)
class Hub:
    """Reads the store while anybody listens, and tells all listeners."""

    store: Store
    most: int
    poll_s: float = POLL_S
    beat_s: float = BEAT_S
    _listeners: set[Listener] = field(default_factory=set)
    _task: asyncio.Task[None] | None = None
    _last: int = 0
    _versions: dict[str, int] = field(default_factory=dict)
    _closed: bool = False

    @property
    def listening(self) -> int:
        """Return how many listen."""
        return len(self._listeners)

    async def listen(self, last_id: int | None) -> AsyncIterator[Frame]:
        """Return the frames for one browser, which had `last_id` as its newest event."""
        if self._closed or len(self._listeners) >= self.most:
            detail = f"{self.most} browsers listen already; ask again, or for /api/v1/events"
            raise Refusal(503, detail, (("Retry-After", "10"),))
        missed, newest, states = await asyncio.to_thread(self._missed, last_id)
        if self._task is None or self._task.done():
            self._last, self._versions = newest, {s.chain: s.version for s in states}
            self._task = asyncio.create_task(self._poll())
        listener = Listener(last=newest)
        self._listeners.add(listener)
        first = [f"retry: {RETRY_MS}\n\n".encode()]
        if last_id is not None and len(missed) == MOST_MISSED:
            first.append(frame("missed", {"since": str(last_id)}))
        first += [event_frame(one) for one in missed]
        first += [snapshot_frame(state) for state in states]
        return self._frames(listener, first)

    async def _frames(self, listener: Listener, first: list[Frame]) -> AsyncIterator[Frame]:
        try:
            for one in first:
                yield one
            while True:
                try:
                    queued = await asyncio.wait_for(listener.queue.get(), self.beat_s)
                except TimeoutError:
                    queued = b": still here\n\n"
                if queued is None:
                    return
                yield queued
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Send everybody away; called in the loop's own thread."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        for listener in list(self._listeners):
            listener.end()

    async def _poll(self) -> None:
        """Read what is new until nobody listens; a store that does not answer is asked again."""
        while self._listeners:
            await asyncio.sleep(self.poll_s)
            try:
                new, states = await asyncio.to_thread(self._new)
            except StoreError as error:
                log.warning("the stream cannot read the store: %s", error)
                self._tell(b": the database does not answer\n\n")
                await asyncio.sleep(self.beat_s / 10)
                continue
            for one in new:
                self._last = max(self._last, one.id)
                self._tell(event_frame(one), one.id)
            for state in states:
                self._versions[state.chain] = state.version
                self._tell(snapshot_frame(state))

    def _tell(self, told: Frame, id_: int = 0) -> None:
        for listener in list(self._listeners):
            if not listener.put(told, id_):
                log.warning("a browser was too slow for the stream")
                self._listeners.discard(listener)
                listener.end()

    def _missed(
        self, last_id: int | None
    ) -> tuple[tuple[events.Event, ...], int, tuple[chains.ChainState, ...]]:
        with self.store.reading() as db:
            newest, states = events.last_id(db), chains.all(db)
            if last_id is None or last_id >= newest:
                return (), newest, states
            missed = events.before(db, None, MOST_MISSED)
        return tuple(one for one in reversed(missed) if one.id > last_id), newest, states

    def _new(self) -> tuple[tuple[events.Event, ...], tuple[chains.ChainState, ...]]:
        with self.store.reading() as db:
            new = events.after(db, self._last, BATCH)
            versions = chains.versions(db)
            if versions == self._versions:
                return new, ()
            states = chains.all(db)
        return new, tuple(s for s in states if self._versions.get(s.chain) != s.version)


def event_frame(one: events.Event) -> Frame:
    """Return an event as the stream carries it: the part of `underkeel.events/1`."""
    return frame("event", event(one).model_dump(mode="json"), one.id)


def snapshot_frame(state: chains.ChainState) -> Frame:
    """Return that a chain was read, or could not be."""
    return frame(
        "snapshot",
        {
            "chain": state.chain,
            "status": state.status,
            "block": None if state.block_number is None else str(state.block_number),
            "at": None if state.read_at is None else moment(state.read_at),
        },
    )


def frame(kind: str, data: object, id_: int | None = None) -> Frame:
    """Return one event of the stream; JSON has no line breaks."""
    head = b"" if id_ is None else f"id: {id_}\n".encode()
    return head + f"event: {kind}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"
