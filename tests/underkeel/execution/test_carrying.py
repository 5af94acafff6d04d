"""What a run says when the journal, not the chain, is what fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chain.transactions import Transaction
from executor.journal.errors import LeaseLost, NotWritten
from executor.journal.journal import Journal
from executor.types import Allowed, Ledger, Refused, State
from tests.executor.run.stage import Everything
from tests.executor.samples import OTHER, intent
from underkeel.config.load import load
from underkeel.errors import AppError
from underkeel.execution.live import End, OnlyThese, carry_out, open_journal
from underkeel.state import state_folder


class Broken:
    """A runner whose journal is lost to another, and whose disk is full at the end."""

    def tick(self) -> list[Any]:
        raise LeaseLost("0xW", 3)

    def close(self) -> None:
        raise NotWritten("disk full")


def carried(journal: Journal, wanted: Any, said: list[str]) -> Any:
    runner: Any = Broken()
    return carry_out(runner, journal, [wanted], until_final=False, stop_at=0.0, tell=said.append)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.open(f"sqlite:///{tmp_path / 'journal.sqlite'}", mode="live")


def test_carry_out__lease_lost_and_disk_full__ends_are_told(journal: Journal) -> None:
    said: list[str] = []
    (ended,) = carried(journal, replace(intent(), state=State.APPROVED), said)
    assert ended.end is End.WAITING
    assert "another process acts" in said[0]


def test_carry_out__id_of_another_call__nothing_is_done(journal: Journal) -> None:
    wanted = replace(intent(), state=State.APPROVED)
    journal.record(wanted)
    other = replace(wanted, call=replace(wanted.call, value=wanted.call.value + 1))
    with pytest.raises(AppError, match="nothing of this plan was signed"):
        carried(journal, other, [])
    # Caps may have changed since it was recorded.
    (ended,) = carried(journal, replace(wanted, fee_cap_abs=wanted.fee_cap_abs + 1), [])
    assert ended.end is End.WAITING


def test_only_these__noop_of_another_plan__is_left_to_the_policy() -> None:
    made = intent()
    policy = OnlyThese(Everything(), frozenset())
    effect = Transaction(1, 0, OTHER, 0, b"", 21_000, 1, 1)
    assert isinstance(policy.verdict(made, effect, Ledger(0, None, ())), Refused)
    noop = replace(effect, to=made.wallet)
    assert isinstance(policy.verdict(made, noop, Ledger(0, None, ())), Allowed)


@pytest.mark.parametrize("what", ["folder", "mark"])
def test_open_journal__state_that_cannot_be__is_an_error_of_ours(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    if what == "folder":
        state.write_text("a file")
    else:
        (state / "journal.mark").mkdir(parents=True)
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(state))
    path = tmp_path / "underkeel.toml"
    path.write_text("version = 1")
    with pytest.raises(AppError, match="cannot be"):
        open_journal(load(path))


def test_state_folder__empty_home__is_not_the_current_folder() -> None:
    assert state_folder({"HOME": ""}).is_absolute()
    assert state_folder({"HOME": "/h"}) == Path("/h/.local/state/underkeel")
