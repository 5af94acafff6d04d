"""The states of one alert: by cases from the table, then by what holds for any history."""

from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.underkeel.alerts.scene import START, rule
from underkeel.alerts import engine
from underkeel.alerts.engine import TABLE, Phase, Signal, State, severity
from underkeel.alerts.notice import Kind, due_at, notice
from underkeel.alerts.rules import Rule
from underkeel.config.alerts import RANK

FRESH = State(since=START)


def go(
    one: Rule, *values: float | str | None, state: State = FRESH, step: float = 12, first: int = 1
) -> State:
    """Return the state after some values, one a block; None: unread."""
    for i, value in enumerate(values):
        now = START + (first + i) * step
        if value is None:
            state = engine.unread(one, state, now, now)
        else:
            state = engine.read(one, state, Decimal(str(value)), now, first + i)
    return state


def test_table__every_phase_and_signal__has_one_answer() -> None:
    assert set(TABLE) == set(Phase)
    assert all(set(row) == set(Signal) for row in TABLE.values())


def test_table__blind__never_ends_what_fires() -> None:
    for phase in (Phase.FIRING, Phase.ACKED):
        assert TABLE[phase][Signal.BLIND] is phase
        assert TABLE[phase][Signal.STALE] is Phase.FIRING


@pytest.mark.parametrize(
    ("values", "phase", "level"),
    [
        ((2,), Phase.OK, 0),
        ((1.5,), Phase.OK, 0),
        ((1.4,), Phase.PENDING, 0),
        ((1.4, 1.4), Phase.FIRING, 1),
        ((1.4, 1.55), Phase.OK, 0),
        ((1.1,), Phase.FIRING, 2),
        ((1.4, 1.4, 1.55), Phase.FIRING, 1),
        ((1.4, 1.4, 1.6), Phase.RESOLVED, 0),
        ((1.1, 1.2), Phase.FIRING, 2),
        ((1.1, 1.25), Phase.FIRING, 1),
        ((1.1, 1.6), Phase.RESOLVED, 0),
        ((None,), Phase.UNKNOWN, 0),
        ((1.4, None), Phase.UNKNOWN, 0),
        ((1.4, None, 1.4), Phase.FIRING, 1),
        ((1.4, 1.4, None), Phase.FIRING, 1),
        ((None, 2), Phase.OK, 0),
    ],
)
def test_read__values_of_the_products_rule__its_state(
    values: tuple[Any, ...], phase: Phase, level: int
) -> None:
    state = go(rule(), *values)
    assert (state.phase, state.level) == (phase, level)


def test_read__fire_above__the_other_way_round() -> None:
    one = rule(
        expr="data_age",
        levels=[{"severity": "warning", "fire_above": "3m", "clear_below": "2m"}],
        **{"for": "0"},
        group_by=[],
    )
    assert go(one, 180).phase is Phase.OK
    assert go(one, 181).phase is Phase.FIRING
    assert go(one, 181, 121).phase is Phase.FIRING
    assert go(one, 181, 120).phase is Phase.RESOLVED


def test_for__in_seconds__waits_on_the_clock_even_within_one_block() -> None:
    one = rule(**{"for": "30s"})
    state = engine.read(one, FRESH, Decimal("1.4"), START, 5)
    assert engine.read(one, state, Decimal("1.4"), START + 29, 5).phase is Phase.PENDING
    assert engine.read(one, state, Decimal("1.4"), START + 30, 5).phase is Phase.FIRING


def test_for__in_blocks_where_there_is_none__twelve_seconds_each() -> None:
    one = rule()
    state = engine.read(one, FRESH, Decimal("1.4"), START, None)
    assert engine.read(one, state, Decimal("1.4"), START + 11, None).phase is Phase.PENDING
    assert engine.read(one, state, Decimal("1.4"), START + 12, None).phase is Phase.FIRING


def test_keep_firing__good_again__goes_on_for_as_long() -> None:
    one = rule(keep_firing="3 blocks")
    state = go(one, 1.1, 1.7, 1.7)
    assert (state.phase, state.level) == (Phase.FIRING, 2)
    assert go(one, 1.7, state=state, first=4).level == 0
    again = go(one, 1.1, 1.7, state=state, first=4)
    assert again.phase is Phase.FIRING


def test_stale__unread_for_long_enough__fires_by_itself_and_ends_when_read() -> None:
    one = rule()
    state = go(one, None, *([None] * 7))
    assert state.phase is Phase.UNKNOWN
    state = go(one, None, state=state, first=9)
    assert (state.phase, severity(one, state)) == (Phase.FIRING, "critical")
    assert go(one, 2, state=state, first=10).phase is Phase.RESOLVED
    beyond = go(one, 1.4, state=state, first=10)
    assert (beyond.phase, beyond.level) == (Phase.FIRING, 1), "what was unread waits for nothing"


