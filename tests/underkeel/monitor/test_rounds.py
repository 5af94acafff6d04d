"""A round is complete when every chain was read whole and is on disk."""

from underkeel.config.monitor import MonitorTable
from underkeel.monitor.rounds import GRACE_S, Rounds
from underkeel.portfolio import ChainReport, Fault


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def good(name: str) -> ChainReport:
    return ChainReport(name, 1, None)


def bad(name: str) -> ChainReport:
    return ChainReport(name, 1, None, fault=Fault.DOWN, cause="no answer")


def test_rounds__each_chain_once__is_complete_and_begins_anew() -> None:
    rounds = Rounds(("a", "b"))
    rounds.seen(good("a"), on_disk=True)
    assert not rounds.complete()
    rounds.seen(good("b"), on_disk=True)
    assert rounds.complete()
    assert not rounds.complete()


def test_rounds__a_chain_that_failed_or_was_not_written__does_not_count() -> None:
    rounds = Rounds(("a",))
    rounds.seen(bad("a"), on_disk=True)
    assert not rounds.complete()
    rounds.seen(good("a"), on_disk=False)
    assert not rounds.complete()


def test_rounds__no_chains__are_never_complete() -> None:
    assert not Rounds(()).complete()


def test_late__failing_and_silent_chains__are_named_with_their_causes() -> None:
    clock = Clock()
    rounds, table = Rounds(("a", "b"), clock), MonitorTable()
    rounds.seen(bad("a"), on_disk=True)
    assert rounds.late(table) == {"a": "no answer"}
    rounds.seen(good("a"), on_disk=True)
    assert rounds.late(table) == {}
    clock.now = GRACE_S + table.calm_every + 1
    rounds.seen(good("a"), on_disk=True)
    assert rounds.late(table) == {"b": f"not read for {clock.now:.0f} s"}


def test_unwatched__silent_and_not_even_failing__its_watcher_hangs() -> None:
    clock = Clock()
    rounds, table = Rounds(("a", "b"), clock), MonitorTable()
    clock.now = GRACE_S + table.calm_every + 1
    rounds.seen(bad("a"), on_disk=True)
    assert rounds.unwatched(table) == ["b"]
