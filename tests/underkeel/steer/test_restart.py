"""What a service that dies leaves behind, and what the next one makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.underkeel.steer.build import NOW, Desk, lease
from underkeel.steer import worker
from underkeel.steer.child import Child, Files
from underkeel.store.errors import LockLost


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk.open(tmp_path)
    yield found
    found.go(1)
    found.steering.stop(20)


def test_restart__child_still_runs__waited_for_then_settled_by_the_journal(desk: Desk) -> None:
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    (child,) = desk.steering._children.values()
    desk.again()
    for _ in range(3):
        desk.steering.turn()
    assert desk.statuses() == ["executing"]
    desk.journal("mined")
    desk.go(0)
    assert child.wait(20)
    desk.steering.turn()
    assert desk.statuses() == ["done"]
    assert len(desk.started()) == 1


def test_restart__service_died_before_the_child_was_started__failed_and_planned_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise SystemExit

    desk.fires()
    desk.steering.turn()
    with monkeypatch.context() as patch:
        patch.setattr(Child, "start", dies)
        with pytest.raises(SystemExit):
            desk.steering.turn()
    assert desk.statuses() == ["executing"]
    desk.again()
    desk.steering.turn()
    assert desk.rows() == [("failed", "ended before anything was signed")]
    desk.clock.now += 120
    desk.steering.turn()
    assert desk.statuses() == ["failed", "proposed"]


def test_restart__service_died_before_it_noted_the_child__the_locked_file_tells(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.fires()
    desk.steering.turn()
    begun: list[Child] = []
    real = Child.start

    def dies(line: list[str], files: Files, environ: dict[str, str]) -> None:
        begun.append(real(line, files, environ))
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Child, "start", dies)
        with pytest.raises(SystemExit):
            desk.steering.turn()
    desk.again()
    desk.steering.turn()
    assert desk.statuses() == ["executing"]  # it may act any moment
    desk.journal("mined")
    desk.go(0)
    assert begun[0].wait(20)
    desk.steering.turn()
    assert desk.statuses() == ["done"]


def test_restart__begun_on_another_machine__waits_past_its_end_and_its_lease(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    (child,) = desk.steering._children.values()
    desk.journal("broadcast")
    desk.go(8)
    assert child.wait(20)
    with desk.store.writing() as db:
        lease(db, NOW + 2_000)
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    desk.again()
    for later, status in ((600, "executing"), (1_000, "executing"), (2_001, "unknown")):
        desk.clock.now = NOW + later
        desk.steering.turn()
        assert desk.statuses() == [status], later


def test_turn__child_far_too_late__is_ended(desk: Desk) -> None:
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    (child,) = desk.steering._children.values()
    desk.clock.now = NOW + 901
    desk.steering.turn()
    assert child.code is not None
    desk.steering.turn()
    assert desk.statuses()[0] == "failed"


def test_restart__left_child_far_too_late__is_ended(desk: Desk) -> None:
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    (child,) = desk.steering._children.values()
    while not desk.started():  # it must have begun, to be interrupted as a program
        assert child.code is None
    desk.again()
    desk.clock.now = NOW + 901
    desk.steering.turn()
    assert child.wait(20)
    desk.steering.turn()
    assert desk.statuses()[0] == "failed"


def test_stop__child_runs__is_left_to_its_end_and_taken_up_by_the_next(desk: Desk) -> None:
    desk.fires()
    desk.steering.start()
    while not desk.started():
        assert desk.steering.alive
    (child,) = desk.steering._children.values()
    desk.steering.stop(20, 0)
    assert not desk.steering.alive
    assert child.code is None
    assert desk.statuses() == ["executing"]
    desk.planner.stopping.clear()
    desk.again()
    desk.journal("done")
    desk.go(0)
    assert child.wait(20)
    desk.steering.turn()
    assert desk.statuses() == ["done"]


def test_run__another_service_has_taken_over__ends_and_nothing_is_written(desk: Desk) -> None:
    def fence(_: object) -> None:
        raise LockLost("monitor", 1, "another")

    desk.steering = worker.Steering(
        desk.config, desk.store, clock=desk.clock, planner=desk.planner, fence=fence
    )
    desk.fires()
    desk.steering.start()
    assert desk.steering._thread is not None
    desk.steering._thread.join(20)
    assert not desk.steering.alive
    assert "another" in desk.steering.fault
    assert (desk.rows(), desk.said()) == ([], [])
