"""Read logs of a range of blocks, however little of it an endpoint gives at once.

A missing log is a position that nobody looks for. Every range is therefore asked for twice in one
POST and believed only if both answers are equal, as everything is that carries no proof; and with
a quorum, as many endpoints as it wants must give the same logs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

from chain import wire
from chain.endpoint import Endpoint
from chain.errors import (
    ChainError,
    Disagreement,
    EndpointError,
    LimitExceeded,
    LogsIncomplete,
    Malformed,
    RpcError,
    TimedOut,
    TooLarge,
    Unsupported,
)
from chain.pool import REST_S, Pool, final
from chain.types import Address, checksum
from chain.wire import Ask

Topics = Sequence[str | Sequence[str] | None]

SLOW_SPAN: Final = 256
"""Blocks in a request below which an endpoint that gives no answer in time is not asked for less:
halving on, with a wait at every step, would take minutes to learn that it is down."""


@dataclass(frozen=True, slots=True)
class Log:
    """One event, as a contract wrote it."""

    address: Address
    topics: tuple[str, ...]
    data: bytes
    block_number: int
    block_hash: str
    tx_hash: str
    index: int
    """Position in its block."""


def read(
    pool: Pool,
    addresses: Sequence[Address],
    topics: Topics,
    first: int,
    last: int,
    progress: Callable[[int, int], None] | None = None,
    quorum: int = 1,
) -> Iterator[Log]:
    """Yield the logs of blocks `first` to `last`, both included, in chain order.

    An empty `addresses` means any. Halves the span where an endpoint refuses it and remembers
    what it bore; `progress(done_to, last)` is called after each span. Raises `LogsIncomplete`,
    whose `done_to` is where to resume: everything up to there was yielded.
    """
    start = first
    while start <= last:
        try:
            end, found, teller = pool.first(partial(_span, addresses, topics, start, last))
            if quorum > 1:
                _confirm(pool, quorum, teller, addresses, topics, start, end, found)
        except ChainError as error:
            raise LogsIncomplete(start - 1, last, error) from error
        yield from found
        if progress is not None:
            progress(end, last)
        start = end + 1


def _confirm(
    pool: Pool,
    quorum: int,
    teller: Endpoint,
    addresses: Sequence[Address],
    topics: Topics,
    start: int,
    end: int,
    found: list[Log],
) -> None:
    """Have further endpoints give the same logs, until as many as the quorum wants did.

    Raises `Disagreement` where one gives others, and what they met where too few answer.
    """
    agreeing = [teller.label]
    failures: list[EndpointError] = []
    for endpoint in pool.ranked():
        if endpoint is teller:
            continue
        for attempt in range(pool.patience.retries + 1):
            if attempt:
                pool.patience.back_off(attempt, min(endpoint.rest_s, REST_S))
            try:
                other = _whole(addresses, topics, start, end, endpoint)
            except EndpointError as error:
                endpoint.failed(error)
                failures.append(error)
                if final(error) or endpoint.rest_s > REST_S:
                    break
                continue
            if other != found:
                labels = [*agreeing, endpoint.label]
                raise Disagreement(None, labels, f"the logs of blocks {start} to {end}")
            agreeing.append(endpoint.label)
            break
        if len(agreeing) >= quorum:
            return
    raise pool.failure(failures)


def _whole(
    addresses: Sequence[Address], topics: Topics, start: int, end: int, endpoint: Endpoint
) -> list[Log]:
    """Return the logs of a whole range from one endpoint, in as many requests as it takes."""
    found: list[Log] = []
    while start <= end:
        done, part, _ = _span(addresses, topics, start, end, endpoint)
        found += part
        start = done + 1
    return found


def _span(
    addresses: Sequence[Address], topics: Topics, start: int, last: int, endpoint: Endpoint
) -> tuple[int, list[Log], Endpoint]:
    """Return how far one request came, its logs, and who told."""
    while True:
        span = endpoint.limits.span
        end = min(last, start + span - 1)
        query: dict[str, Any] = {"fromBlock": hex(start), "toBlock": hex(end), "topics": topics}
        if addresses:
            query["address"] = list(addresses)
        ask = Ask("eth_getLogs", [query])
        try:
            answers = endpoint.post([ask, ask])
            refusals = [a for a in answers if isinstance(a, EndpointError)]
            refusal = refusals[0] if refusals else None
        except (TooLarge, TimedOut) as error:
            refusal = error
            if isinstance(error, TimedOut) and end - start < SLOW_SPAN:
                raise
        if isinstance(refusal, LimitExceeded | TooLarge | TimedOut) or (
            isinstance(refusal, RpcError) and not isinstance(refusal, Unsupported) and start < end
        ):
            if start == end:
                raise refusal
            fewer = 8 if isinstance(refusal, TimedOut) else 2
            endpoint.limits.span = max(1, (end - start + 1) // fewer)
            continue
        if refusal is not None:
            raise refusal
        found, again = (_logs(endpoint.label, a, addresses, topics, start, end) for a in answers)
        if found != again:
            raise Malformed(endpoint.label, "two different answers to the same question")
        if end - start + 1 == span:
            endpoint.limits.span = min(span + span // 8, 100_000)
        return end, found, endpoint


def _logs(
    label: str, answer: Any, addresses: Sequence[Address], topics: Topics, start: int, end: int
) -> list[Log]:
    """Return the logs of an answer; raises `Malformed` for any that was not asked for."""
    if not isinstance(answer, list):
        raise Malformed(label, "no list where logs belong")
    wanted = set(addresses)
    found: list[Log] = []
    for entry in answer:
        log = _log(label, entry)
        if not start <= log.block_number <= end or (wanted and log.address not in wanted):
            raise Malformed(label, "a log that was not asked for")
        if not _matches(log.topics, topics):
            raise Malformed(label, "a log with other topics than asked for")
        found.append(log)
    found.sort(key=lambda log: (log.block_number, log.index))
    if any((a.block_number, a.index) == (b.block_number, b.index) for a, b in pairwise(found)):
        raise Malformed(label, "the same log twice")
    return found


def _log(label: str, entry: Any) -> Log:
    if not isinstance(entry, dict) or not isinstance(entry.get("topics"), list):
        raise Malformed(label, "no object where a log belongs")
    if entry.get("removed") is True:
        raise Malformed(label, "a log that a reorg removed")
    address = wire.data(label, entry.get("address"))
    if len(address) != 20:
        raise Malformed(label, "a log of no address")
    return Log(
        address=checksum("0x" + address.hex()),
        topics=tuple(wire.hash32(label, topic) for topic in entry["topics"]),
        data=wire.data(label, entry.get("data")),
        block_number=wire.quantity(label, entry.get("blockNumber")),
        block_hash=wire.hash32(label, entry.get("blockHash")),
        tx_hash=wire.hash32(label, entry.get("transactionHash")),
        index=wire.quantity(label, entry.get("logIndex")),
    )


def _matches(topics: tuple[str, ...], wanted: Topics) -> bool:
    for i, want in enumerate(wanted):
        if want is None:
            continue
        allowed = [want] if isinstance(want, str) else want
        if i >= len(topics) or topics[i] not in [w.lower() for w in allowed]:
            return False
    return True
