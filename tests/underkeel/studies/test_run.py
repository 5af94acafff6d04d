"""Studies one after the other: what fails is left out, what was known is kept."""

import logging
from pathlib import Path
from typing import Any

import pytest

from chain.errors import ChainError
from tests.underkeel.stress.build import OWNER, loan, portfolio
from tests.underkeel.studies.test_ladder import held
from underkeel.config.load import Config, parse
from underkeel.documents.ladder import LadderChance, LadderDocument
from underkeel.studies import Studies, chances, compute
from underkeel.studies import run as running
from underkeel.studies.chances import BEYOND

CHANCE = LadderChance(
    horizon_s="3600", p=0.5, ci_lo=None, ci_hi=None, method="simulated", cause=None
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    chains = {
        name: {"chain_id": n, "rpc": f"http://127.0.0.1:1/PLANTED-{name}"}
        for n, name in enumerate(("main", "other"), 1)
    }
    return parse({"version": 1, "chains": chains}, tmp_path / "c.toml", {})


def refuse(*_: Any, **__: Any) -> Any:
    raise ChainError("http://127.0.0.1:1/PLANTED-main does not answer")


def test_compute__no_chain_answers__the_ladder_is_there_all_the_same(
    config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = list(compute(config, portfolio(), tmp_path, opener=refuse, clock=lambda: 0.0))
    kinds = [kind for kind, _, _ in found]
    assert kinds[0] == kinds[-1] == "ladder"
    last = found[-1][2]
    assert isinstance(last, LadderDocument)
    assert "PLANTED" not in caplog.text + last.model_dump_json()


def test_compute__a_study_breaks__the_others_go_on(
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("x")

    monkeypatch.setattr(running, "find", broken)
    monkeypatch.setattr(running, "read_oracles", refuse)
    monkeypatch.setattr(running, "chances", lambda *_: {})
    found = list(compute(config, portfolio(), tmp_path, opener=refuse))
    assert [kind for kind, _, _ in found] == ["ladder", "ladder"]
    assert "study exposure failed" in caplog.text
    assert any(r.levelno == logging.WARNING and "oracles" in r.getMessage() for r in caplog.records)


def test_studies__computed_again__the_chances_known_are_in_the_first_ladder(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    position = loan()
    monkeypatch.setattr(running, "find", refuse)
    monkeypatch.setattr(running, "read_oracles", refuse)
    monkeypatch.setattr(running, "chances", lambda *_: {position.id: ([CHANCE], None)})
    studies = Studies(config, tmp_path, opener=refuse)
    told = [
        document.positions[0].chances
        for _ in range(2)
        for _, _, document in studies.compute(held(position))
        if isinstance(document, LadderDocument)
    ]
    assert told == [[], [CHANCE], [CHANCE], [CHANCE]]


def test_chances__no_history_can_be_read__assumed_and_not_left_out(
    config: Config, tmp_path: Path
) -> None:
    found = chances.chances(config, held(loan()), tmp_path, refuse)
    told, cause = found[f"1:aave-v3:x:{OWNER}"]
    assert cause is None
    assert {c.horizon_s for c in told} == {"3600", "86400", "604800"}
    assert all(c.p is None or 0 <= c.p <= 1 for c in told)


def test_chances__beyond_the_worst__says_so(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chances, "MOST", 0)
    found = chances.chances(config, held(loan()), tmp_path, refuse)
    assert found[f"1:aave-v3:x:{OWNER}"] == ([], BEYOND)


@pytest.mark.parametrize(
    ("error", "said"),
    [(ImportError("numba"), "it needs underkeel[risk]"), (ValueError("x"), "ValueError")],
    ids=str,
)
def test_chances__cannot_be_computed__says_why(
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    said: str,
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(chances, "_study", fail)
    (found,) = chances.chances(config, held(loan()), tmp_path, refuse).values()
    assert said in (found[1] or "")
