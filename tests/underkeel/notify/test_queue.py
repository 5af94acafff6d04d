"""The outbox: claimed once and in order, settled by its claimant, recovered from one gone."""

import threading

import pytest

from tests.underkeel.notify.scene import DELIVERED, DOWN, SILENT, T0, Scene
from underkeel.notify import queue
from underkeel.notify.wire import LONGEST_WAIT_S

WHO, OTHER = "run/1", "run/2"


def claim(scene: Scene, most: int = 1, who: str = WHO) -> list[queue.Claim]:
    with scene.store.writing() as db:
        return queue.claim(db, "hook", who=who, now=scene.now, until=scene.now + 60, most=most)


def settle(scene: Scene, claims: list[queue.Claim], outcome: object, **more: object) -> int:
    given: dict[str, object] = {"who": WHO, "now": scene.now, "retry_at": scene.now + 10}
    with scene.store.writing() as db:
        return queue.settle(db, claims, outcome, **given | more)  # type: ignore[arg-type]


def recover(scene: Scene, who: str) -> int:
    with scene.store.writing() as db:
        return queue.recover(db, "hook", who=who, now=scene.now, longest=100)


def test_claim__what_waits__oldest_first_with_a_receipt_before_it_is_sent(scene: Scene) -> None:
    for title in "abc":
        scene.put(title)
    scene.put("elsewhere", "other")
    (first,) = claim(scene)
    assert (first.message.title, first.attempt, first.repeated) == ("a", 1, False)
    assert first.message.at == T0
    assert scene.statuses() == ["sending", "waiting", "waiting"]
    (receipt,) = scene.receipts()
    assert (receipt.attempt, receipt.outcome, receipt.ended_at) == (1, "", None)
    assert [c.message.title for c in claim(scene, 5)] == ["b", "c"]
    assert claim(scene) == []


def test_claim__an_alerts_next_message__waits_for_the_one_before(scene: Scene) -> None:
    scene.put("firing", alert="k")
    scene.put("resolved", alert="k", state="resolved")
    scene.put("another", alert="other")
    first = claim(scene)
    assert [c.message.title for c in claim(scene, 5)] == ["another"]
    settle(scene, first, DOWN)
    assert claim(scene, 5) == []  # the first is not due yet, so the second is not either
    scene.clock.steady += 11
    assert [c.message.title for c in claim(scene, 5)] == ["firing", "resolved"]


def test_claim__a_flood_that_waits_for_its_retry__hides_nothing_urgent(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "LOOKED_AT", 20)
    for number in range(25):
        scene.put(f"flood {number}")
    flood = [*claim(scene, 25), *claim(scene, 25)]
    assert len(flood) == 25
    settle(scene, flood, DOWN)
    scene.put("calm", severity="info")
    scene.put("first of it", alert="k", severity="info")
    scene.put("then worse", alert="k", severity="critical")
    assert [c.message.title for c in claim(scene, 2)] == ["first of it", "then worse"]
    scene.put("urgent", alert="other", severity="critical")
    assert [c.message.title for c in claim(scene, 5)] == ["calm", "urgent"]  # told in order


def test_settle__each_outcome__is_in_row_and_receipt(scene: Scene) -> None:
    for title in "abc":
        scene.put(title)
    claims = claim(scene, 3)
    settle(scene, claims[:1], DELIVERED, retry_at=None)
    settle(scene, claims[1:2], SILENT)
    settle(scene, claims[2:], DOWN, retry_at=None, digest="digest/1")
    a, b, c = scene.rows()
    assert (a.status, a.settled_at, a.maybe, a.cause) == ("delivered", T0, False, "")
    assert (b.status, b.retry_at, b.maybe, b.cause) == ("waiting", T0 + 10, True, SILENT.cause)
    assert (c.status, c.retry_at, c.maybe, c.holder) == ("failed", None, False, "")
    outcomes = [(r.outcome, r.code, r.cause, r.digest, r.ended_at) for r in scene.receipts()]
    assert outcomes == [
        ("delivered", 200, "", None, T0),
        ("unknown", None, SILENT.cause, None, T0),
        ("failed", None, DOWN.cause, "digest/1", T0),
    ]
    with scene.store.reading() as db:
        assert queue.counts(db) == {("hook", o): 1 for o in ("delivered", "unknown", "failed")}
        assert queue.backlog(db) == {"hook": queue.Backlog(1, T0)}


