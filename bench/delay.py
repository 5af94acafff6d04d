"""A TCP proxy on loopback that adds latency and counts what passes.

    with Delay("http://127.0.0.1:8545", round_trip_s=0.1) as proxy:
        client = connect(…, proxy.url)

Every byte takes half a round trip longer in either direction, and a new connection one round trip
more before its first byte, as the handshake does. Bandwidth and slow start are not modelled: a
real line is worse for large bodies and cold connections.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

PIECE = 1 << 20
MARK = b"GET /mark"
"""A request that sets the counters to nothing: sent by a reader that has warmed up."""


class Delay:
    """One listening proxy, in a thread of its own."""

    def __init__(self, upstream: str, round_trip_s: float = 0.0) -> None:
        parts = urlsplit(upstream)
        self._upstream = (str(parts.hostname), int(parts.port or 80))
        self._half = round_trip_s / 2
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self.bytes_up = self.bytes_down = self.posts = self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Count from nothing again."""
        self.bytes_up = self.bytes_down = self.posts = self.connections = 0

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=PIECE)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        far_reader, far = await asyncio.open_connection(*self._upstream, limit=PIECE)
        try:
            await asyncio.gather(
                self._carry(near, far, up=True, handshake=2 * self._half),
                self._carry(far_reader, back, up=False),
            )
        except asyncio.CancelledError:
            pass  # we are closing; asyncio would report it as a fault of the connection
        finally:
            for writer in (far, back):
                writer.close()

    async def _carry(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        *,
        up: bool,
        handshake: float = 0.0,
    ) -> None:
        """Pass pieces on, each when its time has come, without holding back the next."""
        pending: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        opened = self._loop.time() + handshake

        async def deliver() -> None:
            while True:
                due, piece = await pending.get()
                wait = due - self._loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                if not piece:
                    with suppress(OSError):
                        target.write_eof()
                    return
                target.write(piece)
                with suppress(ConnectionError):
                    await target.drain()

        delivery = asyncio.ensure_future(deliver())
        tail = b""
        try:
            while True:
                try:
                    piece = await source.read(PIECE)
                except ConnectionError:
                    piece = b""
                if up:
                    self.bytes_up += len(piece)
                    if MARK in tail + piece:
                        self.reset()
                    self.posts += (tail + piece).count(b"POST /")
                    tail = piece[-5:]
                else:
                    self.bytes_down += len(piece)
                pending.put_nowait((max(self._loop.time(), opened) + self._half, piece))
                if not piece:
                    await delivery
                    return
        finally:
            delivery.cancel()
