"""What is to be done next, for every state that things can be in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.underkeel.steer.build import NOW, firing, proposal
from underkeel.steer.decide import Close, Hold, MakePlan, Start, Step, steps
from underkeel.steer.types import Firing, Proposal, Status


def decide(
    alerts: Sequence[Firing],
    known: Sequence[Proposal] = (),
    now: float = NOW,
    obstacle: str | None = None,
    paused: str | None = None,
) -> list[Step]:
    return steps(alerts, known, now, obstacle=lambda _wallet: obstacle, paused=paused)


def test_steps__fires_and_nothing_was_proposed__plans() -> None:
    alert = firing()
    assert decide([alert]) == [MakePlan(alert)]


def test_steps__several__the_worst_first() -> None:
    mild, bad = firing("a", value=0.5), firing("b", severity="critical", value=1.2, wallet="x")
    worse = firing("c", severity="critical", value=1.1, wallet="y")
    told = firing("d", severity="critical", value=0.1, mode="propose")
    found = decide([told, mild, bad, worse])
    made = [step.firing.key for step in found if isinstance(step, MakePlan)]
    assert made == ["c", "b", "a", "d"]


def test_steps__cannot_be_read__nothing_is_planned_or_begun() -> None:
    alert = firing(known=False)
    assert decide([alert]) == []
    waiting = proposal()
    assert decide([alert], [waiting]) == [
        Hold(waiting, "what the alert is about cannot be read now")
    ]


def test_steps__planned_and_may__starts() -> None:
    alert, waiting = firing(), proposal()
    assert decide([alert], [waiting]) == [Start(alert, waiting)]


@pytest.mark.parametrize(
    ("how", "cause"),
    [({"paused": "paused: storm"}, "paused: storm"), ({"obstacle": "no signer"}, "no signer")],
    ids=["paused", "obstacle"],
)
def test_steps__planned_and_may_not__holds_and_says_why(how: dict[str, Any], cause: str) -> None:
    waiting = proposal()
    assert decide([firing()], [waiting], **how) == [Hold(waiting, cause)]


def test_steps__propose_only__waits_for_a_person() -> None:
    assert decide([firing(mode="propose")], [proposal(mode="propose")]) == []


@pytest.mark.parametrize("status", [Status.EXECUTING, Status.UNKNOWN])
def test_steps__one_is_under_way_or_unknown__nothing_else_of_the_wallet(status: Status) -> None:
    other = firing("k2")
    busy = proposal(status=status)
    assert decide([firing(), other], [busy]) == []
    waiting = proposal(2, alert="k2")
    (held,) = decide([firing(), other], [busy, waiting])
    assert isinstance(held, Hold)
    assert "under way, or its outcome is unknown" in held.cause
    elsewhere = firing("k3", wallet="other")
    assert decide([elsewhere], [busy]) == [MakePlan(elsewhere)]


def test_steps__two_alerts_of_a_wallet__one_plan_at_a_time() -> None:
    first, second = firing("a", value=1.0), firing("b", value=1.1)
    assert decide([second, first]) == [MakePlan(first)]
    one, two = proposal(1, alert="a"), proposal(2, alert="b")
    started, held = decide([first, second], [one, two])
    assert started == Start(first, one)
    assert isinstance(held, Hold)
    assert decide([second, first], paused="paused") == [MakePlan(first), MakePlan(second)]


def test_steps__alert_is_over__withdraws_what_nobody_carried_out() -> None:
    waiting, running = proposal(), proposal(2, status=Status.EXECUTING)
    assert decide([], [waiting, running]) == [Close(waiting, Status.WITHDRAWN, "the alert is over")]


def test_steps__no_alert_asked_for_it__stays_until_it_expires() -> None:
    asked = proposal(alert="", mode="propose")
    assert decide([], [asked]) == []
    (closed,) = decide([], [asked], now=NOW + 600)
    assert isinstance(closed, Close)
    assert closed.status is Status.EXPIRED


def test_steps__plan_expired_and_it_still_fires__plans_again_within_its_limits() -> None:
    alert, old = firing(max_per_hour=2), proposal()
    closed, made = decide([alert], [old], now=NOW + 600)
    assert isinstance(closed, Close)
    assert closed.status is Status.EXPIRED
    assert made == MakePlan(alert)
    another = proposal(2, at=NOW + 600, expires_at=NOW + 1_200)
    over = proposal(status=Status.EXPIRED)
    (only,) = decide([alert], [over, another], now=NOW + 1_200)
    assert isinstance(only, Close)  # two in an hour are enough
    ended = [proposal(1, status=Status.EXPIRED), proposal(2, at=NOW + 600, status=Status.EXPIRED)]
    assert decide([alert], ended, now=NOW + 3_600) == [MakePlan(alert)]


def test_steps__things_moved_since_it_was_made__is_made_anew_within_the_limits() -> None:
    waiting = proposal(mode="propose", value=1.10)
    alert = firing(mode="propose", value=1.05, cool_down="2m", max_per_hour=2)
    assert decide([alert], [waiting], now=NOW + 119) == []
    closed, made = decide([alert], [waiting], now=NOW + 120)
    assert closed == Close(waiting, Status.EXPIRED, "things have moved: it is made anew")
    assert made == MakePlan(alert)
    still = firing(mode="propose", value=1.085)
    assert decide([still], [waiting], now=NOW + 120) == []
    unread = firing(mode="propose", value=0.0, known=False)
    assert decide([unread], [waiting], now=NOW + 120) == []
    before = proposal(7, status=Status.EXPIRED, mode="propose")
    assert decide([alert], [before, waiting], now=NOW + 120) == []  # two in an hour are enough


def test_steps__a_price_goes_to_and_fro__half_of_the_plans_are_left_for_what_expires() -> None:
    known: list[Proposal] = []
    made, bare = 0, 0
    for second in range(0, 3_600, 10):
        now = NOW + second
        alert = firing(mode="propose", value=1.0 + second % 20, cool_down="2m", max_per_hour=12)
        for step in decide([alert], known, now=now):
            if isinstance(step, Close):
                known = [replace(p, status=step.status) if p is step.proposal else p for p in known]
            else:
                made += 1
                shape = {"mode": "propose", "value": alert.value, "expires_at": now + 600}
                known.append(proposal(made, at=now, changed_at=now, **shape))
        bare += not any(p.status is Status.PROPOSED for p in known)
    assert made <= 12
    assert bare == 0


def test_steps__the_clock_was_set_back_a_day__what_it_left_is_over_and_planning_goes_on() -> None:
    alert, waiting = firing(value=1.0), proposal(value=1.0)
    yesterday = NOW - 86_400
    closed, made = decide([alert], [waiting], now=yesterday)
    assert isinstance(closed, Close)
    assert closed.status is Status.EXPIRED
    assert "clock was set back" in closed.cause
    assert made == MakePlan(alert)
    many = [proposal(n, status=Status.DONE) for n in range(12)]
    assert decide([alert], many, now=yesterday) == [MakePlan(alert)]
    assert decide([alert], [proposal(status=Status.EXECUTING)], now=yesterday) == []
    assert decide([alert], [waiting], now=NOW - 30) == [Start(alert, waiting)]


@pytest.mark.parametrize("status", [Status.DONE, Status.REFUSED, Status.FAILED])
def test_steps__after_an_end__waits_the_cool_down(status: Status) -> None:
    alert = firing(cool_down="2m")
    over = proposal(status=status, changed_at=NOW + 30)
    assert decide([alert], [over], now=NOW + 149) == []
    assert decide([alert], [over], now=NOW + 150) == [MakePlan(alert)]
