"""One endpoint: what it serves, what it bears, and how well it does.

`post` sends a batch as one POST and checks the answer; it does not retry. What it learns about
the endpoint's limits stays in `limits` for as long as the process lives.
"""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from chain import wire
from chain.chunks import Chunker
from chain.errors import (
    BadStatus,
    EndpointError,
    LimitExceeded,
    Malformed,
    NotJson,
    RateLimited,
    Refused,
    RpcError,
    TimedOut,
    TooLarge,
    Unreachable,
    WrongChain,
)
from chain.transport import Response, Transport
from chain.wire import Ask

HALF_LIFE_S: Final = 30.0
"""After so long without a failure an endpoint's penalty is half."""


class Path(IntEnum):
    """How reads reach the chain, best first."""

    OVERRIDE = 0
    INITCODE = 1
    MULTICALL3 = 2
    SINGLE = 3


class Pin(IntEnum):
    """How a read names its block, strictest first."""

    CANONICAL = 0
    """EIP-1898 with requireCanonical."""
    HASH = 1
    """EIP-1898 without it."""
    NUMBER = 2
    """By number; the hash at that number is read again afterwards."""


@dataclass(slots=True)
class Limits:
    """What one endpoint was found to bear."""

    batch: int = 500
    """Entries in one POST; 1 where batches are refused."""
    batch_doubts: int = 0
    """Batches in a row that came back as if batches were refused."""
    body: int = 2_000_000
    """Bytes of one POST."""
    gas: int | None = None
    """Gas to ask for; None lets the node give what it gives."""
    chunk: int = 256
    """Reads in one eth_call."""
    ceiling: int = 4_000
    """What `chunk` may grow to; lowered by every refusal, raised again by successes."""
    good: int = 0
    """Runs without a refusal since the ceiling moved."""
    span: int = 10_000
    """Blocks in one eth_getLogs."""
    path: Path = Path.OVERRIDE
    pin: Pin = Pin.CANONICAL
    doubts: int = 0
    """Answers in a row that look as if the path were not supported."""
    path_proven: bool = False
    simulates: bool = True
    """Whether it knows eth_simulateV1, as far as we know."""
    lenses: dict[str, Chunker] = field(default_factory=dict)
    """By lens and mode: how many accounts one eth_call bears."""


@dataclass(slots=True)
class Stats:
    """What travelled."""

    posts: int = 0
    requests: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    failures: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, requests: int, up: int, down: int, failed: bool) -> None:
        """Count one POST."""
        with self._lock:
            self.posts += 1
            self.requests += requests
            self.bytes_up += up
            self.bytes_down += down
            self.failures += failed


