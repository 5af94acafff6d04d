"""Follow the head of a chain: by polling, woken earlier by a WebSocket, with reorgs told apart.

The WebSocket only says that it is time to look. The head itself always comes from
`Client.head`, which checks chain id, age and regressions; so a lying or silent subscription
costs time and nothing else. Without one, or while it is down, the head is polled.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from chain.client import Client
from chain.errors import (
    BlockUnknown,
    ChainError,
    EndpointError,
    Malformed,
    NotJson,
    Standstill,
    TimedOut,
    Unreachable,
    WrongChain,
)
from chain.transport import label_of
from chain.types import BlockRef
from chain.wire import quantity

log = logging.getLogger(__name__)

RING: Final = 128
"""Blocks remembered; a deeper reorg is told as one without a common ancestor."""
TROUBLED_S: Final = 30.0
"""The longest pause between two attempts while no head can be had."""
_QUIET: Final = logging.getLogger("chain.heads.ws")
_QUIET.setLevel(logging.WARNING)  # the library's debug lines quote the path: an API key
GAP: Final = 16
"""Blocks behind from which is asked whether the old tip still stands, instead of walking to it."""


@dataclass(frozen=True, slots=True)
class HeadChange:
    """The head moved."""

    head: BlockRef
    ancestor: BlockRef | None
    """The last block that the old and the new chain share; None at the start and where it is
    older than what is remembered."""
    dropped: tuple[BlockRef, ...]
    """Blocks that left the chain, oldest first."""
    added: tuple[BlockRef, ...]
    """Blocks that joined it, oldest first, the head last."""
    missed: int = 0
    """Blocks between `ancestor` and `added` that were not looked at."""


@dataclass(frozen=True, slots=True)
class HeadTrouble:
    """No new head could be had."""

    cause: ChainError
    silent_s: float
    """How long ago the last new head was seen."""


class Ring:
    """The most recent blocks of one chain, linked by parent hash."""

    def __init__(self, size: int = RING) -> None:
        self._size = size
        self._blocks: list[BlockRef] = []

    @property
    def tip(self) -> BlockRef | None:
        """The newest block; None before the first."""
        return self._blocks[-1] if self._blocks else None

    def advance(self, head: BlockRef, fetch: Callable[[int | str], BlockRef]) -> HeadChange | None:
        """Take a new head; return what changed, None if nothing did.

        `fetch` gets a block by hash, or by its number in the chain as it is now. Raises what
        `fetch` raises, and `Malformed` for a block that is not the parent it should be; nothing
        is changed then.
        """
        if self.tip is None:
            self._blocks = [head]
            return HeadChange(head, None, (), (head,))
        if head.hash == self.tip.hash:
            return None
        if head.number - self.tip.number > min(GAP, self._size):
            return self._leap(head, fetch)
        places = {block.hash: i for i, block in enumerate(self._blocks)}
        added = [head]
        while added[-1].hash not in places and added[-1].parent_hash not in places:
            child = added[-1]
            if child.number <= self._blocks[0].number:
                change = HeadChange(head, None, tuple(self._blocks), tuple(reversed(added)))
                self._blocks = list(change.added)[-self._size :]
                return change
            parent = fetch(child.parent_hash)
            if parent.hash != child.parent_hash or parent.number != child.number - 1:
                raise Malformed("the node", f"a parent of block {child} that is not its parent")
            added.append(parent)
        if added[-1].hash in places:  # the chain went back to a block we had
            keep = places[added.pop().hash] + 1
        else:
            keep = places[added[-1].parent_hash] + 1
        dropped = tuple(self._blocks[keep:])
        change = HeadChange(head, self._blocks[keep - 1], dropped, tuple(reversed(added)))
        self._blocks = [*self._blocks[:keep], *change.added][-self._size :]
        return change

    def _leap(self, head: BlockRef, fetch: Callable[[int | str], BlockRef]) -> HeadChange:
        """Take a head too far ahead to walk to; the old blocks are asked for, newest first."""
        for i in range(len(self._blocks) - 1, -1, -1):
            try:
                if fetch(self._blocks[i].number) != self._blocks[i]:
                    continue
            except BlockUnknown:
                continue
            ancestor, dropped = self._blocks[i], tuple(self._blocks[i + 1 :])
            self._blocks = [*self._blocks[: i + 1], head][-self._size :]
            missed = head.number - ancestor.number - 1
            return HeadChange(head, ancestor, dropped, (head,), missed)
        dropped, self._blocks = tuple(self._blocks), [head]
        return HeadChange(head, None, dropped, (head,))


class Bell(Protocol):
    """Something that says when to look."""

    def wait(self, seconds: float) -> bool:
        """Return True as soon as there is a new head, False after so many seconds."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class WebSocketBell:
    """A `newHeads` subscription. Raises `EndpointError` wherever the connection fails."""

    def __init__(self, url: str, chain_id: int, timeout_s: float = 10.0) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        self.label = label_of(url)
        self._failures = (WebSocketException, OSError, EOFError)
        self._stack = ExitStack()
        try:
            self._socket = self._stack.enter_context(
                connect(url, open_timeout=timeout_s, max_size=1 << 20, logger=_QUIET, proxy=None)
            )
        except TimeoutError:
            raise TimedOut(self.label, timeout_s) from None
        except self._failures:
            raise Unreachable(self.label, "the WebSocket could not be opened") from None
        try:
            got = quantity(self.label, self._ask(1, "eth_chainId", [], timeout_s))
            if got != chain_id:
                raise WrongChain(self.label, chain_id, got)
            self._subscription = self._ask(2, "eth_subscribe", ["newHeads"], timeout_s)
        except BaseException:
            self.close()
            raise

    def _ask(self, number: int, method: str, params: list[Any], timeout_s: float) -> Any:
        ask = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self._send(orjson.dumps(ask).decode())
        deadline = time.monotonic() + timeout_s
        while True:
            message = self._receive(deadline - time.monotonic())
            if message is None:
                raise TimedOut(self.label, timeout_s)
            if message.get("id") == number:
                if "result" not in message:
                    raise Malformed(self.label, f"no answer to {method}")
                return message["result"]

    def _send(self, text: str) -> None:
        try:
            self._socket.send(text)
        except self._failures:
            raise Unreachable(self.label, "the WebSocket broke") from None

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        try:
            text = self._socket.recv(timeout=max(seconds, 0.0))
        except TimeoutError:
            return None
        except self._failures:
            raise Unreachable(self.label, "the WebSocket broke") from None
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise NotJson(self.label, "a message that is no JSON") from None
        if not isinstance(message, dict):
            raise Malformed(self.label, "a message that is no object")
        return message

    def wait(self, seconds: float) -> bool:
        """Return True at the next notification, False after so many seconds."""
        message = self._receive(seconds)
        if message is None:
            return False
        params = message.get("params")
        return isinstance(params, dict) and params.get("subscription") == self._subscription

    def close(self) -> None:
        """Close the connection."""
        self._stack.close()


