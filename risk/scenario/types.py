"""What a scenario does, and what becomes of a portfolio in it. Multipliers are of today's prices.

A factor's multiplier is 1 where it does not move, 0.8 where it falls by a fifth. What the oracles
say (and liquidations go by) and what things are worth (and equity goes by) may part: a depeg that
no oracle sees moves the one alone, an oracle that lies the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf, isfinite, prod
from typing import TypeAlias

from chain.types import Address
from protocols.types import Leg, Position
from risk.types import Status
from risk.valuation import sign

Moves: TypeAlias = Mapping[str, float]
"""Multiplier by factor name; a factor that is not there stays."""


@dataclass(frozen=True, slots=True)
class Valued:
    """One leg and how its price follows the factors: unit · min(Π m^power, room)/min(1, room)."""

    leg: Leg
    unit: float | None
    """Dollars per base unit today; None where that is not known."""
    powers: Mapping[str, int]
    """How often each factor multiplies its price, less how often it divides it."""
    room: float = inf
    """The highest that a capped price can go to, over what it would be without the cap now."""
    blind: frozenset[str] = frozenset()
    """Factors that its price hangs on in a way that cannot be followed: unknown if one moves."""
    cause: str = ""
    """Why it has no price."""

    @property
    def usd(self) -> float | None:
        """Return what it is worth today, positive also for a debt; nothing is worth nothing."""
        return self.worth(self.leg.amount, {})

    def worth(self, amount: int, moves: Moves) -> float | None:
        """Return what an amount of its token is worth after moves; None where not known."""
        if amount == 0:
            return 0.0
        many = self.multiple(moves)
        return None if self.unit is None or many is None else amount * self.unit * many

    def multiple(self, moves: Moves) -> float | None:
        """Return what its price is multiplied by; None where that cannot be told."""
        if any(moves.get(f, 1.0) != 1.0 for f in self.blind):
            return None
        raw = prod(moves.get(f, 1.0) ** power for f, power in self.powers.items())
        return raw if self.room == inf else min(raw, self.room) / min(1.0, self.room)

    def why(self, moves: Moves) -> str:
        """Return why it has no worth after moves; empty where it has."""
        if not self.leg.amount or self.worth(self.leg.amount, moves) is not None:
            return ""
        symbol = self.leg.token.symbol
        if self.unit is None:
            return f"{symbol} has no price" + (f": {self.cause}" if self.cause else "")
        return f"{symbol}: how its price moves cannot be told"


@dataclass(frozen=True, slots=True)
class Exposed:
    """A position with its legs valued."""

    position: Position
    legs: tuple[Valued, ...]

    def causes(self, moves: Moves) -> tuple[str, ...]:
        """Return why its worth after moves is not known; empty where it is."""
        told = (v.why(moves) for v in self.legs if sign(v.leg.side))
        return tuple(dict.fromkeys((*self.position.unknown, *filter(None, told))))


@dataclass(frozen=True, slots=True)
class Point:
    """All prices at one moment of a path."""

    oracle: Moves
    market: Moves


class BadPath(ValueError):
    """A multiplier that no price can have."""

    def __init__(self, factor: str, value: float) -> None:
        super().__init__(f"{factor} would be multiplied by {value}; a price stays above zero")
        self.factor = factor
        self.value = value


def path_to(oracle: Moves, market: Moves, steps: int = 1, start: Point | None = None) -> "Path":
    """Return a path that goes there in even steps of the logarithm; raises `BadPath`."""
    begin = start or Point({}, {})
    for moves in (oracle, market):
        for factor, value in moves.items():
            if not (isfinite(value) and value > 0):
                raise BadPath(factor, value)

    def between(a: Moves, b: Moves, share: float) -> Moves:
        names = {**a, **b}
        return {
            f: a.get(f, 1.0) ** (1 - share) * b.get(f, 1.0) ** share if share < 1 else b.get(f, 1.0)
            for f in names
        }

    return tuple(
        Point(
            between(begin.oracle, oracle, i / steps),
            between(begin.market, market, i / steps),
        )
        for i in range(1, steps + 1)
    )


Path: TypeAlias = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """One liquidation call along the path, in base units."""

    step: int
    debt: Address
    repaid: int
    collateral: Address
    seized: int
    """To the liquidator."""
    fee: int
    """To the protocol."""
    written_off: Mapping[Address, int] = field(default_factory=dict)
    """Debt that no collateral was left for, and that the protocol cancelled."""


class End(StrEnum):
    """How the liquidations of a position ended."""

    NONE = "none"
    """Nobody liquidated it."""
    HEALTHY = "healthy"
    """It was liquidated until it was healthy again."""
    CLOSED = "closed"
    """No debt is left."""
    STUCK = "stuck"
    """Still liquidatable: nothing left that may be taken, or nothing worth a liquidator's gas."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one position."""

    position: Position
    before_usd: float | None
    after_usd: float | None
    """What its owner is left with: never below zero where debt is owed without recourse."""
    net_usd: float | None
    """Assets less debts as the protocol counts them; negative is bad debt."""
    bad_debt_usd: float
    penalty_usd: float
    """What liquidators and protocol took beyond the debt repaid, at the prices of that moment."""
    taken: tuple[Taken, ...]
    end: End
    status: Status
    """At the end of the path."""
    causes: tuple[str, ...] = ()
    """Why anything of this is unknown."""
    legs: tuple[Leg, ...] = ()
    """What is left, with today's prices."""

    @property
    def loss_usd(self) -> float | None:
        """Return what the owner loses; None where it is not known."""
        if self.before_usd is None or self.after_usd is None:
            return None
        return self.before_usd - self.after_usd
