"""One channel's delivery, by a clock in the hand."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection

from tests.underkeel.notify.scene import (
    DAY,
    DELIVERED,
    DOWN,
    GONE,
    LIMITS,
    ODD,
    SILENT,
    Fake,
    Scene,
)
from underkeel.notify import lane as lanes
from underkeel.notify import queue
from underkeel.notify.types import Message, Outcome, Verdict
from underkeel.store import events
from underkeel.store.errors import Locked, LockLost

sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""For what asks nothing new of the database: the other tests run on both."""


def test_step__works__each_once_in_order_and_noted(scene: Scene) -> None:
    hook = Fake()
    for title in "abc":
        scene.put(title, alert="k")
    lane = scene.lane(hook)
    scene.run(lane)
    assert hook.titles == ["a", "b", "c"]
    assert scene.statuses() == ["delivered"] * 3
    assert lane.totals == {"delivered": 3}
    assert lane.look(0).status == "ok"


@sqlite
def test_step__fails__waits_longer_each_time_up_to_five_minutes(scene: Scene) -> None:
    hook = Fake(answer=lambda message: DOWN)
    scene.put("a")
    lane = scene.lane(hook)
    waits: list[float] = []
    for _ in range(12):
        began = scene.clock.steady
        tries = len(hook.got)
        while len(hook.got) == tries:
            scene.clock.steady += lane.step()
        waits.append(scene.clock.steady - began)
        assert scene.rows()[0].status == "waiting"
    assert waits[:5] == [0, 2, 4, 8, 16]
    assert waits[-1] == 300
    assert lane.look(1).status == "failing"


@sqlite
def test_step__down_for_a_day__then_all_arrive_in_order(scene: Scene) -> None:
    hook = Fake(answer=lambda message: DOWN)
    lane = scene.lane(hook)
    titles: list[str] = []
    for hour in range(24):
        for state in ("firing", "resolved"):
            titles.append(f"{state} {hour}")
            scene.put(titles[-1], alert=f"k{hour % 3}", state=state)
            scene.run(lane, 1_800)
    tried = len(hook.got)
    assert set(hook.titles) == {"firing 0"}, "a dead channel is probed by one message"
    assert 280 < tried < 320
    hook.answer = lambda message: DELIVERED
    scene.run(lane, 400)
    assert hook.titles[tried:] == titles
    assert set(scene.statuses()) == {"delivered"}


def test_step__down_for_hours__people_get_digests_that_name_all(scene: Scene) -> None:
    chat = Fake(knows_repeats=False, answer=lambda message: DOWN)
    lane = scene.lane(chat)
    for hour in range(24):
        scene.put(f"firing {hour}", alert="k", body="x" * 400)
        scene.put(f"resolved {hour}", alert="k", state="resolved")
        scene.run(lane, 900)
    tried = len(chat.got)
    chat.answer = lambda message: DELIVERED
    scene.run(lane, 400)
    first, *told = [message for message, _, _ in chat.got[tried:]]
    assert first.title == "firing 0"
    assert [m.title for m in told] == [
        "40 messages: 20 resolved, 20 warning",
        "7 messages: 4 resolved, 3 warning",
    ]
    assert len(scene.receipts()) < 150, "while it fails, one message is tried"
    text = "\n".join(m.body for m in told)
    names = [f"{s} {h}" for h in range(24) for s in ("firing", "resolved")]
    found = [text.index(f": {name}\n") for name in names[1:]]
    assert found == sorted(found)
    assert all(len(m.body) < 4_000 for m in told)
    assert {r.digest for r in scene.receipts()[-7:]} == {told[-1].id}
    assert set(scene.statuses()) == {"delivered"}


def test_step__unknown_outcome__is_repeated_and_said_to_be(scene: Scene) -> None:
    hook = Fake(answer=lambda message: SILENT)
    scene.put("a")
    lane = scene.lane(hook)
    lane.step()
    hook.answer = lambda message: DELIVERED
    scene.run(lane, 10)
    assert [(attempt, repeated) for _, attempt, repeated in hook.got] == [(1, False), (2, True)]
    assert hook.got[0][0].id == hook.got[1][0].id
    assert [(r.outcome, r.repeated) for r in scene.receipts()] == [
        ("unknown", False),
        ("delivered", True),
    ]