class Endpoint:
    """One URL of one chain."""

    def __init__(
        self,
        transport: Transport,
        chain_id: int,
        *,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        stats: Stats | None = None,
    ) -> None:
        self.transport = transport
        self.label = transport.label
        self.chain_id = chain_id
        self.limits = Limits()
        self.stats = stats or Stats()
        self.outcomes: Counter[str] = Counter()
        """POSTs by how they ended: `ok`, or the name of the error."""
        self._timeout_s = timeout_s
        self._clock = clock
        self._lock = threading.Lock()
        self._verified = False
        self._penalty = 0.0
        self._penalty_at = 0.0
        self._rest_until = 0.0

    def __repr__(self) -> str:
        return f"Endpoint({self.label})"

    @property
    def penalty(self) -> float:
        """How badly it did lately; halves every `HALF_LIFE_S`."""
        with self._lock:
            halvings = (self._clock() - self._penalty_at) / HALF_LIFE_S
            return self._penalty * float(0.5**halvings)

    @property
    def rest_s(self) -> float:
        """Seconds it asked to be left alone for, from now."""
        with self._lock:
            return max(0.0, self._rest_until - self._clock())

    def failed(self, error: EndpointError) -> None:
        """Count a failure against it."""
        penalty, now = self.penalty, self._clock()
        with self._lock:
            heavy = 8.0 if isinstance(error, WrongChain | Refused) else 1.0
            self._penalty, self._penalty_at = min(penalty + heavy, 16.0), now
            if isinstance(error, RateLimited) and error.retry_after_s is not None:
                self._rest_until = now + error.retry_after_s

    def succeeded(self) -> None:
        """Count a success for it."""
        penalty, now = self.penalty, self._clock()
        with self._lock:
            self._penalty, self._penalty_at = penalty / 2 if penalty > 0.01 else 0.0, now

    def post(
        self, asks: Sequence[Ask], *, verify: bool = False, stats: Stats | None = None
    ) -> list[Any]:
        """Return each result as JSON, or the `RpcError` in its place, in the order of `asks`.

        The chain id rides along on the first POST, on the first after a lost connection, and
        where `verify` asks for it. Splits what is over the endpoint's batch size. Raises an
        `EndpointError` where the POST as a whole, or its rate, failed.
        """
        check = verify or not self._verified
        todo = [Ask("eth_chainId", []), *asks] if check else list(asks)
        answers: list[Any] = []
        try:
            while len(answers) < len(todo):
                rest = todo[len(answers) :]
                answers += self._send(rest[: self.limits.batch], stats)
                if check:
                    self._check_chain(answers[0])
                    check = False
                    answers, todo = answers[1:], todo[1:]
        except (Unreachable, TimedOut):
            self._verified = False
            raise
        return answers

    def _check_chain(self, answer: Any) -> None:
        if isinstance(answer, EndpointError):
            raise answer
        got = wire.quantity(self.label, answer)
        self._verified = got == self.chain_id
        if not self._verified:
            raise WrongChain(self.label, self.chain_id, got)

    def _send(self, asks: Sequence[Ask], stats: Stats | None) -> list[Any]:
        """Send one POST; where a batch is refused or too large, send less and remember."""
        batch = len(asks) > 1
        try:
            return self._exchange(asks, batch, stats)
        except (TooLarge, LimitExceeded):
            if not batch:
                raise
            answers = self._send(asks[: len(asks) // 2], stats)
            self.limits.batch = min(self.limits.batch, len(answers))
            return answers
        except (BadStatus, wire.NotABatch, RpcError) as refusal:
            if not batch or (
                isinstance(refusal, BadStatus) and refusal.status not in (400, 405, 415, 422, 501)
            ):
                raise
            first = self._exchange(asks[:1], False, stats)  # if this fails too, it is no refusal
            self.limits.batch_doubts += 1
            if self.limits.batch_doubts > 1:
                self.limits.batch = 1
            return first

    def _exchange(self, asks: Sequence[Ask], batch: bool, stats: Stats | None) -> list[Any]:
        outcome = "ok"
        try:
            return self._exchanged(asks, batch, stats)
        except EndpointError as error:
            outcome = type(error).__name__
            raise
        finally:
            with self._lock:
                self.outcomes[outcome] += 1

    def _exchanged(self, asks: Sequence[Ask], batch: bool, stats: Stats | None) -> list[Any]:
        body, ids = wire.encode(asks, batch=batch)
        response: Response | None = None
        answers: list[Any] = []
        try:
            response = self.transport.post(body, self._timeout_s)
            self._check_status(response)
            answers = wire.decode(self.label, response.body, ids)
            for i, answer in enumerate(answers):
                if isinstance(answer, RateLimited | Malformed):
                    raise answer
                if isinstance(answer, RpcError):
                    answers[i] = self._redacted(answer)
            if batch:
                self.limits.batch_doubts = 0
        except RpcError as error:
            if batch:
                raise self._redacted(error) from None
            answers = [self._redacted(error)]
        finally:
            down = len(response.body) if response else 0
            for each in (self.stats, stats):
                if each is not None:
                    each.add(len(asks), len(body), down, failed=not answers)
        return answers

    def _redacted(self, error: RpcError) -> RpcError:
        text = self.transport.redact(error.text)
        if text == error.text:
            return error
        return type(error)(error.endpoint, error.code, text, error.data)

    def _check_status(self, response: Response) -> None:
        status = response.status
        if 200 <= status < 300:
            return
        if status == 429 or (status == 503 and "retry-after" in response.headers):
            raise RateLimited(self.label, _seconds(response.headers.get("retry-after")))
        if status == 413:
            raise TooLarge(self.label, "the request is too large for it (HTTP 413)")
        if status in (401, 402, 403, 404, 407) or 300 <= status < 400:
            raise Refused(self.label, status)
        if status == 408 or status == 504:
            raise TimedOut(self.label, self._timeout_s)
        if response.body[:1] in (b"{", b"["):
            # Some nodes send a JSON-RPC error under HTTP 400 or 500; its words say more.
            with contextlib.suppress(NotJson, Malformed):
                wire.decode(self.label, response.body, ())
        raise BadStatus(self.label, status)


def _seconds(text: str | None) -> float | None:
    """Return a Retry-After in seconds, at most two minutes; None for a date or nonsense."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return min(max(value, 0.0), 120.0) if value == value else None
