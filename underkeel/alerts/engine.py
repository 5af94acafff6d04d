"""What becomes of one alert when its value is read, or cannot be: pure, no clock, no database.

    ok → pending → firing → acked → resolved, and unknown

An unknown value ends nothing: it is not good, and an alert that fires goes on. Once it has been
unknown for as long as `on_stale` says, that is an alert by itself. A clock that goes backwards
makes waits begin anew; it never makes one longer than it is from here on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from underkeel.alerts.rules import Level, Rule
from underkeel.config.alerts import RANK, Span

BLOCK_S: Final = 12
"""What a block counts where there is none: of a chain that cannot be read."""
RESOLVED_S: Final = 3_600
"""How long what is over is remembered, to be shown, and to know what flaps."""
FLAP_S: Final = 60
"""From the third time within that on it must be calm for so long, doubled each time."""


class Phase(StrEnum):
    """Where an alert is."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    ACKED = "acked"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"


class Signal(StrEnum):
    """What one reading, or a person, says to it."""

    CALM = "calm"
    """Read, and no level is asked for."""
    NEAR = "near"
    """A level is asked for, and not yet for long enough."""
    HIT = "hit"
    """A level holds: as bad as it was, or better."""
    WORSE = "worse"
    """A more severe level than the one it is at."""
    BLIND = "blind"
    """Not read."""
    STALE = "stale"
    """Not read for so long that it counts as an alert, since just now."""
    ACK = "ack"
    """Somebody looks after it."""


_P, _S = Phase, Signal
TABLE: Final[Mapping[Phase, Mapping[Signal, Phase]]] = {
    _P.OK: {
        _S.CALM: _P.OK, _S.NEAR: _P.PENDING, _S.HIT: _P.FIRING, _S.WORSE: _P.FIRING,
        _S.BLIND: _P.UNKNOWN, _S.STALE: _P.FIRING, _S.ACK: _P.OK,
    },
    _P.PENDING: {
        _S.CALM: _P.OK, _S.NEAR: _P.PENDING, _S.HIT: _P.FIRING, _S.WORSE: _P.FIRING,
        _S.BLIND: _P.UNKNOWN, _S.STALE: _P.FIRING, _S.ACK: _P.PENDING,
    },
    _P.FIRING: {
        _S.CALM: _P.RESOLVED, _S.NEAR: _P.RESOLVED, _S.HIT: _P.FIRING, _S.WORSE: _P.FIRING,
        _S.BLIND: _P.FIRING, _S.STALE: _P.FIRING, _S.ACK: _P.ACKED,
    },
    _P.ACKED: {
        _S.CALM: _P.RESOLVED, _S.NEAR: _P.RESOLVED, _S.HIT: _P.ACKED, _S.WORSE: _P.FIRING,
        _S.BLIND: _P.ACKED, _S.STALE: _P.FIRING, _S.ACK: _P.ACKED,
    },
    _P.RESOLVED: {
        _S.CALM: _P.RESOLVED, _S.NEAR: _P.PENDING, _S.HIT: _P.FIRING, _S.WORSE: _P.FIRING,
        _S.BLIND: _P.UNKNOWN, _S.STALE: _P.FIRING, _S.ACK: _P.RESOLVED,
    },
    _P.UNKNOWN: {
        _S.CALM: _P.OK, _S.NEAR: _P.PENDING, _S.HIT: _P.FIRING, _S.WORSE: _P.FIRING,
        _S.BLIND: _P.UNKNOWN, _S.STALE: _P.FIRING, _S.ACK: _P.UNKNOWN,
    },
}  # fmt: skip
"""The one table of transitions."""
ALIGHT: Final = frozenset({Phase.FIRING, Phase.ACKED})