@sqlite
def test_step__definite_failure__is_not_called_repeated(scene: Scene) -> None:
    hook = Fake(answer=lambda message: DOWN)
    scene.put("a")
    lane = scene.lane(hook)
    scene.run(lane, 60)
    assert {repeated for _, _, repeated in hook.got} == {False}


@sqlite
def test_step__retry_after__is_kept(scene: Scene) -> None:
    hook = Fake(answer=lambda message: Outcome(Verdict.FAILED, "429", 429, 1_000.0))
    scene.put("a")
    lane = scene.lane(hook)
    scene.run(lane, 999)
    assert len(hook.got) == 1
    scene.run(lane, 5)
    assert len(hook.got) == 2


@sqlite
def test_step__new_messages_while_it_fails__do_not_hurry_it(scene: Scene) -> None:
    hook = Fake(answer=lambda message: DOWN)
    lane = scene.lane(hook)
    scene.put("a")
    scene.run(lane, 1_000)
    tried = len(hook.got)
    scene.put("b")
    assert lane.step() > 1
    assert len(hook.got) == tried


def test_told__refused__others_at_once_and_again_when_it_works(scene: Scene) -> None:
    hook = Fake(answer=lambda message: GONE)
    scene.put("a")
    lane = scene.lane(hook, ["mail", "chat"])
    lane.step()
    for other in ("mail", "chat"):
        (row,) = scene.rows(other)
        assert row.state == "firing"
        assert row.severity == "critical"
        assert "404" in row.body
    scene.run(lane, DAY)
    assert 20 < len(hook.got) < 40, "tried still, slowly"
    assert len(scene.rows("mail")) == 1
    hook.answer = lambda message: DELIVERED
    scene.run(scene.lane(hook, ["mail", "chat"], who="run/2"), 10)  # another run finds it well
    assert [row.state for row in scene.rows("mail")] == ["firing", "resolved"]
    with scene.store.reading() as db:
        told = events.before(db, None, alert="delivery-failing/hook")
    assert [event.body["state"] for event in told] == ["resolved", "firing"]


@sqlite
def test_told__failing__after_three_failures_and_once_over_restarts(scene: Scene) -> None:
    hook = Fake(answer=lambda message: DOWN)
    scene.put("a")
    lane = scene.lane(hook, ["mail"])
    while len(hook.got) < 2:
        scene.clock.steady += lane.step()
    assert scene.rows("mail") == []
    scene.run(lane, 100)
    assert len(scene.rows("mail")) == 1
    scene.run(scene.lane(hook, ["mail"], who="run/2"), 1_000)
    assert len(scene.rows("mail")) == 1


def test_told__given_up__others_hear_which(scene: Scene) -> None:
    hook = Fake(answer=lambda message: DOWN, limits=replace(LIMITS, retry_for_s=3_600))
    for i in range(25):
        scene.put(f"m{i}")
    lane = scene.lane(hook, ["mail"])
    scene.run(lane, 3_500)
    assert set(scene.statuses()) == {"waiting"}
    scene.put("young")
    scene.run(lane, 800)
    assert scene.statuses() == ["failed"] * 25 + ["waiting"]
    _, gave_up = scene.rows("mail")
    assert gave_up.state == "gave-up"
    assert "25 message(s)" in gave_up.title
    assert "- m0\n" in gave_up.body
    assert "and 5 more" in gave_up.body


@sqlite
def test_step__one_message_refused__others_pass_and_it_is_given_up_and_told(scene: Scene) -> None:
    def answer(message: Message) -> Outcome:
        return ODD if message.title == "odd" else DELIVERED

    hook = Fake(answer=answer)
    scene.put("odd", alert="k")
    scene.put("next of it", alert="k")
    scene.put("b")
    lane = scene.lane(hook, ["mail"])
    scene.run(lane, 1)
    assert scene.statuses() == ["waiting", "waiting", "delivered"]
    assert lane.look(0).status == "ok"
    for i in range(9):
        scene.put(f"more {i}")
        scene.run(lane, 1_000)
    assert scene.statuses()[:2] == ["failed", "delivered"]
    (told,) = scene.rows("mail")
    assert "odd" in told.body


