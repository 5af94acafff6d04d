"""What can be asked about many accounts at once, and what comes back: values, no I/O.

A bulk reader is a generator that yields steps and is sent their answers, as an adapter yields
reads. `chain.lens` answers the steps; where no endpoint runs programs of ours it says `NoLens`,
and the reader yields ordinary reads instead.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from chain.calls import Read, Result
from chain.types import Address

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lens:
    """A program of ours run on the node over many accounts; contracts/src says what it answers."""

    program: str
    """Name of its compiled form."""
    mode: str
    """What it is asked for: runs of one mode cost alike."""
    head: bytes
    """Its input before the accounts."""
    accounts: bytes
    """Addresses, or whatever its items are, `width` bytes each."""
    opening: bool = False
    """Whether its runs do more than others would have to: then only those are made that can be
    under way at once, or one small one where nothing is known of the endpoint; the rest of the
    accounts is left to be asked for."""
    width: int = 20
    places: tuple[Address, ...] = ()
    """Contracts whose code is replaced, in the run alone, by a stub that delegates to the program:
    it reads their storage. Runs by code override only."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One run of a lens."""

    first: int
    """Place of its first account among those asked for."""
    asked: int
    done: int
    """Accounts it came through, from the first on."""
    data: bytes
    """The output after the head that all lenses share."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """The answer of a lens: runs in the order of their accounts."""

    chunks: tuple[Chunk, ...]
    failed: tuple[tuple[int, int, str], ...] = ()
    """(first, count, why) of accounts that were not learned."""
    count: int = 0
    """Accounts that were asked for at all, from the first on; fewer only of an opening."""


@dataclass(frozen=True, slots=True)
class NoLens:
    """No endpoint runs programs of ours: make ordinary reads instead."""

    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """Reads and a lens that travel together."""

    reads: Sequence[Read] = ()
    lens: Lens | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What a `Step` gave."""

    results: Sequence[Result]
    lens: Chunks | NoLens | None
    """None where no lens was asked for."""


Bulk: TypeAlias = Generator[Step, Answers, T]
"""Yields steps, is sent their answers, returns a `T`."""
