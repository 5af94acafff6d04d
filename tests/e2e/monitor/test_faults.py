"""A real process that is starved of its database, its node and its clock: nothing lost."""

from __future__ import annotations

import resource
import sqlite3
import time
import urllib.request

import pytest

from tests.e2e.monitor.place import Place, until
from tests.support import faults

pytestmark = pytest.mark.world
HOUR, DAY = 3600.0, 86_400.0


def ready(place: Place) -> int:
    """Return what /readyz answers."""
    url = place.pages.split("pages at ")[1].rstrip("/")
    try:
        with urllib.request.urlopen(url + "/readyz", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_database_locked__what_happens_meanwhile_is_told_afterwards(running: Place) -> None:
    process = running.processes[-1]
    other = sqlite3.connect(running.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    running.fall()
    process.wait_for("what is seen is kept in memory")
    assert running.receiver.states() == []
    assert ready(running) == 503
    running.rise()
    time.sleep(0.3)
    other.execute("ROLLBACK")
    other.close()
    running.told("firing", "resolved")
    process.wait_for("the database can be written again")
    until(lambda: ready(running) == 200, 90, running.log)
    assert running.receiver.twice() == 0


def test_disk_full__reading_goes_on_and_nothing_is_lost(running: Place) -> None:
    process = running.processes[-1]
    said = len(process.lines)
    pid = process.popen.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))
    running.fall()
    until(lambda: process.says("kept in memory", said), 90, running.log)
    running.rise()
    until(lambda: ready(running) == 503, 90, running.log)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    running.mine()
    running.told("firing", "resolved")
    assert running.receiver.twice() == 0


def test_rpc_dead_for_an_hour__is_unknown_and_told_and_then_well_again(running: Place) -> None:
    process = running.processes[-1]
    running.proxy.script.always(faults.dropped)
    running.mine()
    until(lambda: running.query("select 1 from chain_states where status = 'down'"), 90)
    process.advance(HOUR, 0)
    until(lambda: "unknown" in running.state(), 90, running.log)
    until(lambda: "firing" in running.state("rpc-down"), 90, running.log)
    assert ready(running) == 503
    running.proxy.script.calm()
    running.read_to(running.mine(), 60)
    until(lambda: not running.state() & {"unknown"}, 90, running.log)
    running.settled()
    seen = len(running.receiver.states())
    assert "firing" not in running.receiver.states(), "nothing was known, and nothing crossed"
    running.fall()
    until(lambda: running.receiver.states()[seen:] == ["firing"], 90, running.log)
    running.rise()
    until(lambda: running.receiver.states()[seen:] == ["firing", "resolved"], 90, running.log)
    assert running.receiver.twice() == 0


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_clock_jump__a_crossing_afterwards_is_told_once(running: Place, jump: float) -> None:
    process = running.processes[-1]
    said = len(process.lines)
    process.advance(HOUR + jump, 0)
    until(lambda: process.says("the clock was set by", said), 90, running.log)
    running.fall()
    running.told("firing")
    running.rise()
    running.told("firing", "resolved")
    assert running.receiver.twice() == 0
