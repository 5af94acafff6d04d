"""What transactions would do on top of a block, and what a reader would then find.

Two ways, one answer. `eth_simulateV1`, where the node has it, runs the messages in a block of their
own and the relay (`chain.relay`) after them. Elsewhere one `eth_call` does: our actor stands at the
sender's address by a code override, makes the same calls, then calls the relay. Where neither
works the answer is `NotSimulated` with the reason: nobody may act on a guess.

Messages cost no fee here, and a message that fails does not end the rest. What is read is proven
by the relay's digest and tells number and time of the block it saw; what messages gave is asked
for twice and believed if equal. A program that reads in rounds costs one request per round.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from chain.calls import Read, Reads, Result
from chain.client import Client
from chain.endpoint import Endpoint
from chain.errors import AllEndpointsFailed, BlockUnknown, Disagreement, EndpointError, Reorged
from chain.types import Address, BlockRef

T = TypeVar("T")
HELD: Final = "0x" + "0" * 64
"""The hash of a block that does not exist."""


class Way(StrEnum):
    """How messages were run."""

    SIMULATE = "eth_simulateV1"
    CALL = "eth_call"
    """By our actor at the sender's address: gas is about right, logs are not told."""


@dataclass(frozen=True, slots=True)
class Message:
    """One transaction to be, without nonce and fees."""

    sender: Address
    to: Address
    data: bytes = b""
    value: int = 0
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """What an account has instead of what the block says."""

    code: bytes | None = None
    balance: int | None = None
    slots: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """A log that a message wrote."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one message did."""

    ok: bool
    output: bytes
    """What it returned, or the reason of its failure."""
    gas_used: int
    """Of the whole transaction; by `Way.CALL` about that."""
    events: tuple[Event, ...] | None
    """None where the way does not tell."""


@dataclass(frozen=True, slots=True)
class Simulated(Generic[T]):
    """What would be, on top of a block."""

    way: Way
    on: BlockRef
    """The block that everything was run on top of."""
    at: BlockRef
    """The block that would be; it has no hash."""
    outcomes: tuple[Outcome, ...]
    """One per message."""
    value: T
    """What the program returned, reading after all messages."""

    @property
    def ok(self) -> bool:
        """Whether every message went through."""
        return all(outcome.ok for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class NotSimulated:
    """It could not be found out what would be."""

    reason: str


class CannotRun(EndpointError):
    """This endpoint simulates in none of our ways."""


def next_block(on: BlockRef, time: int) -> BlockRef:
    """Return the block that messages run in: the next one, at `time`."""
    return BlockRef(on.chain_id, on.number + 1, HELD, on.hash, time)


def simulate(
    client: Client,
    on: BlockRef,
    messages: Sequence[Message],
    program: Callable[[BlockRef], Reads[T]],
    *,
    time: int,
    overrides: Mapping[Address, Override] | None = None,
    way: Way | None = None,
) -> Simulated[T] | NotSimulated:
    """Run messages on top of a block at a later time; answer the program on what they leave.

    `program` is given the block that would be. `way` forces one way. Storage, lenses and reads with
    a sender behind a pointer are `Unknown` to the program. With a quorum, as many endpoints must
    find the same. Raises `Disagreement`, and `Reorged` where the block is gone.
    """
    from chain.simulated import Session  # which is made of the values above

    if time <= on.timestamp:
        return NotSimulated(f"a block at {time} cannot follow one at {on.timestamp}")
    block = next_block(on, time)

    def attempt(endpoint: Endpoint) -> Simulated[T]:
        ways = [way] if way is not None else list(Way)
        reasons: list[str] = []
        for one in ways:
            if one is Way.SIMULATE and way is None and not endpoint.limits.simulates:
                reasons.append("eth_simulateV1: it does not know that")
                continue
            session = Session(endpoint, client.rules, one, block, messages, overrides or {})
            try:
                value = _driven(program(block), session.read)
                return Simulated(one, on, block, session.settled(), value)
            except CannotRun as refusal:
                reasons.append(f"{one}: {refusal.message}")
        raise CannotRun(endpoint.label, "; ".join(reasons))

    try:
        if client.spec.quorum == 1:
            return client.pool.first(attempt)
        return _agreed(client, on, attempt)
    except AllEndpointsFailed as error:
        if all(isinstance(e, BlockUnknown) for e in error.failures) and error.failures:
            raise Reorged(on) from error
        return NotSimulated(str(error))
    except BlockUnknown as error:
        raise Reorged(on) from error
    except EndpointError as error:
        return NotSimulated(str(error))


def _driven(program: Reads[T], answer: Callable[[Sequence[Read]], list[Result]]) -> T:
    """Answer every batch of a program; a program without any is still made to look at the block."""
    try:
        batch: Sequence[Read] = next(program)
    except StopIteration as stop:
        answer(())
        empty: T = stop.value
        return empty
    try:
        while True:
            batch = program.send(answer(batch))
    except StopIteration as stop:
        value: T = stop.value
        return value


def _agreed(
    client: Client, on: BlockRef, attempt: Callable[[Endpoint], Simulated[T]]
) -> Simulated[T] | NotSimulated:
    """Return what at least `quorum` endpoints find, each asked on its own."""
    found: list[tuple[str, Simulated[T]]] = []
    reasons: list[str] = []
    for endpoint in client.pool.ranked():
        try:
            found.append((endpoint.label, attempt(endpoint)))
        except EndpointError as error:
            endpoint.failed(error)
            reasons.append(str(error))
            continue
        if _essence(found[-1][1]) != _essence(found[0][1]):
            raise Disagreement(on, [label for label, _ in found], "a simulation")
        if len(found) == client.spec.quorum:
            return found[0][1]
    wanted = f"{len(found)} of {client.spec.quorum} endpoints could simulate"
    return NotSimulated("; ".join([wanted, *reasons]))


def _essence(one: Simulated[T]) -> tuple[Any, ...]:
    """Return what must be equal whichever way it was found."""
    return tuple((o.ok, o.output) for o in one.outcomes), one.value