def test_stale__while_firing__is_worse_of_both_and_wakes_who_acknowledged() -> None:
    one = rule()
    state = engine.acknowledged(go(one, 1.4, 1.4), "ada", START + 30)
    assert state.phase is Phase.ACKED
    state = engine.unread(one, state, START + 36, START + 36)
    assert state.phase is Phase.ACKED
    state = engine.unread(one, state, START + 48, START + 126)
    assert (state.phase, severity(one, state), state.acked_by) == (Phase.FIRING, "critical", "")


def test_unread__last_read_long_ago__counts_from_there() -> None:
    assert engine.unread(rule(), FRESH, START - 90, START).stale


def test_acknowledged__worse_afterwards__fires_again() -> None:
    one = rule()
    state = engine.acknowledged(go(one, 1.4, 1.4), "ada", START + 30)
    assert go(one, 1.4, state=state, first=3).phase is Phase.ACKED
    worse = go(one, 1.1, state=state, first=3)
    assert (worse.phase, worse.acked_at) == (Phase.FIRING, None)


@pytest.mark.parametrize("values", [(), (1.4,), (1.1, 1.7), (None,)], ids=str)
def test_acknowledged__what_does_not_fire__stays_as_it_is(values: tuple[Any, ...]) -> None:
    state = go(rule(), *values)
    assert engine.acknowledged(state, "ada", START + 99) is state


def test_gone__fires__ends_at_once() -> None:
    one = rule(keep_firing="1h")
    state = engine.gone(go(one, 1.1), START + 24)
    assert (state.phase, state.level, state.marks) == (Phase.RESOLVED, 0, ())


def test_clock__set_back_a_day__waits_begin_anew_and_are_no_longer() -> None:
    one = rule(**{"for": "30s"})
    state = engine.read(one, FRESH, Decimal("1.4"), START, 5)
    back = START - 86_400
    state = engine.read(one, state, Decimal("1.4"), back, 6)
    assert state.phase is Phase.PENDING
    assert engine.read(one, state, Decimal("1.4"), back + 30, 7).phase is Phase.FIRING


def test_chain__set_back__blocks_are_counted_anew() -> None:
    one = rule(**{"for": "5 blocks"})
    state = go(one, 1.4, first=100)
    state = engine.read(one, state, Decimal("1.4"), START + 5000, 50)
    assert state.phase is Phase.PENDING
    assert engine.read(one, state, Decimal("1.4"), START + 5001, 54).phase is Phase.FIRING


def test_flapping__back_and_forth_for_a_day__told_a_few_times_only() -> None:
    one = rule(**{"for": "0"})
    state, told, firing = State(since=START), 0, 0
    for i in range(3_600):
        value = Decimal("1.1") if i % 2 else Decimal("2")
        state = engine.read(one, state, value, START + 12 * i, i)
        state, kind, _ = notice(one, state, False, START + 12 * i)
        told += kind in (Kind.FIRED, Kind.RESOLVED)
        firing += state.alight
    assert told <= 8
    assert firing > 3_400


def test_expired__an_hour_after_the_end__and_only_once_it_was_told() -> None:
    one = rule()
    state = go(one, 1.1, 1.7)
    later = START + 24 + engine.RESOLVED_S
    assert not engine.expired(state, later - 1)
    assert engine.expired(state, later)
    untold = replace(state, told=replace(state.told, severity="critical"))
    assert not engine.expired(untold, later)


VALUES = st.sampled_from(["2", "1.55", "1.4", "1.2", "1.1", None])
STEPS = st.sampled_from([0, 1, 12, 100, 4_000, -50, -90_000])
ACTS = st.sampled_from(["", "", "", "", "ack", "gone"])
HISTORY = st.lists(st.tuples(VALUES, STEPS, ACTS, st.booleans()), max_size=40)


@cache
def patient(span: str, keep: str, critical: str) -> Rule:
    return rule(**{"for": span, "keep_firing": keep, "critical_for": critical})


RULES = st.builds(
    patient,
    st.sampled_from(["0", "2 blocks", "30s"]),
    st.sampled_from(["0", "3 blocks", "1m"]),
    st.sampled_from(["0", "1m"]),
)


