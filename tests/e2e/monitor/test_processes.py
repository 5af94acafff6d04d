"""Real processes that end, are killed, and stand by for each other: nothing lost, nothing twice."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.e2e.monitor.place import Place, until
from tests.support import faults

pytestmark = pytest.mark.world


def test_restart__while_it_fires__tells_neither_again_nor_less(place: Place) -> None:
    first = place.start()
    place.read_to(place.mine())
    place.fall()
    place.told("firing")
    assert first.end() < 5
    assert first.popen.returncode == 0
    second = place.start()
    place.read_to(place.mine())
    place.rise()
    place.told("firing", "resolved")
    assert second.end(signal.SIGINT) < 5
    assert place.receiver.twice() == 0


def test_kill__between_any_two_steps__every_crossing_is_told_once(place: Place) -> None:
    running = place.start()
    for delay, state in ((0.05, "firing"), (0.4, "resolved")):
        place.read_to(place.mine())
        place.fall() if state == "firing" else place.rise()
        time.sleep(delay)  # the moment of death is what is varied
        running.end(signal.SIGKILL)
        running = place.start(takes_over=True)
    place.mine()
    place.told("firing", "resolved")
    place.settled()
    assert place.receiver.unsaid() <= 0, "what comes a second time says so"
    assert place.receiver.twice() <= 2, "and only what was under way at a kill does"


def test_two_instances__one_serves_and_the_loser_writes_nothing(place: Place) -> None:
    first = place.start()
    place.read_to(place.mine())
    second = place.start(await_="standing by")
    place.fall()
    place.told("firing")
    place.settled()
    second.advance(0, 30)
    first.popen.send_signal(signal.SIGSTOP)
    for _ in range(20):  # stopped inside a transaction it would keep everybody out
        second.advance(0, 60 + 30 * _)
        time.sleep(1.2)
        if second.says("the service runs"):
            break
        if second.says("is locked"):
            first.popen.send_signal(signal.SIGCONT)
            time.sleep(0.05)
            first.popen.send_signal(signal.SIGSTOP)
    second.wait_for("the service runs")
    place.rise()
    place.told("firing", "resolved")
    place.settled()
    first.popen.send_signal(signal.SIGCONT)
    first.wait_for("has taken over")
    first.wait_for("standing by")
    assert second.popen.poll() is None
    second.end(signal.SIGKILL)
    first.advance(0, 60)
    until(lambda: sum("the service runs" in x for x in first.lines) == 2, 30, place.log)
    place.fall()
    place.told("firing", "resolved", "firing")
    place.rise()
    place.told("firing", "resolved", "firing", "resolved")
    assert place.receiver.twice() == 0


def test_once__rounds_of_cron__tell_each_crossing_once_and_say_it_in_their_exit(
    place: Place,
) -> None:
    def once() -> tuple[int, dict[str, object]]:
        process = place.start("--once", "--json", await_="", keep=True)
        assert process.popen.stdout is not None
        with process.popen.stdout as stdout:
            out = stdout.read()
        return process.popen.wait(60), json.loads(out)

    code, said = once()
    assert code == 0, said
    place.fall()
    code, said = once()
    assert code == 3, said
    code, said = once()
    assert (code, said["alerts_firing"]) == (3, "1")
    place.rise()
    code, said = once()
    assert code == 0, (said, place.query("select rule, state, title from alerts"))
    place.told("firing", "resolved")
    place.proxy.script.always(faults.dropped)
    code, said = once()
    assert code == 5
    assert place.receiver.twice() == 0
