"""What an assessment says. Integers are exact; floats are fractions, seconds or dollars for people.

Names and units follow the published result schema (`docs/schema.md`).
"""

from dataclasses import dataclass
from enum import StrEnum

from protocols.types import Position


class Status(StrEnum):
    """Whether the protocol's own liquidation function would take the position now."""

    SAFE = "safe"
    LIQUIDATABLE = "liquidatable"
    SOFT = "soft"
    """Inside a soft-liquidation band."""
    NOT_LIQUIDATABLE = "not_liquidatable"
    """Nothing here can be liquidated: no debt, or no such function."""
    UNKNOWN = "unknown"
    """Something needed was unreadable, stale, or unverified. Never shown as safe."""


class Direction(StrEnum):
    """Which way the factor must move to reach the boundary."""

    DOWN = "down"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where one factor alone, all else equal at this block, makes the position liquidatable.

    `price_raw` is the liquidatable price nearest to safety: the highest one for `down`, the
    lowest one for `up`. `safe_price_raw` is its neighbour on the safe side, one oracle unit away.
    """

    factor: str
    label: str
    direction: Direction
    price_raw: int
    safe_price_raw: int
    current_raw: int
    decimals: int
    distance_frac: float
    """`price_raw / current_raw − 1`; beyond zero on the wrong side when already liquidatable."""
    mode: str = "spot"
    exact: bool = True


@dataclass(frozen=True, slots=True)
class OracleHealth:
    """The least trustworthy price behind the position."""

    age_s: int | None
    heartbeat_s: int | None
    deviation_bps: int | None = None
    market_gap_bps: int | None = None


@dataclass(frozen=True, slots=True)
class Liquidation:
    """How far from liquidation one position is, by the protocol's own rules."""

    status: Status
    health_raw: int | None
    """None without debt; the protocol's own integer where it has one."""
    health_scale: int
    """`health_raw / health_scale < 1` means liquidatable."""
    boundary: tuple[Boundary, ...] = ()
    """Nearest first."""
    time_to_liq_s: int | None = None
    """First second, from the block's timestamp, at which interest alone makes it liquidatable at
    constant prices; 0 if it already is, None if never within the horizon."""
    time_exact: bool = True
    close_factor_frac: float | None = None
    penalty_frac: float | None = None
    """Liquidator's bonus of the worst pair."""
    expected_loss_usd: float | None = None
    """What a liquidator would take beyond the debt repaid, if liquidated at the boundary now."""
    oracle: OracleHealth | None = None
    blocked_by: tuple[str, ...] = ()
    """Why the protocol would refuse to liquidate now: grace period, sequencer, pause."""
    causes: tuple[str, ...] = ()
    """Why the status is unknown."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """A position and what can go wrong with it."""

    position: Position
    liquidation: Liquidation
    equity_usd: float | None
    """Assets minus debts; None where any leg has no price, never a partial sum."""
