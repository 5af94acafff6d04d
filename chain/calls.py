"""What can be read from a chain, what comes back, and how reads that depend on reads compose.

Nothing here does I/O. An adapter is a generator that yields batches of reads and is sent their
results (`Reads`); `gather` runs many such generators in step, so that the first batches of all
of them travel together. `chain.snapshot` answers the batches.
"""

import logging
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, TypeVar

from chain.types import Address

log = logging.getLogger(__name__)

T = TypeVar("T")


class Call(NamedTuple):
    """A static call of a contract.

    A tuple, because bulk readers make, hash and compare them by the hundred thousand.
    """

    target: "Address | Pointer"
    data: bytes
    sender: Address | None = None
    """`msg.sender` for the callee; None where it does not matter."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """The contract whose address is the `word`-th 32-byte word of another call's answer.

    Where the node can run a program of ours, a chain of pointers is followed on the node, inside
    the same request; elsewhere it costs one more request per link. The answer is the same.
    """

    call: Call
    word: int = 0


@dataclass(frozen=True, slots=True)
class NativeBalance:
    """The balance of an account in the native coin; the answer is one 32-byte word."""

    account: Address


@dataclass(frozen=True, slots=True)
class Code:
    """The code at an address; the answer is the code itself, empty where there is none."""

    account: Address


@dataclass(frozen=True, slots=True)
class Storage:
    """One storage slot; the answer is one 32-byte word."""

    account: Address
    slot: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a lens (contracts/src) with an input of its own, at no more than one request.

    The answer is how many items it came through, u32, and what the lens wrote after the head that
    all lenses share; its digest and block are checked. Where programs of ours are not run, or a
    quorum is asked for, the answer is `NO_LENS`: make ordinary reads instead.
    """

    program: str
    """Name of its compiled form."""
    text: bytes


Read: TypeAlias = Call | NativeBalance | Code | Storage | Run


@dataclass(frozen=True, slots=True)
class Ok:
    """The chain answered."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Reverted:
    """The contract itself refused, with all the gas it could want; `data` is its reason."""

    data: bytes


@dataclass(frozen=True, slots=True)
class NoCode:
    """The called address holds no code, so there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """We did not learn the answer: transport, node or integrity failure. Never a zero."""

    reason: str


Result: TypeAlias = Ok | Reverted | NoCode | Unknown

NO_LENS: Final = Unknown("no endpoint runs programs of ours")
NOT_AN_ADDRESS: Final = Unknown("the call that names the target did not answer with an address")
TOO_FEW_WORDS: Final = Unknown("the call that names the target answered with too few words")


def learned(result: Result) -> bool:
    """Whether this is what the block holds, so that to ask again would give the same."""
    return not isinstance(result, Unknown) or result in (NOT_AN_ADDRESS, TOO_FEW_WORDS, NO_LENS)


Reads: TypeAlias = Generator[Sequence[Read], Sequence[Result], T]
"""Yields batches of reads, is sent one result per read in the same order, returns a `T`."""


class ReadFailed(Exception):
    """A read that the reader cannot do without gave no usable answer."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def gather(programs: Iterable[Reads[T]]) -> Reads[list[T | ReadFailed]]:
    """Run programs in step; return, in order, what each returned or why it failed.

    Each round sends the outstanding batches of all programs as one. A program that raises, by
    `ReadFailed` or by a fault of its own, ends alone: the others are not disturbed.
    """
    running = list(enumerate(programs))
    outcomes: dict[int, T | ReadFailed] = {}
    answers: dict[int, Sequence[Result] | None] = {i: None for i, _ in running}
    while running:
        waiting: list[tuple[int, Reads[T], Sequence[Read]]] = []
        for i, program in running:
            try:
                answer = answers[i]
                batch = next(program) if answer is None else program.send(answer)
                waiting.append((i, program, batch))
            except StopIteration as stop:
                outcomes[i] = stop.value
            except ReadFailed as failure:
                outcomes[i] = failure
            except Exception as fault:  # one adapter must not end the rest
                log.exception("a reader failed")
                outcomes[i] = ReadFailed(f"internal error: {type(fault).__name__}: {fault}")
        if waiting:
            results = yield [read for _, _, batch in waiting for read in batch]
            start = 0
            for i, _, batch in waiting:
                answers[i] = results[start : start + len(batch)]
                start += len(batch)
        running = [(i, program) for i, program, _ in waiting]
    return [outcomes[i] for i in sorted(outcomes)]