def test_settle__taken_over_meanwhile__changes_nothing(scene: Scene) -> None:
    scene.put("a")
    old = claim(scene)
    assert recover(scene, OTHER) == 1
    (again,) = claim(scene, who=OTHER)
    assert again.repeated
    assert again.attempt == 2
    assert settle(scene, old, DELIVERED) == 0
    assert scene.statuses() == ["sending"]
    assert [r.outcome for r in scene.receipts()] == ["unknown", ""]


@pytest.mark.parametrize(
    ("holder", "who", "later", "taken"),
    [
        ("run/1", "run/2", 0, 1),
        ("test/1", "run/2", 59, 0),
        ("test/1", "run/2", 61, 1),
        ("run/1", "test/2", 59, 0),
        ("run/1", "test/2", 61, 1),
        ("test/1", "run/2", -1_000, 1),
    ],
    ids=["service", "alive", "over", "not-locked", "not-locked-over", "clock-put-back"],
)
def test_recover__by_whose_it_was_and_how_old(
    scene: Scene, holder: str, who: str, later: float, taken: int
) -> None:
    scene.put("a")
    claim(scene, who=holder)
    scene.clock.skew += later
    assert recover(scene, who) == taken
    (row,) = scene.rows()
    assert row.maybe is bool(taken)
    assert row.status == ("waiting" if taken else "sending")


def test_due_within__until_the_earliest__and_never_longer_than_ever_set(scene: Scene) -> None:
    def due() -> float | None:
        with scene.store.reading() as db:
            return queue.due_within(db, "hook", scene.now)

    assert due() is None
    scene.put("a")
    assert due() == 0
    settle(scene, claim(scene), DOWN)
    assert due() == 10
    scene.clock.skew -= LONGEST_WAIT_S  # put back: the time noted is now far in the future
    assert due() == 0
    assert len(claim(scene)) == 1


def test_age_and_expire__only_what_was_tried_for_long__is_given_up(scene: Scene) -> None:
    scene.put("old")
    with scene.store.writing() as db:
        queue.age(db, "hook", 50.0)
    scene.put("young")
    scene.clock.skew += 10**6  # no clock makes a message old
    with scene.store.writing() as db:
        queue.age(db, "hook", 49.0)
        assert queue.expire(db, "hook", 100, scene.now, "dead") == []
        queue.age(db, "hook", 1.0)
        assert queue.expire(db, "hook", 100, scene.now, "dead") == ["old"]
        assert queue.expire(db, "hook", 1, scene.now, "dead", only=[]) == []
    assert [(r.status, r.cause) for r in scene.rows()] == [("failed", "dead"), ("waiting", "")]


def test_strangers__a_channel_that_is_gone__is_given_up_by_name(scene: Scene) -> None:
    scene.put("a", "gone")
    scene.put("b")
    with scene.store.writing() as db:
        assert queue.strangers(db, ["hook"], scene.now) == [("gone", "a")]
        assert queue.strangers(db, ["hook"], scene.now) == []
    assert scene.statuses("gone") == ["failed"]
    assert scene.statuses() == ["waiting"]


def test_claim__two_workers_at_once__no_message_twice(scene: Scene) -> None:
    for i in range(30):
        scene.put(f"m{i}")
    found: dict[str, list[str]] = {"test/a": [], "test/b": []}

    def work(who: str) -> None:
        while claims := claim(scene, who=who):
            found[who] += [c.message.title for c in claims]

    threads = [threading.Thread(target=work, args=(who,)) for who in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found["test/a"] + found["test/b"]) == sorted(f"m{i}" for i in range(30))