def lived(one: Rule, history: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Live through a history; return what was told at each step, and the state after it."""
    state, now, steps = State(since=START), START, []
    for number, (value, step, act, muted) in enumerate(history, 1):
        now += step
        before = state
        if act == "gone":
            state = engine.gone(state, now)
        elif value is None:
            state = engine.unread(one, state, now, now)
        else:
            state = engine.read(one, state, Decimal(value), now, number)
        if act == "ack":
            state = engine.acknowledged(state, "ada", now)
        judged = state
        state, kind, to = notice(one, judged, muted, now)
        steps.append(
            {
                "before": before, "judged": judged, "state": state, "kind": kind, "to": to,
                "now": now, "value": value, "act": act, "muted": muted,
            }
        )  # fmt: skip
    return steps


@settings(max_examples=80, deadline=None)
@given(RULES, HISTORY)
def test_history__fires_and_nothing_mutes_it__people_know_it_as_bad_as_it_is(
    one: Rule, history: list[tuple[Any, ...]]
) -> None:
    for step in lived(one, history):
        state = step["state"]
        if state.phase is Phase.FIRING and not step["muted"]:
            assert RANK[state.told.severity] >= RANK[severity(one, state)] > 0
            assert state.told.stale or not state.stale
            due = due_at(one, state)
            assert state.told.reminders == 6 or (due is not None and due > step["now"])
            late = step["now"] - state.told.first_at >= 600
            assert state.told.escalated or not late or state.told.at == step["now"]


@settings(max_examples=80, deadline=None)
@example(
    patient("0", "0", "0"), [("1.1", 0, "", False), ("1.1", 100, "ack", False),
                             ("1.55", 4_000, "", False)],
)  # fmt: skip
@given(RULES, HISTORY)
def test_history__one_step__tells_at_most_once_and_again_at_the_same_time_nothing(
    one: Rule, history: list[tuple[Any, ...]]
) -> None:
    for step in lived(one, history):
        state = step["state"]
        again, kind, _ = notice(one, state, step["muted"], step["now"])
        assert kind is None
        assert again == state
        assert state.seq - step["before"].seq == (step["kind"] is not None)


@settings(max_examples=80, deadline=None)
@given(RULES, HISTORY)
def test_history__acknowledged__silent_until_worse_or_over(
    one: Rule, history: list[tuple[Any, ...]]
) -> None:
    for step in lived(one, history):
        if step["judged"].phase is Phase.ACKED:
            assert step["kind"] is None
        if step["before"].phase is Phase.ACKED and step["kind"] is not None:
            assert step["kind"] is not Kind.REMINDER


@settings(max_examples=80, deadline=None)
@given(RULES, HISTORY)
def test_history__end__told_once_for_each_beginning_that_was_told(
    one: Rule, history: list[tuple[Any, ...]]
) -> None:
    told = [step["kind"] for step in lived(one, history)]
    bounds = [kind for kind in told if kind in (Kind.FIRED, Kind.RESOLVED)]
    assert all(a is not b for a, b in pairwise(bounds))
    assert not bounds or bounds[0] is Kind.FIRED


@settings(max_examples=80, deadline=None)
@given(RULES, HISTORY)
def test_history__unknown__ends_nothing_and_is_never_ok(
    one: Rule, history: list[tuple[Any, ...]]
) -> None:
    for step in lived(one, history):
        if step["value"] is None and step["act"] != "gone":
            assert step["judged"].phase not in (Phase.OK, Phase.PENDING, Phase.RESOLVED)
            if step["before"].alight:
                assert step["judged"].alight
            if step["now"] - step["judged"].blind_since >= 90:
                assert step["judged"].alight


@settings(max_examples=80, deadline=None)
@given(RULES, HISTORY)
def test_history__the_same_reading_again_at_the_same_time__changes_nothing(
    one: Rule, history: list[tuple[Any, ...]]
) -> None:
    state, now, number = State(since=START), START, 0
    for value, step, _act, _muted in history:
        now, number = now + step, number + 1
        if value is None:
            state = engine.unread(one, state, now, now)
            assert engine.unread(one, state, now, now) == state
        else:
            state = engine.read(one, state, Decimal(value), now, number)
            assert engine.read(one, state, Decimal(value), now, number) == state


def test_notice__read_again_and_still_bad__says_so_once() -> None:
    one = rule(escalate=None)
    state, kind, _ = notice(one, go(one, 1.1), False, START + 12)
    state = engine.unread(one, state, START + 24, START + 24)
    state, kind, _ = notice(one, engine.unread(one, state, START, START + 120), False, START + 120)
    assert kind is Kind.STALE
    state = engine.read(one, state, Decimal("1.1"), START + 132, 11)
    state, kind, _ = notice(one, state, False, START + 132)
    assert kind is Kind.SEEN
    assert notice(one, state, False, START + 133)[1] is None


def test_notice__better_while_acknowledged_then_worse__told_again() -> None:
    one = rule(escalate=None)
    state, _, _ = notice(one, go(one, 1.1), False, START + 12)
    state = engine.acknowledged(state, "ada", START + 13)
    state = engine.read(one, state, Decimal("1.4"), START + 24, 2)
    state, kind, _ = notice(one, state, False, START + 24)
    assert (state.phase, kind) == (Phase.ACKED, None)
    state = engine.read(one, state, Decimal("1.1"), START + 36, 3)
    assert notice(one, state, False, START + 36)[1] is Kind.RAISED


def test_due__no_back_off__always_the_same_wait() -> None:
    one = rule(repeat={"every": "2d", "backoff": 1}, escalate=None)
    state, _, _ = notice(one, go(one, 1.1), False, START + 12)
    told = replace(state.told, reminders=50)
    assert due_at(one, replace(state, told=told)) == START + 12 + 2 * 86_400
    far = rule(escalate=None, repeat={"every": "1h", "backoff": 3})
    assert due_at(far, replace(state, told=told)) == START + 12 + 86_400