class Heads:
    """The head of one chain, change by change."""

    def __init__(
        self,
        client: Client,
        *,
        poll_s: float | None = None,
        silence_s: float | None = None,
        ring: Ring | None = None,
        bell: Callable[[], Bell] | None = None,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        block_s = client.network.block_time_s if client.network else 12.0
        self._client = client
        self._poll_s = poll_s or min(max(block_s, 1.0), 12.0)
        self._silence_s = silence_s or max(5 * block_s, 30.0)
        self._ring = ring or Ring()
        self._open = bell
        self._clock = clock
        self._dice = dice
        url = client.spec.ws
        if bell is None and url is not None:
            self._open = lambda: WebSocketBell(url, client.chain_id, client.spec.timeout_s)

    def follow(self, stop: threading.Event) -> Iterator[HeadChange | HeadTrouble]:
        """Yield every change of the head, and trouble, until `stop` is set.

        Trouble is told at once when a head cannot be had, and every `silence_s` while the chain
        stands still; while it lasts, heads are asked for ever more rarely, at random times, up to
        `TROUBLED_S` apart. A subscription that fails or stays silent is given up, polling goes
        on, and it is tried again after each `silence_s`.
        """
        bell: Bell | None = None
        seen = rung = self._clock()
        retry_at = 0.0
        told = seen
        failures = 0
        try:
            while not stop.is_set():
                if bell is None and self._open is not None and self._clock() >= retry_at:
                    retry_at = self._clock() + self._silence_s
                    bell = self._try_open()
                    rung = self._clock()
                try:
                    change = self._ring.advance(self._client.head(), self._client.block)
                except ChainError as error:
                    told = self._clock()
                    failures += 1
                    yield HeadTrouble(error, told - seen)
                    stop.wait(self._pause(failures))
                    continue
                else:
                    failures = 0
                    if change is not None:
                        seen = told = self._clock()
                        yield change
                    elif self._clock() - told >= self._silence_s:
                        told = self._clock()
                        yield HeadTrouble(self._standstill(told - seen), told - seen)
                if bell is None:
                    stop.wait(self._poll_s)
                    continue
                try:
                    if self._wait(bell, stop):
                        rung = self._clock()
                    elif self._clock() - rung >= self._silence_s:
                        raise TimedOut("the subscription", self._silence_s)
                except EndpointError as error:
                    log.warning("%s: %s; polling instead", self._client.spec.name, error)
                    bell.close()
                    bell = None
        finally:
            if bell is not None:
                bell.close()

    def _pause(self, failures: int) -> float:
        """Return how long to leave the endpoints alone after so many failures in a row."""
        most = max(TROUBLED_S, self._poll_s)
        longest = float(min(most, self._poll_s * 2.0 ** min(failures - 1, 16)))
        return longest * (0.5 + self._dice() / 2)

    def _try_open(self) -> Bell | None:
        assert self._open is not None
        try:
            return self._open()
        except EndpointError as error:
            log.warning("%s: %s; polling instead", self._client.spec.name, error)
            return None

    def _wait(self, bell: Bell, stop: threading.Event) -> bool:
        """Wait for the bell at most one poll interval longer than it needs, or for `stop`."""
        deadline = self._clock() + 3 * self._poll_s
        while not stop.is_set() and (left := deadline - self._clock()) > 0:
            if bell.wait(min(left, 0.5)):
                return True
        return False

    def _standstill(self, silent_s: float) -> Standstill:
        tip = self._ring.tip
        label = ", ".join(e.label for e in self._client.pool.endpoints)
        number = tip.number if tip else 0
        return Standstill(label, number, int(silent_s), int(self._silence_s))
