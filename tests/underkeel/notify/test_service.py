"""All channels together: threads that do not wait for each other, and what is said of them."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from tests.underkeel.notify.scene import DELIVERED, DOWN, Fake, Scene
from underkeel.notify.service import Delivery, unfenced
from underkeel.notify.types import Channel, Message, Outcome
from underkeel.store.errors import LockLost, NotWritten


def delivery(
    scene: Scene, *channels: Fake, fence: Callable[[Connection], None] = unfenced
) -> Delivery:
    named: dict[str, Channel] = {channel.name: channel for channel in channels}
    return Delivery(scene.store, named, fence=fence)


def gate(event: threading.Event) -> Callable[[Message], Outcome]:
    def answer(message: Message) -> Outcome:
        assert event.wait(30)
        return DELIVERED

    return answer


def test_delivery__one_channel_hangs__the_other_delivers(scene: Scene) -> None:
    free, arrived = threading.Event(), threading.Event()

    def quick(message: Message) -> Outcome:
        if message.title == "second":
            arrived.set()
        return DELIVERED

    hangs, works = Fake("hangs", gate(free)), Fake("works", quick)
    service = delivery(scene, hangs, works)
    scene.put("slow", "hangs")
    service.start()
    scene.put("first", "works")
    service.wake()
    scene.put("second", "works")
    service.wake()
    assert arrived.wait(30)
    assert not service.stop(0.01)
    free.set()
    assert service.stop(30)
    assert works.titles == ["first", "second"]
    assert scene.statuses("hangs") == ["delivered"], "what came of it is noted before the end"
    assert service.totals() == {("hangs", "delivered"): 1, ("works", "delivered"): 2}
    health = service.health()
    assert (health["works"].status, health["works"].waiting) == ("ok", 0)


def test_start__rows_of_a_channel_that_is_gone__are_told_elsewhere(scene: Scene) -> None:
    told = threading.Event()

    def answer(message: Message) -> Outcome:
        told.set()
        return DELIVERED

    scene.put("lost", "gone")
    service = delivery(scene, Fake("mail", answer))
    service.start()
    assert told.wait(30)
    assert service.stop()
    assert scene.statuses("gone") == ["failed"]
    (row,) = scene.rows("mail")
    assert "no longer in the config" in row.title
    assert "- lost" in row.body


def test_stuck__only_while_nobody_would_be_told(scene: Scene) -> None:
    bad, good = Fake("bad", lambda message: DOWN), Fake("good")
    service = delivery(scene, bad, good)
    assert service.stuck() == ""
    scene.put("a", "bad")
    service.lanes["bad"].step()
    assert service.stuck() == ""
    alone = delivery(scene, bad)
    scene.put("b", "bad")
    alone.lanes["bad"].step()
    assert alone.stuck() == "no channel delivers: bad"
    service.lanes["good"].database = "disk full"
    assert service.stuck() == "the outbox cannot be used: disk full"


def test_stuck__a_lane_that_hangs__is_said(scene: Scene) -> None:
    service = Delivery(scene.store, {"hook": Fake()}, times=scene.clock.times())
    assert service.stuck() == ""
    scene.clock.steady += 1_000
    assert service.stuck() == "the delivery to hook hangs"


def test_start__lock_lost_later__ends_the_lane_and_is_said(scene: Scene) -> None:
    over = threading.Event()

    def fence(db: Connection) -> None:
        if over.is_set():
            raise LockLost("monitor", 1, "host:2")

    hook = Fake()
    service = delivery(scene, hook, fence=fence)
    service.start()
    over.set()
    scene.put("a")
    service.wake()
    for thread in service._threads:
        thread.join(30)
    assert "has ended another monitor service has taken over" in service.stuck()
    assert hook.got == []


def test_health__database_gone__says_nothing_waits_rather_than_failing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise NotWritten("disk full")

    service = delivery(scene, Fake())
    monkeypatch.setattr(scene.store, "reading", gone)
    monkeypatch.setattr(scene.store, "writing", gone)
    assert service.lanes["hook"].step() > 0
    assert "disk full" in service.health()["hook"].cause
    service.start()
    assert service.stop()
