"""What is known of every position of a chain, each as of the block it was last judged at.

Each reading screens all positions it brings. Of those, what is new, unsound or near danger is
judged at once; then what moved, then what was judged longest ago, for as long as the time that is
given lasts. Nothing here hides its age: an assessment carries its own block.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from typing import Final

from chain.types import Address
from protocols.types import Position
from risk.types import Assessment
from underkeel.monitor.screen import Screened, moved, screen
from underkeel.portfolio import RawReport
from underkeel.valuation import Valuation, assess

PURSE: Final = "wallet"
"""The kind of position that holds allowances: there is little to judge in it, and much to see."""


class Turn(IntEnum):
    """Why a position is judged, the most urgent first."""

    NOW = 0
    """It is new, unsound or near danger."""
    MOVED = 1
    OLD = 2


@dataclass(slots=True)
class Held:
    """One position."""

    position: Position
    """As it was read last."""
    screened: Screened
    assessment: Assessment | None = None
    judged: Screened | None = None
    """How it was screened when it was judged."""
    judged_at: float = 0.0
    """By the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one reading did to what is known."""

    judged: tuple[str, ...]
    """Ids judged at this block."""
    gone: tuple[str, ...]
    """Ids of positions that are no more, or cannot be read."""
    waiting: int
    """Positions whose health moved, and that are to be judged by one of the next readings."""
    worst: Fraction | None
    """Least health of all that is held."""


@dataclass(slots=True)
class Standing:
    """The positions of one chain. For one thread."""

    near: Fraction
    """Health below which a position is judged at every reading."""
    refresh_s: float = 30.0
    """The longest that a judgement is kept, where not all can be judged each time."""
    max_price_age_s: int | None = None
    monotonic: Callable[[], float] = time.monotonic
    held: dict[str, Held] = field(default_factory=dict)
    _cost_s: float = 0.0
    """What one judgement costs, on a sliding average."""

    @property
    def assessments(self) -> tuple[Assessment, ...]:
        """Return the last judgement of every position."""
        return tuple(h.assessment for h in self.held.values() if h.assessment is not None)

    def take(
        self, raw: RawReport, budget_s: float, accounts: Iterable[Address] | None = None
    ) -> Taken:
        """Take in a reading of some accounts, None: of all.

        What is new, unsound or near is judged however long that takes; the rest all together
        where that fits into `budget_s`, else what moved and what is older than `refresh_s`.
        """
        began = self.monotonic()
        gone = self._drop(raw, None if accounts is None else frozenset(accounts))
        turns: dict[Turn, list[Held]] = {turn: [] for turn in Turn}
        for position in raw.positions:
            held = self._screened(position)
            turns[self._turn(held)].append(held)
        judged = [self._judge(h, raw.valuation) for h in turns[Turn.NOW]]
        rest = self._rest(turns, budget_s - (self.monotonic() - began))
        for held in rest:
            if self.monotonic() - began > budget_s:
                break
            judged.append(self._judge(held, raw.valuation))
        done = len(judged) - len(turns[Turn.NOW])
        return Taken(
            judged=tuple(judged),
            gone=gone,
            waiting=max(0, len(turns[Turn.MOVED]) - done),
            worst=self.worst(),
        )

    def _rest(self, turns: Mapping[Turn, list[Held]], left_s: float) -> list[Held]:
        old = sorted(turns[Turn.OLD], key=lambda h: h.judged_at)
        rest = [*turns[Turn.MOVED], *old]
        if len(rest) * self._cost_s <= left_s:
            return rest
        now = self.monotonic()
        return [*turns[Turn.MOVED], *(h for h in old if now - h.judged_at >= self.refresh_s)]

    def worst(self, accounts: Iterable[Address] | None = None) -> Fraction | None:
        """Return the least health, of all or of some accounts."""
        of = None if accounts is None else frozenset(accounts)
        found = (
            h.screened.health for h in self.held.values() if of is None or h.position.owner in of
        )
        return min((f for f in found if f is not None), default=None)

    def endangered(self) -> frozenset[Address]:
        """Return the accounts with a position that is near danger, or cannot be relied on."""
        return frozenset(h.position.owner for h in self.held.values() if self._urgent(h.screened))

    def forget(self, after: int) -> None:
        """Have judged anew what was judged at a block above this number: it left the chain."""
        for held in self.held.values():
            if held.assessment is not None and held.assessment.position.at.number > after:
                held.judged = None

    def _drop(self, raw: RawReport, accounts: frozenset[Address] | None) -> tuple[str, ...]:
        """Remove what a reading of these accounts does not show any more."""
        seen = {p.id for p in raw.positions}
        gone = tuple(
            id_
            for id_, held in self.held.items()
            if id_ not in seen and (accounts is None or held.position.owner in accounts)
        )
        for id_ in gone:
            del self.held[id_]
        return gone

    def _screened(self, position: Position) -> Held:
        held = self.held.get(position.id)
        if held is None:
            held = self.held[position.id] = Held(position, screen(position))
        else:
            held.position, held.screened = position, screen(position)
        return held

    def _turn(self, held: Held) -> Turn:
        if held.judged is None or self._urgent(held.screened) or held.position.kind == PURSE:
            return Turn.NOW
        return Turn.MOVED if moved(held.judged, held.screened) else Turn.OLD

    def _urgent(self, screened: Screened) -> bool:
        if not screened.sound:
            return True
        return screened.health is not None and screened.health < self.near

    def _judge(self, held: Held, valuation: Valuation) -> str:
        began = self.monotonic()
        held.assessment = assess(held.position, valuation, self.max_price_age_s)
        held.judged, held.judged_at = held.screened, self.monotonic()
        self._cost_s += (held.judged_at - began - self._cost_s) / 50
        return held.position.id