@sqlite
def test_step__every_message_refused_as_bad__is_the_channel(scene: Scene) -> None:
    hook = Fake(answer=lambda message: ODD)
    for i in range(3):
        scene.put(f"m{i}")
    lane = scene.lane(hook, ["mail"])
    scene.run(lane, 4_000)
    assert lane.look(0).status == "failing"
    assert [row.state for row in scene.rows("mail")] == ["firing"]
    assert set(scene.statuses()) == {"waiting"}, "not given up within the hour"


@sqlite
def test_step__a_digest_refused_as_bad__goes_one_by_one(scene: Scene) -> None:
    chat = Fake(knows_repeats=False, answer=lambda m: ODD if m.state == "digest" else DELIVERED)
    for i in range(6):
        scene.put(f"m{i}")
    lane = scene.lane(chat)
    scene.run(lane, 10)
    assert chat.titles[1:] == [f"m{i}" for i in range(6)]
    assert set(scene.statuses()) == {"delivered"}


@sqlite
def test_step__rate__no_more_than_so_many_in_any_minute(scene: Scene) -> None:
    hook = Fake(limits=replace(LIMITS, per_minute=5))
    for i in range(12):
        scene.put(f"m{i}")
    lane = scene.lane(hook)
    counts = []
    for _ in range(3):
        scene.run(lane, 59.9)
        counts.append(len(hook.got))
        scene.clock.steady += 0.2
    assert counts == [5, 10, 12]


@sqlite
@pytest.mark.parametrize("jump", [-10 * DAY, 10 * DAY], ids=["back", "forth"])
def test_step__clock_jumps__nothing_late_and_nothing_given_up(scene: Scene, jump: float) -> None:
    hook = Fake(answer=lambda message: DOWN)
    scene.put("a")
    lane = scene.lane(hook)
    scene.run(lane, 1_000)
    scene.clock.skew += jump
    scene.put("b")
    scene.run(lane, 300)
    hook.answer = lambda message: DELIVERED
    scene.run(lane, 400)
    assert scene.statuses() == ["delivered"] * 2


def test_step__ended_while_sending__is_sent_again_by_the_next(scene: Scene) -> None:
    def die(message: Message) -> Outcome:
        raise KeyboardInterrupt

    scene.put("a")
    with pytest.raises(KeyboardInterrupt):
        scene.lane(Fake(answer=die)).step()
    assert scene.statuses() == ["sending"]
    hook = Fake()
    scene.run(scene.lane(hook, who="run/2"))
    assert [(a, r) for _, a, r in hook.got] == [(2, True)]
    assert scene.statuses() == ["delivered"]


@sqlite
def test_step__a_channel_that_raises__is_an_unknown_outcome(scene: Scene) -> None:
    def bad(message: Message) -> Outcome:
        raise ZeroDivisionError

    scene.put("a")
    lane = scene.lane(Fake(answer=bad))
    lane.step()
    assert "ZeroDivisionError" in lane.look(0).cause
    assert scene.receipts()[0].outcome == "unknown"


def test_step__database_takes_no_receipt__nothing_more_is_sent_until_it_does(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> int:
        raise Locked("database is locked")

    hook = Fake()
    scene.put("a")
    scene.put("b")
    lane = scene.lane(hook)
    with monkeypatch.context() as patched:
        patched.setattr(queue, "settle", full)
        assert lane.step() == lanes.ERROR_S
        assert lane.step() == lanes.ERROR_S
        assert "locked" in lane.look(0).cause
    assert hook.titles == ["a"]
    scene.run(lane)
    assert hook.titles == ["a", "b"]
    assert scene.statuses() == ["delivered"] * 2
    assert lane.database == ""


def test_step__lock_lost__sends_nothing_and_ends(scene: Scene) -> None:
    def fence(db: Connection) -> None:
        raise LockLost("monitor", 1, "host:2")

    hook = Fake()
    scene.put("a")
    lane = scene.lane(hook, fence=fence)
    with pytest.raises(LockLost):
        lane.step()
    assert hook.got == []
    assert scene.statuses() == ["waiting"]
