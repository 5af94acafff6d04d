"""The state of one batch of reads, and what its jobs may do to it and to an endpoint."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chain import relay
from chain.calls import NOT_AN_ADDRESS, TOO_FEW_WORDS, NoCode, Ok, Read, Result, Unknown
from chain.endpoint import Endpoint, Path, Pin, Stats
from chain.errors import EndpointError, TooLarge, Unsupported
from chain.types import Address, BlockRef, address_of_word
from chain.wire import Ask

STRIKES: Final = 3
"""Bad answers to one read after which it is unknown."""
FLOODS: Final = 6
"""Answers to one read alone that were too large, after which the endpoint is what is at fault: no
chain pays for so much, and each may be 64 MB."""
GAS_CAP: Final = 1 << 24
"""The gas of one transaction since EIP-7825; some nodes refuse an eth_call that asks for more."""
_PIN_WORDS: Final = (
    "argument 1", "block number", "block parameter", "blocknumber", "block tag", "blockhash",
    "requirecanonical", "block identifier", "as a block", "block_identifier", "block id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rules:
    """What is known of the chain beforehand."""

    multicall3: Address | None = None
    l1_block_number: bool = False
    """The NUMBER opcode tells the block of the chain underneath."""
    parent_hash: bool = False
    """The BLOCKHASH opcode tells the hashes of this chain's own blocks."""


def pointed(result: Result, word: int) -> Address | Result:
    """Return the address in a word of an answer, or what a call to it must answer with.

    A zero word is nobody there (`NoCode`); a failed source passes its failure on.
    """
    if not isinstance(result, Ok):
        return result
    text = result.data[32 * word : 32 * word + 32]
    if len(text) < 32:
        return TOO_FEW_WORDS
    if not any(text):
        return NoCode()
    if any(text[:12]):
        return NOT_AN_ADDRESS
    return address_of_word(text)


@dataclass(slots=True)
class Job:
    """Some entries of a POST, and what to do with their answers."""

    asks: list[Ask]
    settle: Callable[[list[Any]], None]
    weight: int
    """About how many bytes it takes."""
    reads: Sequence[Read]
    proves_block: bool = False


@dataclass(slots=True)
class Work:
    """What is wanted, what is known, and what was tried."""

    at: BlockRef
    rules: Rules
    stats: Stats
    pending: dict[Read, None]
    results: dict[Read, Result] = field(default_factory=dict)
    alone: set[Read] = field(default_factory=set)
    """Reads that are not to share an eth_call with others any more."""
    empty: set[Read] = field(default_factory=set)
    """Calls that answered with nothing: is there code at all?"""
    strikes: dict[Read, int] = field(default_factory=dict)
    floods: int = 0
    """Answers to one read alone that were too large."""
    pin: Pin = Pin.CANONICAL
    """How the present pass names the block."""
    force: Path | None = None
    """The only path to use; tests compare paths by it."""

    def progress(self) -> tuple[int, ...]:
        """Return numbers that change whenever anything was learned about a read."""
        return (len(self.pending), len(self.results), len(self.alone), len(self.empty),
                sum(self.strikes.values()))  # fmt: skip

    def clear(self) -> None:
        """Take what has its result off the list."""
        if not self.results:
            return
        self.pending = dict.fromkeys(read for read in self.pending if read not in self.results)

    def give_up(self, reason: str) -> None:
        """Make everything pending unknown."""
        for read in self.pending:
            self.results[read] = Unknown(reason)
        self.pending = {}

    def strike(self, reads: Iterable[Read], reason: str, *, then_alone: bool = False) -> None:
        """Count a bad answer against reads; the third makes them unknown, or read alone."""
        for read in reads:
            count = self.strikes[read] = self.strikes.get(read, 0) + 1
            if count < STRIKES:
                continue
            if then_alone and read not in self.alone:
                self.alone.add(read)
                self.strikes[read] = 0
            else:
                self.results[read] = Unknown(reason)

    def block(self) -> Any:
        """Return the block parameter of the present pass."""
        match self.pin:
            case Pin.CANONICAL:
                return {"blockHash": self.at.hash, "requireCanonical": True}
            case Pin.HASH:
                return {"blockHash": self.at.hash}
        return hex(self.at.number)

    def call(self, endpoint: Endpoint, call: dict[str, str], *overrides: Any) -> Ask:
        """Return an eth_call at the block, with the gas the endpoint is known to want named."""
        if endpoint.limits.gas is not None:
            call["gas"] = hex(endpoint.limits.gas)
        return Ask("eth_call", [call, self.block(), *overrides])

    def check_block(self, number: int, timestamp: int, parent: str | None) -> None:
        """Raise `Corrupt` if an answer says that it is of another block than ours."""
        wrong_number = number != self.at.number and not self.rules.l1_block_number
        if wrong_number or timestamp != self.at.timestamp:
            raise relay.Corrupt(f"the answer is of block {number} at {timestamp}, not of {self.at}")
        if self.rules.parent_hash and parent is not None and parent != self.at.parent_hash:
            raise relay.Corrupt(f"the answer is of another block {number} than {self.at}")

    def degrade(self, endpoint: Endpoint, path: Path) -> None:
        """Use the next path on this endpoint from now on."""
        limits = endpoint.limits
        limits.doubts = 0
        if self.force is not None:
            self.give_up(f"{endpoint.label} does not bear the path {path.name.lower()}")
        elif limits.path is path and path is not Path.SINGLE:
            limits.path = Path(path + 1)
            limits.path_proven = False

    def shrink(self, endpoint: Endpoint, reads: Sequence[Read], error: EndpointError) -> None:
        """Put fewer reads into one eth_call here from now on; alone where it cannot be fewer.

        Raises the error where whatever is asked alone is too large.
        """
        limits = endpoint.limits
        self.floods += len(reads) == 1 and isinstance(error, TooLarge)
        if self.floods > FLOODS:
            raise error
        if "cap" in error.message and limits.gas is None:
            limits.gas = GAS_CAP
        if len(reads) > 1:
            limits.chunk = limits.ceiling = max(1, min(limits.chunk, len(reads)) // 2)
            limits.good = 0
        else:
            self.strike(reads, str(error), then_alone=True)
            self.alone.update(reads)

    def shrink_post(self, endpoint: Endpoint, jobs: Sequence[Job], error: EndpointError) -> None:
        """Put less into one POST here from now on."""
        if len(jobs) > 1:
            endpoint.limits.body = max(1, sum(job.weight for job in jobs) // 2)
        else:
            self.shrink(endpoint, jobs[0].reads, error)


def about_pin(error: EndpointError) -> bool:
    """Whether the endpoint refuses the way we name the block."""
    return isinstance(error, Unsupported) and any(w in error.text.lower() for w in _PIN_WORDS)


def loosen(endpoint: Endpoint, used: Pin) -> bool:
    """Name the block less strictly here than `used` from now on; False if it cannot be."""
    limits = endpoint.limits
    if limits.pin is used and used is not Pin.NUMBER:
        limits.pin = Pin(used + 1)
    return limits.pin > used
