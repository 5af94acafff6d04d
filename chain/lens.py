"""Run a compiled program over many accounts on the node, and check what it answers.

A run is one eth_call pinned to the block, by code override at an unused address where the endpoint
bears it, else as init code that reverts with its answer. Runs go over several connections at once;
how large they are is learned per endpoint (`chain.chunks`). Every answer proves itself by a digest
over input and output and names its block. What all lenses share of their output: contracts/src/
Tape.sol. Where no endpoint runs programs of ours the answer is `NoLens`.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

import orjson
from eth_utils.crypto import keccak

from chain import plain_job, wire
from chain.bulk import Chunk, Chunks, Lens, NoLens
from chain.chunks import LANES, Chunker
from chain.endpoint import Endpoint, Path, Pin
from chain.errors import (
    BlockUnknown,
    CallReverted,
    EndpointError,
    LimitExceeded,
    Malformed,
    Refused,
    TimedOut,
    TooLarge,
    Unsupported,
    WrongChain,
)
from chain.pool import REST_S, Pool
from chain.relay import Corrupt
from chain.relay_job import INITCODE_LIMIT
from chain.types import checksum
from chain.work import Work, about_pin, loosen

ADDRESS: Final = checksum("0x" + keccak(text="underkeel.lens")[-20:].hex())
"""Where the override puts the program: an address nobody can have the key of."""
STUB: Final = f"0x363d3d373d3d3d363d73{ADDRESS[2:].lower()}5af43d82803e903d91602b57fd5bf3"
"""Code that delegates every call to the program (EIP-1167)."""
HEAD: Final = 108
"""Bytes of the output that are the same for every lens."""
PATIENCE: Final = 8
"""Runs refused, with none that went well, after which code is not put at places here."""
STRIKES: Final = 3
"""Failures of one run, other than by size, after which its accounts are not learned."""


@cache
def code(program: str) -> tuple[str, str]:
    """Return a program as hex: for a code override, and as init code."""
    built = orjson.loads((files("chain") / "data" / f"{program}.json").read_bytes())
    return built["runtime"], built["init"]


@cache
def shipped(program: str) -> bool:
    """Whether there is such a lens; a name may come from a damaged file."""
    return program.isidentifier() and (files("chain") / "data" / f"{program}.json").is_file()


@dataclass(frozen=True, slots=True)
class Output:
    """The part of one run's output that all lenses share, and the rest."""

    number: int
    timestamp: int
    parent_hash: str
    gas_at_start: int
    gas_at_items: int
    gas_at_end: int
    done: int
    data: bytes


def decode(text: bytes, output: bytes) -> Output:
    """Return what a lens wrote for the input `text`.

    Raises `Corrupt` unless the digest, which covers input and output, is right.
    """
    if len(output) < HEAD:
        raise Corrupt(f"{len(output)} bytes where at least {HEAD} belong")
    view = memoryview(output)
    digest = sha256(sha256(text).digest())
    digest.update(view[32:])
    if digest.digest() != output[:32]:
        raise Corrupt("the digest over the answer does not match")

    def number(start: int, end: int) -> int:
        return int.from_bytes(view[start:end], "big")

    return Output(
        number=number(32, 40),
        timestamp=number(40, 48),
        parent_hash="0x" + output[48:80].hex(),
        gas_at_start=number(80, 88),
        gas_at_items=number(88, 96),
        gas_at_end=number(96, 104),
        done=number(104, 108),
        data=output[HEAD:],
    )


@dataclass(slots=True)
class Span:
    """Accounts still to be asked for."""

    first: int
    count: int
    strikes: int = 0


@dataclass(frozen=True, slots=True)
class _Sent:
    """A run under way."""

    span: Span
    endpoint: Endpoint
    path: Path
    pin: Pin
    text: bytes


