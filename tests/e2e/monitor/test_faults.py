"""Real processes that are restarted, killed, starved and doubled: nothing lost, nothing twice."""

from __future__ import annotations

import resource
import signal
import sqlite3
import time

import pytest

from tests.e2e.monitor.place import Place, until
from tests.support import faults

pytestmark = pytest.mark.world
HOUR = 3600.0


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
    expected: list[str] = []
    for delay in (0.0, 0.05, 0.3):
        running = place.start()
        place.read_to(place.mine())
        place.fall() if len(expected) % 2 == 0 else place.rise()
        time.sleep(delay)  # the moment of death is what is varied
        running.end(signal.SIGKILL)
        expected.append("resolved" if len(expected) % 2 else "firing")
    running = place.start()
    for process in place.processes[:-1]:
        assert process.popen.returncode == -signal.SIGKILL
    running.advance(0, 60)  # the killed one's lock is left behind
    place.mine()
    place.told(*expected)
    ids = [m["id"] for m in place.receiver.got]
    assert place.receiver.twice() <= 3, "only what was being sent when the process died"
    assert len(set(ids)) == len({m["id"] for m in place.receiver.got})


def test_database_locked__what_happens_meanwhile_is_told_afterwards(place: Place) -> None:
    running = place.start()
    place.read_to(place.mine())
    other = sqlite3.connect(place.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    place.fall()
    running.wait_for("what is seen is kept in memory")
    assert place.receiver.states() == []
    place.rise()
    time.sleep(0.5)
    other.execute("ROLLBACK")
    other.close()
    place.told("firing", "resolved")
    running.wait_for("the database can be written again")
    assert place.receiver.twice() == 0


def test_disk_full__reading_goes_on_and_nothing_is_lost(place: Place) -> None:
    running = place.start()
    place.read_to(place.mine())
    pid, before = running.popen.pid, resource.prlimit(running.popen.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))
    place.fall()
    running.wait_for("what is seen is kept in memory")
    place.rise()
    time.sleep(0.5)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    place.mine()
    place.told("firing", "resolved")
    assert place.receiver.twice() == 0


def test_rpc_dead_for_an_hour__is_unknown_and_told_and_then_well_again(place: Place) -> None:
    running = place.start()
    place.read_to(place.mine())
    place.proxy.script.always(faults.dropped)
    place.mine()
    until(lambda: place.query("select 1 from chain_states where status = 'down'"), 40, place.log)
    running.advance(HOUR, HOUR)
    until(lambda: "unknown" in place.state(), 40, place.log)
    until(lambda: "firing" in place.state("rpc-down"), 40, place.log)
    place.proxy.script.calm()
    place.read_to(place.mine(), 60)
    place.fall()
    until(lambda: "firing" in place.receiver.states()[-1:], 40, place.log)
    assert place.receiver.twice() == 0
    assert place.receiver.states("rpc-down") in ([], ["firing"], ["firing", "resolved"])


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
def test_clock_jump__a_crossing_afterwards_is_told_once(place: Place, jump: float) -> None:
    running = place.start()
    place.read_to(place.mine())
    running.advance(jump, 0)
    running.wait_for("the clock was set by")
    place.fall()
    place.told("firing")
    running.advance(0, 0)
    place.rise()
    place.told("firing", "resolved")
    assert place.receiver.twice() == 0


def test_two_instances__one_serves_and_the_other_takes_over(place: Place) -> None:
    first = place.start()
    place.read_to(place.mine())
    second = place.start(await_="standing by")
    place.fall()
    place.told("firing")
    first.end(signal.SIGKILL)
    second.advance(0, 60)
    second.wait_for("the service runs")
    place.rise()
    place.told("firing", "resolved")
    assert place.receiver.twice() == 0


def test_paused_and_taken_over__the_loser_writes_nothing_more(place: Place) -> None:
    first = place.start()
    place.read_to(place.mine())
    first.popen.send_signal(signal.SIGSTOP)
    second = place.start(await_="")
    until(lambda: second.says("standing by"), 30, place.log)
    second.advance(0, 60)
    second.wait_for("the service runs")
    place.fall()
    place.told("firing")
    first.popen.send_signal(signal.SIGCONT)
    first.wait_for("has taken over")
    first.wait_for("standing by")
    place.rise()
    place.told("firing", "resolved")
    assert place.receiver.twice() == 0
