"""One thread cuts every exchange whose time is over, and none that ended in time."""

import socket
import threading
import time

import pytest

from chain import deadline
from chain.deadline import Alarm


@pytest.mark.loopback
def test_alarm__its_time_is_over__cuts_what_is_watched_and_what_follows() -> None:
    near, far = socket.socketpair()
    later, beyond = socket.socketpair()
    with near, far, later, beyond:
        alarm = Alarm(0.05)
        alarm.watch(near)
        near.settimeout(5)
        assert near.recv(1) == b""
        assert alarm.rang
        alarm.watch(later)
        later.settimeout(5)
        assert later.recv(1) == b""
        alarm.stop()


@pytest.mark.loopback
def test_alarm__stopped_in_time__never_rings() -> None:
    near, far = socket.socketpair()
    with near, far:
        early, late = Alarm(0.02), Alarm(0.2)
        early.watch(near)
        early.stop()
        late.stop()
        last = Alarm(0.03)
        while not last.rang:
            time.sleep(0.005)
        assert not early.rang
        far.sendall(b"x")
        assert near.recv(1) == b"x"


def test_alarms__many_that_stopped__are_not_kept() -> None:
    for _ in range(1_000):
        Alarm(600).stop()
    assert len(deadline._watch._alarms) < 4 * deadline.SPARE
    named = [thread for thread in threading.enumerate() if thread.name == "deadlines"]
    assert len(named) == 1


def test_fork__begins_anew() -> None:
    before = deadline._watch
    try:
        deadline._forked()
        assert deadline._watch is not before
    finally:
        deadline._watch = before