class Runner:
    """The runs of one lens at one block."""

    def __init__(
        self, pool: Pool, work: Work, lens: Lens, still_there: Callable[[Endpoint], None]
    ) -> None:
        self._pool = pool
        self._work = work
        self._lens = lens
        self._still_there = still_there
        self._todo: deque[Span] = deque()
        self._chunks: list[Chunk] = []
        self._failed: list[tuple[int, int, str]] = []
        self._failures = 0
        self._refusals = 0
        self._share = 1
        self._lost: set[str] = set()

    def run(self) -> Chunks | NoLens:
        """Make the runs. Raises `Reorged` where the block is gone."""
        count = len(self._lens.accounts) // self._lens.width
        self._todo = deque([Span(0, count)] if count else [])
        endpoint = self._endpoint()
        if endpoint is None:
            return NoLens("no endpoint runs programs of ours")
        self._share = min(self._chunker(endpoint).plan(count), self._bears(endpoint))
        if self._lens.opening and count > self._share:
            probe = not self._chunker(endpoint).known
            count = min(count, self._share * (1 if probe else LANES))
            self._todo = deque([Span(0, count)])
        if count <= self._share:
            self._one_by_one()
        else:
            with ThreadPoolExecutor(min(LANES, -(-count // self._share))) as threads:
                self._together(threads)
        if self._todo and not self._chunks:
            return NoLens("no endpoint runs programs of ours")
        self._failed += [(s.first, s.count, "no endpoint answered") for s in self._todo]
        self._chunks.sort(key=lambda chunk: chunk.first)
        return Chunks(tuple(self._chunks), tuple(sorted(self._failed)), count)

    def _one_by_one(self) -> None:
        while self._todo:
            sent = self._next()
            if sent is None:
                return
            self._settle(sent, *self._post(sent))

    def _together(self, threads: ThreadPoolExecutor) -> None:
        under_way: dict[Future[tuple[Any, float]], _Sent] = {}
        while True:
            while self._todo and len(under_way) < LANES:
                sent = self._next()
                if sent is None:
                    break
                under_way[threads.submit(self._post, sent)] = sent
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                self._settle(under_way.pop(future), *future.result())

    def _endpoint(self) -> Endpoint | None:
        """Return the best endpoint that runs programs of ours and is not lost."""
        last = Path.OVERRIDE if self._lens.places else Path.INITCODE
        for endpoint in self._pool.ranked():
            bears = self._path(endpoint) <= last
            if bears and endpoint.label not in self._lost and endpoint.rest_s <= REST_S:
                return endpoint
        return None

    def _path(self, endpoint: Endpoint) -> Path:
        return endpoint.limits.path if self._work.force is None else self._work.force

    def _chunker(self, endpoint: Endpoint) -> Chunker:
        key = f"{self._lens.program} {self._lens.mode}"
        return endpoint.limits.lenses.setdefault(key, Chunker())

    def _bears(self, endpoint: Endpoint) -> int:
        """Return how many accounts one run may have."""
        size = self._chunker(endpoint).size
        if self._path(endpoint) is Path.INITCODE:
            room = INITCODE_LIMIT - len(code(self._lens.program)[1]) // 2 - len(self._lens.head) - 4
            size = min(size, max(1, room // self._lens.width))
        return size

    def _next(self) -> _Sent | None:
        """Take the next run off the list; None where there is nobody left to ask."""
        patience = self._pool.patience
        endpoint = self._endpoint()
        if endpoint is None or self._failures > patience.retries * len(self._pool.endpoints):
            return None
        if self._failures:
            patience.back_off(self._failures, endpoint.rest_s)
        span = self._todo.popleft()
        size = min(self._share, self._bears(endpoint))
        if span.count > size:
            self._todo.appendleft(Span(span.first + size, span.count - size))
            span = Span(span.first, size, span.strikes)
        width = self._lens.width
        first, last = width * span.first, width * (span.first + span.count)
        text = self._lens.head + self._lens.accounts[first:last]
        return _Sent(span, endpoint, self._path(endpoint), endpoint.limits.pin, text)

    def _post(self, sent: _Sent) -> tuple[Any, float]:
        """Send one run; return its answer or the error that it met, and the seconds it took."""
        endpoint = sent.endpoint
        work = self._work if self._work.pin is sent.pin else replace(self._work, pin=sent.pin)
        runtime, init = code(self._lens.program)
        if sent.path is Path.OVERRIDE:
            call = {"to": ADDRESS, "data": "0x" + sent.text.hex()}
            codes = {place: {"code": STUB} for place in self._lens.places}
            ask = work.call(endpoint, call, {**codes, ADDRESS: {"code": runtime}})
        else:
            length = len(sent.text).to_bytes(4, "big").hex()
            ask = work.call(endpoint, {"data": init + sent.text.hex() + length})
        begun = time.perf_counter()
        answer: Any
        try:
            (answer,) = endpoint.post([ask], stats=work.stats)
            if work.pin is Pin.NUMBER:
                job = plain_job.guard(work, endpoint)
                job.settle(endpoint.post(job.asks, stats=work.stats))
        except EndpointError as error:
            answer = error
        return answer, time.perf_counter() - begun

    def _settle(self, sent: _Sent, answer: Any, seconds: float) -> None:
        endpoint, limits, span = sent.endpoint, sent.endpoint.limits, sent.span
        try:
            if isinstance(answer, CallReverted) and answer.data and sent.path is Path.INITCODE:
                raw = answer.data
            elif isinstance(answer, EndpointError):
                raise answer
            else:
                raw = wire.data(endpoint.label, answer)
            if not raw and not limits.path_proven:
                # An override that is ignored is a call to an empty address; so is a cut answer.
                limits.doubts += 1
                if limits.doubts > 1:
                    self._work.degrade(endpoint, sent.path)
                    self._lose_if_forced(endpoint)
                self._todo.appendleft(span)
                return
            output = decode(sent.text, raw)
            self._work.check_block(output.number, output.timestamp, output.parent_hash)
        except Corrupt as error:
            endpoint.failed(Malformed(endpoint.label, str(error)))
            self._again(span, f"{endpoint.label}: {error}")
            return
        except EndpointError as error:
            self._refused(sent, error)
            return
        limits.path_proven, limits.doubts = True, 0
        if not output.done:
            self._split(sent, f"{endpoint.label} gives too little gas for it")
            return
        self._failures = 0
        self._chunker(endpoint).went(
            span.count,
            output.done,
            gas_room=output.gas_at_items,
            gas_first=output.gas_at_start - output.gas_at_items,
            gas=max(output.gas_at_items - output.gas_at_end, 1),
            size=len(raw),
            seconds=seconds,
        )
        self._chunks.append(Chunk(span.first, span.count, output.done, output.data))
        if output.done < span.count:
            self._todo.appendleft(Span(span.first + output.done, span.count - output.done))

    def _refused(self, sent: _Sent, error: EndpointError) -> None:
        endpoint, span = sent.endpoint, sent.span
        limits = endpoint.limits
        if isinstance(error, LimitExceeded | TooLarge | TimedOut):
            self._split(sent, str(error))
        elif isinstance(error, Unsupported | CallReverted):
            self._todo.appendleft(span)
            if about_pin(error) and loosen(endpoint, sent.pin):
                return
            if limits.path_proven and sent.path is limits.path:
                self._todo.popleft()
                self._split(sent, str(error))
            else:
                self._work.degrade(endpoint, sent.path)
                self._lose_if_forced(endpoint)
        else:
            endpoint.failed(error)
            self._failures += 1
            if isinstance(error, BlockUnknown):
                self._still_there(endpoint)
            if isinstance(error, WrongChain | Refused):
                self._lost.add(endpoint.label)
            self._again(span, str(error))

    def _lose_if_forced(self, endpoint: Endpoint) -> None:
        if self._work.force is not None:
            self._lost.add(endpoint.label)

    def _again(self, span: Span, reason: str) -> None:
        span.strikes += 1
        if span.strikes < STRIKES * len(self._pool.endpoints):
            self._todo.appendleft(span)
        else:
            self._failed.append((span.first, span.count, reason))

    def _split(self, sent: _Sent, reason: str) -> None:
        """Ask for the halves of a run that was too large; give up on a single account."""
        span = sent.span
        self._refusals += 1
        if self._lens.places and not self._chunks and self._refusals >= PATIENCE:
            self._lost.add(sent.endpoint.label)
        self._chunker(sent.endpoint).failed(span.count)
        if span.count == 1:
            self._again(span, reason)
            return
        half = span.count // 2
        self._todo.extendleft([Span(span.first + half, span.count - half), Span(span.first, half)])


def answer(
    pool: Pool, work: Work, lens: Lens, still_there: Callable[[Endpoint], None]
) -> Chunks | NoLens:
    """Return what a lens says of its accounts at the block of `work`."""
    return Runner(pool, work, lens, still_there).run()
