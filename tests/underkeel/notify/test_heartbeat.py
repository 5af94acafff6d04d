"""The dead-man switch hears of complete rounds, and of nothing else."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.support.hooks import Hook, hook
from tests.underkeel.notify.scene import Clock
from underkeel.config.channels import HeartbeatTable
from underkeel.notify.heartbeat import Heartbeat

pytestmark = pytest.mark.loopback


@dataclass
class Place:
    """A switch, and what is wrong with the outbox."""

    server: Hook
    clock: Clock = field(default_factory=Clock)
    stuck: str = ""

    def heart(self, **more: object) -> Heartbeat:
        table = HeartbeatTable.model_validate({"url": self.server.url, **more})
        return Heartbeat(self.server.url, table, lambda: self.stuck, times=self.clock.times())

    def paths(self) -> list[str]:
        return [got.path.removeprefix("/hook/s3cret-path") for got in self.server.got]


@pytest.fixture
def place() -> Iterator[Place]:
    with hook() as server:
        yield Place(server)


def test_hear__well__pings_at_most_every_so_often(place: Place) -> None:
    heart = place.heart(every="60s")
    for _ in range(10):
        heart.hear(True)
        place.clock.steady += 15
    assert place.paths() == ["", "", ""]
    assert [got.method for got in place.server.got] == ["GET"] * 3
    assert (heart.status.pings, heart.status.failures, heart.status.cause) == (3, 0, "")
    assert heart.status.last_at == place.clock.times().wall() - 30


def test_hear__not_complete_or_stuck__is_silent_and_says_why(place: Place) -> None:
    heart = place.heart()
    heart.hear(False, "chain main is down")
    assert heart.status.cause == "no ping: chain main is down"
    heart.hear(False)
    assert "not complete" in heart.status.cause
    place.stuck = "no channel delivers: ops"
    heart.hear(True)
    assert heart.status.cause == "no ping: no channel delivers: ops"
    assert place.server.got == []
    place.stuck = ""
    heart.hear(True)
    assert place.paths() == [""]


def test_hear__signals__fails_once_and_pings_at_once_when_well_again(place: Place) -> None:
    heart = place.heart(signals=True, method="POST")
    heart.hear(True)
    heart.hear(False, "chain main is down")
    heart.hear(False, "chain main is down")
    heart.hear(True)
    heart.hear(True)
    assert place.paths() == ["", "/fail", ""]
    assert place.server.got[1].body == b"chain main is down"


def test_hear__ping_refused__is_counted_and_tried_again_sooner(place: Place) -> None:
    heart = place.heart()
    place.server.answer = lambda got: (500, {})
    heart.hear(True)
    assert heart.status.failures == 1
    assert "HTTP 500" in heart.status.cause
    assert "s3cret" not in heart.status.cause
    place.server.answer = lambda got: (200, {})
    heart.hear(True)
    assert heart.status.pings == 0
    place.clock.steady += 5
    heart.hear(True)
    assert (heart.status.pings, heart.status.cause) == (1, "")


def test_beat__by_a_thread_of_its_own__until_stopped(place: Place) -> None:
    heart = place.heart(signals=True)
    heart.start()
    place.server.wait(1)
    heart.beat(True)
    place.server.wait(2)
    heart.stop()
    heart.beat(True)
    assert place.paths() == ["/start", ""]
    assert "heartbeat" not in [thread.name for thread in threading.enumerate()]


def test_beat__an_error_of_ours__ends_nothing(place: Place) -> None:
    told = threading.Event()

    def stuck() -> str:
        if not told.is_set():
            told.set()
            raise ZeroDivisionError
        return ""

    table = HeartbeatTable(url=place.server.url)
    heart = Heartbeat(place.server.url, table, stuck)
    heart.start()
    heart.beat(True)
    assert told.wait(10)
    heart.beat(True)
    place.server.wait(1)
    heart.stop()
