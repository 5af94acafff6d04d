"""The loop around the runner."""

import threading

import pytest

from executor.journal.errors import LeaseLost
from executor.run.process import run
from executor.run.runner import Busy, Report, Runner
from executor.types import State


class Passes(Runner):
    """A runner whose passes are written down beforehand."""

    def __init__(self, *passes: list[Report] | Exception) -> None:
        self.passes = list(passes)
        self.closed = False

    def tick(self) -> list[Report]:
        now = self.passes.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    def close(self) -> None:
        self.closed = True


OUT = Report("0x1", State.BROADCAST, "for the next block")
DONE = Report("0x1", State.DONE, "final")


def test_run__until_idle__tells_each_change_once() -> None:
    told: list[Report] = []
    runner = Passes(Busy("busy"), [OUT], [OUT], [DONE])
    run(runner, threading.Event(), poll_s=0, tell=told.append, until_idle=True)
    assert told == [Report("", None, "busy"), OUT, DONE]
    assert runner.closed


def test_run__told_to_stop__gives_the_lease_back() -> None:
    stop = threading.Event()
    runner = Passes([OUT], [OUT])
    run(runner, stop, poll_s=0, tell=lambda _: stop.set())
    assert runner.closed


def test_run__lease_lost__ends_at_once() -> None:
    runner = Passes(LeaseLost("0x", 1))
    with pytest.raises(LeaseLost):
        run(runner, threading.Event(), poll_s=0)
    assert not runner.closed
