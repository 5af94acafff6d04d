"""What was read of a feed besides its price: plain values, for whoever judges them."""

from dataclasses import dataclass
from enum import StrEnum

from chain.types import Address


@dataclass(frozen=True, slots=True)
class Round:
    """One answer that a feed once gave."""

    id: int
    answer: int
    updated_at: int

    @property
    def phase(self) -> int:
        """Which of the proxy's aggregators gave it."""
        return self.id >> 64


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What a feed is, and who can change it. None: it has no such thing, or it is in `unknown`."""

    feed: Address
    label: str = ""
    decimals: int | None = None
    round_id: int | None = None
    answer: int | None = None
    """Its latest, whatever its sign."""
    updated_at: int | None = None
    phase: int | None = None
    owner: Address | None = None
    """May replace the aggregator."""
    aggregator: Address | None = None
    aggregator_owner: Address | None = None
    """May replace the oracles and, in some kinds, the bounds."""
    aggregator_kind: str = ""
    proposed: Address | None = None
    """An aggregator that the owner has put forward and may confirm at once."""
    access: Address | None = None
    """Decides which contracts may read; None where all may."""
    minimum: int | None = None
    """The aggregator never answers less: a price below it is hidden."""
    maximum: int | None = None
    phases: tuple[tuple[int, Address], ...] = ()
    """Aggregators of earlier phases, the latest first."""
    unknown: tuple[str, ...] = ()
    """What could not be learned, with causes."""


class SequencerState(StrEnum):
    """What a rollup's uptime feed says."""

    UP = "up"
    GRACE = "grace"
    """Back, but for too short a time for prices to have caught up."""
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sequencer:
    """A rollup's sequencer at one block."""

    state: SequencerState
    since: int | None
    """When it came up or went down."""
    problem: str
    """Why its prices are not to be trusted now, in words; empty if they are."""
