"""Deliveries as real processes against a real server: killed anywhere, none lost, none twice."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.e2e.notify.deliverer import POINTS, SECRET
from tests.support.hooks import Got, Hook, hook
from underkeel.notify.webhook import signature
from underkeel.store import outbox
from underkeel.store.store import Store
from underkeel.store.tables import deliveries, notifications

pytestmark = pytest.mark.loopback
PROGRAM = Path(__file__).with_name("deliverer.py")
ROOT = Path(__file__).parents[3]


class Deliverer:
    """The process that forks deliveries."""

    def __init__(self) -> None:
        line = [sys.executable, "-m", "tests.e2e.notify.deliverer"]
        self.process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self.said() == {"ready": True}

    def said(self) -> dict[str, Any]:
        assert self.process.stdout
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def begin(self, url: str, server: Hook, **more: Any) -> list[int]:
        """Start deliveries and return their process ids."""
        run = {
            "url": url,
            "hook": server.url,
            "point": "",
            "speed": 1.0,
            "service": True,
            "until": 0,
        }
        runs = [run | more] * more.pop("times", 1)
        for one in runs:
            one.pop("times", None)
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"runs": runs}) + "\n")
        self.process.stdin.flush()
        pids: list[int] = self.said()["pids"]
        return pids

    def ended(self) -> list[int]:
        codes: list[int] = self.said()["codes"]
        return codes

    def run(self, url: str, server: Hook, **more: Any) -> list[int]:
        self.begin(url, server, **more)
        return self.ended()


@pytest.fixture(scope="module")
def deliverer() -> Iterator[Deliverer]:
    made = Deliverer()
    with made.process:
        yield made
        assert made.process.stdin
        made.process.stdin.close()


def put(store: Store, title: str, alert: str = "") -> None:
    message = outbox.Message(title, "hook", "critical", title, "body", alert=alert, state="firing")
    with store.writing() as db:
        assert outbox.put(db, message, time.time())


def rows(store: Store) -> list[Any]:
    with store.reading() as db:
        return list(db.execute(select(notifications).order_by(notifications.c.seq)))


def processed(got: list[Got]) -> list[str]:
    """What a receiver that minds the ids acts on, in its order; every signature holds."""
    for one in got:
        at = int(one.headers["underkeel-timestamp"])
        assert one.headers["underkeel-signature"] == signature(SECRET, at, one.body)
    return list(dict.fromkeys(one.key for one in got))


DOUBTED = {
    "claimed, not committed": [False, False],
    "recorded, not sent": [True, False],
    "sent, not noted": [True, False],
    "noted, not committed": [True, False],
    "committed": [False, False],
}
"""Which of two messages may have arrived before, by where the process was killed."""


@pytest.mark.parametrize("point", POINTS)
def test_kill_9__at_each_point_of_a_delivery__none_lost_and_none_twice(
    store: Store, store_url: str, deliverer: Deliverer, point: str
) -> None:
    put(store, "firing", "k")
    put(store, "resolved", "k")
    with hook() as server:
        assert deliverer.run(store_url, server, point=point) == [-signal.SIGKILL]
        assert deliverer.run(store_url, server) == [0]
    assert processed(server.got) == ["firing", "resolved"]
    assert len(set(server.bodies())) == 2, "a repeat is the same to the last byte"
    assert [row.status for row in rows(store)] == ["delivered"] * 2
    assert [row.maybe for row in rows(store)] == DOUBTED[point]
    with store.reading() as db:
        assert all(row.outcome for row in db.execute(select(deliveries)))


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_kill_9__while_the_receiver_has_it__is_sent_again_under_its_id(
    store: Store, store_url: str, deliverer: Deliverer
) -> None:
    begun = threading.Event()
    pids: list[int] = []

    def kill(got: Got) -> tuple[int, dict[str, str]]:
        assert begun.wait(30)
        os.kill(pids[0], signal.SIGKILL)
        return 200, {}

    put(store, "firing")
    with hook() as server:
        server.answer = kill
        pids += deliverer.begin(store_url, server)
        begun.set()
        assert deliverer.ended() == [-signal.SIGKILL]
        server.answer = lambda got: (200, {})
        assert deliverer.run(store_url, server) == [0]
    assert [got.key for got in server.got] == ["firing", "firing"]
    assert [got.headers["underkeel-attempt"] for got in server.got] == ["1", "2"]


def test_two_deliveries_at_once__every_message_is_sent_by_one(
    store: Store, store_url: str, deliverer: Deliverer
) -> None:
    titles = [f"m{i}" for i in range(24)]
    for title in titles:
        put(store, title)
    with hook() as server:
        assert deliverer.run(store_url, server, service=False, times=2) == [0, 0]
    assert sorted(got.key for got in server.got) == sorted(titles)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_channel_down_for_a_day__killed_meanwhile__all_arrive_in_order(
    store: Store, store_url: str, deliverer: Deliverer
) -> None:
    answers = [(503, {}), (0, {}), (500, {}), (429, {"Retry-After": "400"}), (302, {})]
    titles: list[str] = []
    with hook() as server:
        server.answer = lambda got: answers[len(server.got) % len(answers)]
        for part in range(2):  # 40 attempts, of which most are five minutes or an hour apart
            (pid,) = deliverer.begin(store_url, server, speed=30_000.0, until=-1)
            for number in range(3):
                titles += [f"firing-{part}.{number}", f"resolved-{part}.{number}"]
                put(store, titles[-2], "k")
                put(store, titles[-1], "k")
                server.wait(20 * part + 5 * number + 5)
            server.wait(20 * part + 20)
            os.kill(pid, signal.SIGKILL)
            assert deliverer.ended() == [-signal.SIGKILL]
        tried = len(server.got)
        assert {got.key for got in server.got} == {titles[0]}
        with store.reading() as db:
            waited = db.execute(select(notifications.c.waited)).scalars().first()
        assert waited is not None
        assert waited > 6 * 3_600 * 10**6, "hours of trying, in seconds"
        server.answer = lambda got: (200, {})
        assert deliverer.run(store_url, server) == [0]
    assert [got.key for got in server.got[tried:]] == titles