@dataclass(frozen=True, slots=True)
class Mark:
    """When something began."""

    at: float
    block: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What people were told last of an alert that fires, or has just ended."""

    severity: str = ""
    """Empty: nothing."""
    stale: bool = False
    at: float = 0.0
    first_at: float = 0.0
    """Where waiting for somebody to acknowledge it begins."""
    reminders: int = 0
    escalated: bool = False
    channels: tuple[str, ...] = ()
    """Everybody who was told, to be told of its end."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything that is remembered of one rule and one set of labels."""

    phase: Phase = Phase.OK
    since: float = 0.0
    level: int = 0
    """Of the rule's levels, from 1; 0: none."""
    marks: tuple[Mark | None, ...] = ()
    """Per level, since when the value is beyond it."""
    keeping: Mark | None = None
    """Since when the value asks for less than the level that is kept."""
    blind_since: float | None = None
    stale: bool = False
    """It fires, among other things, because it cannot be read."""
    flaps: int = 0
    ended_at: float | None = None
    acked_at: float | None = None
    acked_by: str = ""
    seq: int = 0
    """How often something was told of it."""
    told: Told = field(default_factory=Told)

    @property
    def alight(self) -> bool:
        """Whether it fires, acknowledged or not."""
        return self.phase in ALIGHT


def severity(rule: Rule, state: State) -> str:
    """Return how bad it is: the worse of its level and of not being readable; empty: neither."""
    if not state.alight:
        return ""
    level = rule.levels[state.level - 1].severity if state.level else ""
    if not state.stale or RANK[level] >= RANK[rule.stale_severity]:
        return level
    return rule.stale_severity


def calm(rule: Rule, state: State | None, value: Decimal) -> bool:
    """Tell quickly whether a value changes nothing of an alert that is not there."""
    first = rule.levels[0]
    return (state is None or state.phase is Phase.OK) and not _beyond(rule, first.fire, value)


def read(rule: Rule, state: State, value: Decimal, now: float, block: int | None) -> State:
    """Return the state once the value was read at `block`, at `now` by our clock."""
    state, place = clamped(state, now, block), Mark(now, block)
    were = (*state.marks, *(None,) * len(rule.levels))
    marks = tuple(
        (were[i] or place) if _beyond(rule, level.fire, value) else None
        for i, level in enumerate(rule.levels)
    )
    reached = _last(
        mark is not None and (state.stale or _elapsed(level.span, mark, place))
        for mark, level in zip(marks, rule.levels, strict=True)
    )
    held = _last(
        i < state.level and not _cleared(rule, level, value) for i, level in enumerate(rule.levels)
    )
    target = max(reached, held)
    state = replace(state, marks=marks if any(marks) else (), blind_since=None)
    if state.alight and (target < state.level or (state.stale and not target)):
        keeping = state.keeping or place
        if not _kept_long_enough(rule, state, keeping, place):
            return _moved(replace(state, keeping=keeping), Signal.HIT, now)
    before = RANK[severity(rule, state)]
    state = replace(state, keeping=None, level=target if target or not state.alight else 0)
    if not target:
        return _moved(state, Signal.NEAR if state.marks else Signal.CALM, now)
    state = replace(state, stale=False)
    after = RANK[rule.levels[target - 1].severity]
    return _moved(state, Signal.WORSE if after > before else Signal.HIT, now)


def unread(rule: Rule, state: State, since: float, now: float) -> State:
    """Return the state when the value could not be read, for the first time or again.

    `since` is when it was last read, or when it was first missed.
    """
    state = clamped(state, now, None)
    blind = min(since, now) if state.blind_since is None else state.blind_since
    state = replace(state, blind_since=blind)
    if not state.stale and now - blind >= rule.stale_after:
        return _moved(replace(state, stale=True), Signal.STALE, now)
    return _moved(state, Signal.BLIND, now)


def gone(state: State, now: float) -> State:
    """Return the state when there is nothing left to watch: the position is closed."""
    state = replace(clamped(state, now, None), marks=(), keeping=None, level=0, blind_since=None)
    return _moved(state, Signal.CALM, now)


