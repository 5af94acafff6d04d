"""What people are told of one alert, and when: what it is now against what they were told last.

Nothing is told twice, and what was held back by a silence is told once that ends: told is compared
with what is so, and never with what has happened.
"""

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import Final

from underkeel.alerts.engine import Phase, State, severity
from underkeel.alerts.rules import Rule
from underkeel.config.alerts import RANK

LONGEST_WAIT_S: Final = 86_400
"""Reminders never come less often, unless the rule begins with longer waits."""


class Kind(StrEnum):
    """Why something is told."""

    FIRED = "firing"
    RAISED = "worse"
    LOWERED = "better"
    STALE = "unknown"
    """It cannot be read any more."""
    SEEN = "known"
    """It can be read again, and still fires."""
    REMINDER = "repeat"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


def notice(
    rule: Rule, state: State, muted: bool, now: float
) -> tuple[State, Kind | None, tuple[str, ...]]:
    """Return what is to be told, to whom, and the state with that remembered.

    With nobody to tell it is remembered all the same: adding a channel later repeats nothing old.
    """
    kind = _kind(rule, state, now)
    if kind is None or (muted and kind is not Kind.RESOLVED):
        return _acked(rule, state), None, ()
    if kind is Kind.RESOLVED:
        if muted:
            return state, None, ()
        to = state.told.channels if rule.table.tell_resolved else ()
        seq = state.seq + 1
        return replace(state, told=type(state.told)(), seq=seq), kind, to
    how_bad = severity(rule, state)
    to = rule.notify[how_bad]
    told = state.told
    if kind is Kind.FIRED:
        told = replace(told, first_at=now)
    if kind is Kind.ESCALATED:
        assert rule.table.escalate is not None  # else nothing is due
        to = rule.table.escalate.to
    told = replace(
        told,
        severity=how_bad,
        stale=state.stale,
        at=now,
        reminders=told.reminders + 1 if kind is Kind.REMINDER else told.reminders,
        escalated=told.escalated or kind is Kind.ESCALATED,
        channels=_both(told.channels, to),
    )
    if kind in (Kind.RAISED, Kind.STALE):
        told = replace(told, reminders=0)
    return replace(state, told=told, seq=state.seq + 1), kind, to


def due_at(rule: Rule, state: State) -> float | None:
    """Return when the next reminder is due; None: never, without a change."""
    told, repeat = state.told, rule.table.repeat
    if state.phase is not Phase.FIRING or not told.severity:
        return None
    if repeat.max is not None and told.reminders >= repeat.max:
        return None
    longest = max(LONGEST_WAIT_S, repeat.every)
    wait = float(repeat.every)
    for _ in range(told.reminders):
        wait = min(wait * repeat.backoff, longest)
        if wait == longest or repeat.backoff == 1:
            break
    return told.at + wait


def _kind(rule: Rule, state: State, now: float) -> Kind | None:
    told = state.told
    if not state.alight:
        return Kind.RESOLVED if told.severity else None
    if state.phase is Phase.ACKED:
        return None
    bad, was = RANK[severity(rule, state)], RANK[told.severity]
    if not was:
        return Kind.FIRED
    if bad > was:
        return Kind.RAISED
    if state.stale and not told.stale:
        return Kind.STALE
    if bad < was:
        return Kind.LOWERED
    if told.stale and not state.stale:
        return Kind.SEEN
    escalate = rule.table.escalate
    waited = now - told.first_at if now > told.at else -1.0  # one thing at a time
    if escalate and not told.escalated and waited >= escalate.after:
        return Kind.ESCALATED
    due = due_at(rule, state)
    return Kind.REMINDER if due is not None and now >= due else None


def _acked(rule: Rule, state: State) -> State:
    """Return the state with what an acknowledged alert has become taken as told.

    Else one that got better and worse again would be compared with the worst that it ever was.
    """
    if state.phase is not Phase.ACKED or not state.told.severity:
        return state
    bad = severity(rule, state)
    if RANK[bad] > RANK[state.told.severity]:
        return state
    told = replace(state.told, severity=bad, stale=state.stale)
    return state if told == state.told else replace(state, told=told)


def _both(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))
