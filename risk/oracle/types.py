"""What is known of a feed's behaviour, its keepers and its neighbours. None is unknown."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from chain.types import Address
from protocols.prices.state import Sequencer, Upkeep


@dataclass(frozen=True, slots=True)
class UpdateRule:
    """When a feed speaks, learned from when it spoke."""

    heartbeat_s: int | None
    """The silence after which it speaks whatever the price; None where it was never seen to."""
    deviation_bps: float | None
    """The move that makes it speak at once; None where too few were seen."""
    updates: int
    """Rounds that this was learned from, less one."""
    by_heartbeat: int
    by_deviation: int
    explained_frac: float | None
    """Share of the updates that the rule explains; None without a rule."""
    longest_s: int | None
    """Longest silence seen: without a heartbeat, it is at least about this."""
    quiet_bps: float | None
    """The largest move but one in twenty that a heartbeat brought: a deviation is above it."""
    overdue: int = 0
    """Silences longer than the heartbeat allows."""
    causes: tuple[str, ...] = ()
    """Why a part is not known."""

    @property
    def deviation_frac(self) -> float | None:
        """The deviation as a fraction."""
        return None if self.deviation_bps is None else self.deviation_bps / 1e4


@dataclass(frozen=True, slots=True)
class MarketGap:
    """What one pool says about a feed's price."""

    pool: Address
    source: str
    """The expression of the pool's mean price."""
    against: str
    """Symbol of the token whose own oracle price turns the pool's into dollars."""
    mean_frac: float
    """Pool's mean price / feed's − 1."""
    spot_frac: float
    """The same of the pool's price now, which anyone can move for a moment."""
    depth_usd: float
    """What moving the pool by 1 % takes now."""
    fee_frac: float
    least_elsewhere: float = inf
    """The least gap, without its sign, of deep pools against other tokens: where one of them agrees
    it is the other side of this pool that is off."""


@dataclass(frozen=True, slots=True)
class FeedGap:
    """What another feed, or a product of feeds, says of the same pair."""

    source: str
    label: str
    frac: float
    """Its price / this feed's − 1."""


class NextKind(StrEnum):
    """What a feed will do next, by its learned rule."""

    DEVIATION = "deviation"
    """The market has moved past the threshold: an update is due at once."""
    OVERDUE = "overdue"
    """The heartbeat has passed and nothing was said."""
    HEARTBEAT = "heartbeat"
    """Nothing before the heartbeat, if the market stays."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Next:
    """The update to come."""

    kind: NextKind
    in_s: int | None
    """Seconds from the block until it is due; 0 at once; None where that cannot be said."""
    price_raw: int | None
    """What it would say, in the feed's decimals, going by the market; None without one."""
    why: str


class Verdict(StrEnum):
    """A feed in one word."""

    SOUND = "sound"
    DOUBTFUL = "doubtful"
    """Something known speaks against it."""
    UNKNOWN = "unknown"
    """Something needed could not be learned; never shown as sound."""


@dataclass(frozen=True, slots=True)
class FeedTrust:
    """Everything that speaks for or against one feed, at one block."""

    upkeep: Upkeep
    age_s: int | None
    rule: UpdateRule
    promised_s: int | None
    """The heartbeat that somebody configured."""
    market: MarketGap | None
    others: tuple[FeedGap, ...]
    sequencer: Sequencer | None
    """None on a chain without one."""
    next: Next
    verdict: Verdict
    problems: tuple[str, ...]
    unknown: tuple[str, ...]