def acknowledged(state: State, by: str, now: float) -> State:
    """Return the state once somebody looks after it; unchanged where it does not fire."""
    if state.phase is not Phase.FIRING:
        return state
    state = replace(clamped(state, now, None), acked_at=now, acked_by=by)
    return _moved(state, Signal.ACK, now)


def expired(state: State, now: float) -> bool:
    """Tell whether what is over need not be remembered any longer."""
    return state.phase is Phase.RESOLVED and not state.told.severity and _past(state, now)


def _past(state: State, now: float) -> bool:
    return state.ended_at is not None and now - state.ended_at >= RESOLVED_S


def clamped(state: State, now: float, block: int | None) -> State:
    """Return the state with nothing later than now: a clock or a chain went backwards."""

    def earlier(mark: Mark | None) -> Mark | None:
        if mark is None:
            return None
        behind = block is not None and mark.block is not None and mark.block > block
        if mark.at <= now and not behind:
            return mark
        return Mark(min(mark.at, now), block if behind else mark.block)

    told = state.told
    late = [state.since, told.at, told.first_at]
    if state.phase is Phase.OK and state.ended_at is not None and _past(state, now):
        state = replace(state, ended_at=None, flaps=0)
    late += [t for t in (state.blind_since, state.ended_at, state.acked_at) if t is not None]
    marks = tuple(earlier(mark) for mark in state.marks)
    keeping = earlier(state.keeping)
    if max(late) <= now and marks == state.marks and keeping == state.keeping:
        return state

    def least(at: float | None) -> float | None:
        return None if at is None else min(at, now)

    return replace(
        state,
        since=min(state.since, now),
        marks=marks,
        keeping=keeping,
        blind_since=least(state.blind_since),
        ended_at=least(state.ended_at),
        acked_at=least(state.acked_at),
        told=replace(told, at=min(told.at, now), first_at=min(told.first_at, now)),
    )


def _moved(state: State, signal: Signal, now: float) -> State:
    before, after = state.phase, TABLE[state.phase][signal]
    if after is before:
        return state
    changes: dict[str, Any] = {"phase": after, "since": now}
    if after is Phase.FIRING and before is Phase.ACKED:
        told = replace(state.told, first_at=now, escalated=False)
        changes |= {"acked_at": None, "acked_by": "", "told": told}
    elif after is Phase.FIRING:
        again = state.ended_at is not None and not _past(state, now)
        changes["flaps"] = state.flaps + 1 if again else 0
    elif after is Phase.OK and _past(state, now):
        changes |= {"ended_at": None, "flaps": 0}
    elif after is Phase.RESOLVED:
        changes |= {"ended_at": now, "acked_at": None, "acked_by": "", "stale": False, "level": 0}
    return replace(state, **changes)


def _kept_long_enough(rule: Rule, state: State, since: Mark, place: Mark) -> bool:
    extra = min(RESOLVED_S, FLAP_S * 2 ** min(state.flaps - 2, 8)) if state.flaps >= 2 else 0
    return _elapsed(rule.keep, since, place) and place.at - since.at >= extra


def _beyond(rule: Rule, fire: Decimal, value: Decimal) -> bool:
    return value < fire if rule.below else value > fire


def _cleared(rule: Rule, level: Level, value: Decimal) -> bool:
    return value >= level.clear if rule.below else value <= level.clear


def _elapsed(span: Span, mark: Mark, place: Mark) -> bool:
    """Tell whether something has lasted; two blocks are the first one and the next."""
    if not span.blocks:
        return place.at - mark.at >= span.seconds
    if mark.block is not None and place.block is not None:
        return place.block - mark.block + 1 >= span.blocks
    return place.at - mark.at >= (span.blocks - 1) * BLOCK_S


def _last(holds: Any) -> int:
    """Return the number of the last that holds, from 1; 0 where none does."""
    return max((i + 1 for i, held in enumerate(holds) if held), default=0)
