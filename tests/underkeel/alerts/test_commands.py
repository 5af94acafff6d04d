"""`underkeel alert …` over a database in which something fires."""

import json
import re
import shlex
import time
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chain.types import BlockRef
from tests.underkeel.alerts.scene import position
from underkeel.alerts import acts
from underkeel.alerts.evaluate import evaluate
from underkeel.alerts.rules import rules_of
from underkeel.cli import alerting
from underkeel.cli.main import app
from underkeel.config.load import load
from underkeel.documents.registry import DOCUMENTS
from underkeel.observe.metrics import CHAIN_METRICS
from underkeel.observe.types import Observation, Observed, Scope
from underkeel.store import tables
from underkeel.store.open import open_store

CONFIG = """
version = 1
[chains.ethereum]
chain_id = 1
rpc = "http://127.0.0.1:1"
[channels.ops]
apprise = "env:X"
[[alert]]
id = "hf-low"
expr = "health_factor"
levels = [{ severity = "critical", fire_below = 1.15 }]
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "underkeel.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def ids() -> list[str]:
    """Two positions, of which the first fires; return the ids of their alerts."""
    config = load(None)
    store, rules = open_store(config), rules_of(config.settings)
    at = BlockRef(1, 7, "0x" + "0" * 64, "0x" + "0" * 64, int(time.time()))
    found = tuple(
        Observation("health_factor", position(i), Decimal(value), "", at.timestamp, at)
        for i, value in enumerate(("1.1", "2"))
    )
    with store.writing() as db:
        evaluate(db, rules, Observed(Scope("ethereum", CHAIN_METRICS, at), found), time.time())
    store.close()
    return [rules.of("health_factor", position(i))[0].key for i in range(2)]


def run(*args: str) -> Result:
    result = CliRunner().invoke(app, ["alert", *args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_list__one_fires__exit_3_and_sign_word_and_number(ids: list[str]) -> None:
    result = run("list")
    assert result.exit_code == 3
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    for text in ("✖ firing", "critical", "hf-low", "1.1000", ids[0][:12], "1 critical"):
        assert text in result.stdout
    assert ids[1][:12] not in result.stdout
    assert ids[1][:12] in run("list", "--all").stdout


def test_list__only_a_note_fires__no_alarm(ids: list[str], place: Path) -> None:
    store = open_store(load(None))
    with store.writing() as db:
        db.execute(tables.alerts.update().values(severity="info"))
    store.close()
    result = run("list")
    assert (result.exit_code, "● firing info" in result.stdout) == (0, True)


def test_list__json__the_published_document(ids: list[str]) -> None:
    document = json.loads(run("list", "--all", "--json").stdout)
    DOCUMENTS["underkeel.alerts/1"].model_validate(document)
    assert [one["state"] for one in document["alerts"]] == ["firing", "ok"]


def test_list__no_database__says_so() -> None:
    assert run("list").exit_code == 1


def test_ack__beginning_of_an_id__acknowledged_once(ids: list[str]) -> None:
    result = run("ack", ids[0][:8], "--by", "ada")
    assert result.exit_code == 0
    assert "acknowledged: treasury" in result.stdout
    listed = run("list")
    assert listed.exit_code == 0
    assert "ada looks after it" in " ".join(listed.stdout.split())
    again = run("ack", ids[0])
    assert (again.exit_code, "nothing to acknowledge" in again.stderr) == (1, True)


def test_ack__several_ids__each_of_them(ids: list[str]) -> None:
    result = run("ack", ids[1][:8], ids[0][:8])
    assert result.exit_code == 0
    assert "acknowledged: treasury" in result.stdout
    assert run("list").exit_code == 0


def test_ack__labels__all_that_fire_and_have_them(ids: list[str]) -> None:
    missed = run("ack", "wallet=other")
    assert (missed.exit_code, "nothing matches" in missed.stderr) == (1, True)
    done = json.loads(run("ack", "wallet=trea*", "severity=critical", "--json").stdout)
    assert (done["action"], done["id"]) == ("ack", None)
    assert run("list").exit_code == 0


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("ack", "abc"), "too short"),
        (("ack", "zzzzzz"), "no alert's id begins"),
        (("silence", "rule=hf-low"), "--for"),
        (("silence", "rule=hf-low", "--for", "long"), "is no time"),
        (("silence", "--for", "1h"), "what to silence is missing"),
        (("silence", "walet=x", "--for", "1h"), "did you mean 'wallet'?"),
        (("silence", "wallet=x", "--for", "32d"), "31 days"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_usage__wrong__exit_2_and_what_to_write(
    ids: list[str], args: tuple[str, ...], text: str
) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert text in result.stderr


def test_silence__two_alerts__one_silence_is_of_one(ids: list[str]) -> None:
    result = run("silence", *ids, "--for", "1h")
    assert (result.exit_code, "one silence is of one alert" in result.stderr) == (2, True)


def test_silence__by_label_and_by_id__held_until_ended(ids: list[str]) -> None:
    made = json.loads(run("silence", "rule=hf-*", "--for", "2h", "--json").stdout)
    assert made["action"] == "silence"
    quiet = run("silence", ids[0], "--for", "2h", "--why", "moving").stdout
    assert quiet.splitlines() == [f"silence {int(made['id']) + 1}: quiet for 2 h"]
    listed = json.loads(run("silences", "--json").stdout)["silences"]
    assert {one["reason"]: one["match"] for one in listed} == {
        "": {"rule": "hf-*"}, "moving": {"alert": ids[0]},
    }  # fmt: skip
    assert "◑ holds" in run("silences").stdout
    assert run("unsilence", made["id"]).exit_code == 0
    again = run("unsilence", made["id"])
    assert (again.exit_code, "no silence" in again.stderr) == (1, True)
    assert "1 silence(s)" in run("list").stdout


def test_silence__of_nothing_that_is_there__made_and_said(ids: list[str]) -> None:
    made = run("silence", "wallet=nobody", "--for", "2h")
    assert made.exit_code == 0
    assert "no alert is of that yet" in made.stdout
    assert "yet" not in run("silence", "protocol=*", "--for", "2h").stdout  # one fires, one is ok


def test_silences__none__says_so(ids: list[str]) -> None:
    assert run("silences").stdout.strip() == "no silences"
    assert "hf-low" in run("list", "--rule", "hf-low").stdout
    assert run("list", "--rule", "other").stdout.strip().startswith("1 critical")


def test_completion__ids_with_titles__and_nothing_without_a_database(
    ids: list[str], place: Path
) -> None:
    found = dict(alerting.alert_ids(ids[0][:3]))
    assert list(found) == [ids[0][:12]]
    assert "health 1.1000" in found[ids[0][:12]]
    run("silence", "rule=hf-low", "--for", "2h")
    assert dict(alerting.silence_ids("")) == {"1": "rule=hf-low"}
    assert dict(alerting.silence_ids("9")) == {}
    (place / "underkeel.toml").write_text("version = 9")
    assert list(alerting.alert_ids("")) == []
    assert list(alerting.silence_ids("")) == []


def test_by__nobody_named__whoever_is_logged_in(
    ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    run("ack", ids[0])
    assert "command line looks after it" in " ".join(run("list").stdout.split())


def test_silences__words_of_a_stranger__do_not_reach_the_terminal(ids: list[str]) -> None:
    with open_store(load(None)).writing() as db:
        match = {"market": "x\x1b]0;y\x07"}
        now, given = time.time(), rules_of(load(None).settings)
        acts.silence(db, given, match, now + 60, "\x1b[2J", "\u202e\x1b[31m", now)
    shown = run("silences").stdout
    assert "◑ holds" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_cli_page__its_commands__do_what_they_say(ids: list[str]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    shown = re.findall(r"^underkeel alert (.+)$", page, re.MULTILINE)
    asked = [shlex.split(line) for line in shown if not line.startswith("test ")]
    assert [words[0] for words in asked] == [
        "list",
        "list",
        "ack",
        "silence",
        "silences",
        "unsilence",
    ]
    codes = []
    for words in asked:
        known = {"1f0c9a": ids[0][:6], "7": "1"}
        codes.append(run(*(known.get(word, word) for word in words)).exit_code)
    assert codes == [3, 3, 0, 0, 0, 0]
