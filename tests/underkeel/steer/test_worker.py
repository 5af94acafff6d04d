"""From an alert to its plan's end: real children, a real database, a made-up planner."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from executor.policy.switch import Switch
from tests.underkeel.steer.build import (
    REFUSED,
    SECRET,
    Desk,
    plan,
    proposed,
)
from underkeel.config.load import Config, load
from underkeel.errors import AppError
from underkeel.steer import rows, worker
from underkeel.steer.propose import Proposed
from underkeel.steer.types import Status


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk.open(tmp_path)
    yield found
    found.go(1)
    found.steering.stop(20)


def test_turn__propose__one_plan_is_told_with_the_command(tmp_path: Path) -> None:
    desk = Desk.open(tmp_path, action="propose")
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    assert desk.rows() == [("proposed", "")]
    (message,) = desk.messages()
    assert (message.channel, message.severity, message.rule) == ("ops", "warning", "hf-low")
    assert (message.alert, message.state) == ("k1", "plan")
    assert message.title == "repay proposed: demo ops"
    config = desk.folder / "underkeel.toml"
    assert f"carry it out: underkeel execute /plans/x.json --execute --config {config}" in (
        message.body
    )
    assert "health 1.0000 → –" in message.body
    assert "policy: allows it" in message.body
    assert message.payload["plan"] == plan().hash
    assert desk.said() == ["repay proposed: demo ops"]
    (asked,) = desk.planner.asked
    assert (asked.row.kind, str(asked.row.restore_to), asked.forced) == ("repay", "1.8", True)
    assert desk.started() == []


def test_turn__alert_is_over__withdrawn_and_nobody_is_called(
    tmp_path: Path,
) -> None:
    desk = Desk.open(tmp_path, action="propose")
    desk.fires()
    desk.steering.turn()
    desk.fires(state="unknown")
    desk.steering.turn()
    assert desk.statuses() == ["proposed"]
    desk.fires(state="resolved")
    desk.steering.turn()
    assert desk.rows() == [("withdrawn", "the alert is over")]
    assert len(desk.messages()) == 1
    assert "repay withdrawn" in desk.said()[-1]


def test_turn__execute__a_child_does_it_and_its_end_is_told(desk: Desk) -> None:
    desk.fires()
    desk.steering.turn()
    assert desk.messages() == []  # it is done at once: nobody has to
    desk.steering.turn()
    assert desk.statuses() == ["executing"]
    assert desk.steering.turn() == ()
    desk.journal("mined")
    hash_ = "0x" + "77" * 32
    ended = {"ended": [{"id": plan().steps[0].id, "hash": hash_, "end": "mined"}]}
    desk.go(0, json.dumps(ended))
    desk.ends()
    assert desk.rows() == [("done", "every step is in a block")]
    (message,) = desk.messages()
    assert message.title == "repay carried out: demo ops"
    assert f"mined: {hash_}" in message.body
    (line,) = desk.started()
    path = desk.folder / "state/plans" / f"{plan().hash[2:18]}.json"
    assert line.endswith(f"--json --no-input execute {path} --execute --yes")
    assert list((desk.folder / "state/plans").iterdir()) == []


def test_turn__execute_after_its_end__cools_down_then_plans_again(desk: Desk) -> None:
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    desk.journal("done")
    desk.go(0)
    desk.ends()
    desk.steering.turn()
    assert desk.statuses() == ["done"]
    desk.clock.now += 120
    desk.steering.turn()
    assert desk.statuses() == ["done", "proposed"]


def test_turn__policy_refuses__told_once_with_what_to_change(desk: Desk) -> None:
    desk.fires()
    for dollars in ("9.50", "9.71"):
        desk.steering.turn()
        desk.steering.turn()
        desk.go(6, "", f"error: tx-usd: ${dollars} of $5; raise it")
        desk.ends()
        desk.clock.now += 120
    assert desk.planner.policy_asked == [False, False]  # the child asks it
    said = "tx-usd: ${} of $5; raise it"
    assert desk.rows() == [("refused", said.format("9.50")), ("refused", said.format("9.71"))]
    with desk.store.reading() as db:
        (first, _) = rows.current(db, 0)
    assert first.verdicts == (
        {"step": None, "rule": "policy", "ok": False, "text": "tx-usd: $9.50 of $5; raise it"},
    )
    assert {(m.severity, m.channel) for m in desk.messages()} == {
        ("critical", "ops"), ("critical", "night"),
    }  # fmt: skip
    assert len(desk.messages()) == 2  # the same but for numbers is said once
    assert "raise it" in desk.messages()[0].body


ENDS = {
    "refused": (6, (), "error: tx-usd: too much; raise it\n", Status.REFUSED, "raise it"),
    "nothing signed": (1, ("approved",), "error: another process acts\n", Status.FAILED, "another"),
    "usage": (2, (), "error: it was changed\n", Status.FAILED, "it was changed"),
    "reverted": (7, ("reverted",), "", Status.FAILED, "step 1 failed on chain"),
    "unknown": (8, ("broadcast",), "", Status.UNKNOWN, "may still take effect"),
    "killed, sent": (-9, ("broadcast",), "", Status.UNKNOWN, "may still take effect"),
    "killed, unsent": (-9, ("nonced",), "", Status.FAILED, "before anything was signed"),
    "says it is done": (0, (), "", Status.FAILED, "before anything was signed"),
}


@pytest.mark.parametrize("name", ENDS)
def test_turn__child_ends_otherwise__recorded_and_critical(name: str, tmp_path: Path) -> None:
    code, states, err, status, cause = ENDS[name]
    desk = Desk.open(tmp_path)
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    desk.journal(*states)
    if code < 0:
        (child,) = desk.steering._children.values()
        os.kill(child.pid, signal.SIGKILL)
    else:
        desk.go(code, "", err)
    desk.ends()
    ((has, why),) = desk.rows()
    assert has == status
    assert cause in why
    assert {(m.severity, m.channel) for m in desk.messages()} == {
        ("critical", "ops"), ("critical", "night"),
    }  # fmt: skip


def test_turn__outcome_unknown__never_tried_again_until_the_journal_knows(desk: Desk) -> None:
    desk.fires()
    desk.fires("k2", position="q")
    desk.steering.turn()
    desk.steering.turn()
    desk.journal("broadcast")
    desk.go(8)
    desk.ends()
    for _ in range(3):
        desk.clock.now += 3_600
        desk.steering.turn()
    assert desk.statuses() == ["unknown"]
    assert len(desk.started()) == 1
    desk.journal("mined")
    desk.steering.turn()
    assert desk.statuses()[0] == "done"
    assert "carried out" in desk.messages()[-1].title


def test_turn__paused__nothing_is_begun_until_resumed(desk: Desk) -> None:
    switch = Switch(desk.folder / "state")
    switch.pause("storm")
    desk.planner.answers[:] = [proposed(plan(), ({**REFUSED[0], "rule": "paused"},))]
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    desk.steering.turn()
    ((status, cause),) = desk.rows()
    assert (status, "storm" in cause) == ("proposed", True)
    (message,) = desk.messages()
    assert "storm" in message.body
    switch.resume()
    desk.steering.turn()
    assert desk.statuses() == ["executing"]


OBSTACLES = {
    "dry run": ({"mode": "dry-run"}, 'mode = "dry-run"'),
    "no policy": ({"without": "[policy.ops]"}, "no [policy.ops]"),
    "no signer": ({"without": "signer = {"}, "has no signer"),
    "a Safe": ({"without": "signer = {", "instead": 'kind = "safe"'}, "is a Safe"),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_turn__may_not_act_by_itself__proposes_and_says_why(name: str, tmp_path: Path) -> None:
    changed, said = OBSTACLES[name]
    desk = Desk.open(tmp_path, mode=changed.get("mode", "live"))
    text = desk.config.path.read_text()
    if removed := changed.get("without"):
        if removed.startswith("["):
            text = text.split(removed)[0] + "[[alert]]" + text.split("[[alert]]")[1]
        else:
            lines = text.splitlines()
            text = "\n".join(changed.get("instead", "") if removed in x else x for x in lines)
    desk.config.path.write_text(text)
    config = worker_config(desk)
    planner = replace(desk.planner, config=config)
    desk.steering = worker.Steering(config, desk.store, clock=desk.clock, planner=planner)
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    ((status, cause),) = desk.rows()
    assert (status, said in cause) == ("proposed", True), cause
    (message,) = desk.messages()
    assert "carry it out: underkeel execute" in message.body
    assert desk.planner.policy_asked == [True]
    assert desk.started() == []


def worker_config(desk: Desk) -> Config:
    return load(desk.config.path, {})


def test_turn__no_plan__failed_and_told_once(tmp_path: Path) -> None:
    desk = Desk.open(tmp_path, Proposed(None, "demo: the chain was not read"))
    desk.fires()
    for _ in range(10):
        desk.steering.turn()
        desk.clock.now += 120
    assert desk.statuses() == ["failed"] * 4  # no more than four in an hour
    assert {m.title for m in desk.messages()} == {"repay failed: demo ops"}
    assert len(desk.messages()) == 2


def test_turn__planning_breaks__an_end_like_any_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ValueError(f"odd answer of http://127.0.0.1:1/{SECRET}")

    monkeypatch.setattr(type(desk.planner), "propose", breaks)
    desk.fires()
    for _ in range(3):
        desk.steering.turn()
    said = "planning failed: ValueError: odd answer of http://127.0.0.1:1/…"
    assert desk.rows() == [("failed", said)]


def test_turn__nothing_to_do__noted_and_nobody_is_called(tmp_path: Path) -> None:
    desk = Desk.open(tmp_path, Proposed(None, "nothing to do: health is 2", nothing=True))
    desk.fires()
    desk.steering.turn()
    assert desk.rows() == [("withdrawn", "nothing to do: health is 2")]
    assert desk.messages() == []


def test_turn__two_alerts_of_one_wallet__one_child_after_the_other(desk: Desk) -> None:
    other = plan(why="the other")
    desk.planner.answers[:] = [proposed(plan()), proposed(other)]
    desk.fires("k1")
    desk.fires("k2", position="q")
    for _ in range(4):
        desk.steering.turn()
    assert desk.statuses() == ["executing"]
    desk.journal("mined")
    desk.go(0)
    desk.ends()
    desk.steering.turn()
    assert desk.statuses() == ["done", "executing"]
    desk.journal("mined", of=other)
    desk.ends()
    assert desk.statuses() == ["done", "done"]


def test_turn__program_cannot_be_started__failed(desk: Desk) -> None:
    desk.planner = replace(desk.planner, program=("/no/such/program",))
    desk.again()
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    assert desk.rows() == [("failed", "it could not be started: No such file or directory")]


def test_settle__childs_words__without_the_keys_of_urls(desk: Desk) -> None:
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    desk.go(5, "", f"error: http://127.0.0.1:1/{SECRET} does not answer\nTraceback\n")
    desk.ends()
    ((_, cause),) = desk.rows()
    assert cause == "http://127.0.0.1:1/… does not answer"
    assert all(SECRET not in str(row) for row in desk.messages())


def test_run__database_fails__goes_on_and_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[int] = []

    def turn() -> tuple[()]:
        turns.append(1)
        if len(turns) == 1:
            raise AppError("it is full")
        if len(turns) == 2:
            raise ValueError("odd")
        if len(turns) > 3:
            desk.planner.stopping.set()
        return ()

    faults: list[str] = []
    real = desk.steering._fails

    def fails(cause: str) -> None:
        faults.append(cause)
        real(cause)

    monkeypatch.setattr(desk.steering, "turn", turn)
    monkeypatch.setattr(desk.steering, "_fails", fails)
    monkeypatch.setattr(worker, "POLL_S", 0)
    monkeypatch.setattr(worker, "BUSY_S", 0)
    desk.steering._run()
    assert faults == ["it is full", "ValueError: odd"]
    assert desk.steering.fault == ""


def test_start__files_of_plans_long_over__are_removed(desk: Desk) -> None:
    folder = desk.folder / "state/plans"
    folder.mkdir(parents=True)
    for name in ("old.json", "new.json"):
        (folder / name).write_text("{}")
    os.utime(folder / "old.json", (1, 1))
    desk.steering.start()
    desk.steering.stop(20)
    assert [path.name for path in folder.iterdir()] == ["new.json"]
