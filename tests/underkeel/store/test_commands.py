"""`db …`, `export` and where the database is, from the command line."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.fixtures_store import BEGIN
from underkeel.cli.main import app
from underkeel.config.load import Config, load
from underkeel.documents.export import ExportDocument
from underkeel.documents.storage import DatabaseDocument
from underkeel.errors import AppError, ConfigError
from underkeel.execution.live import open_journal
from underkeel.store import events, schema
from underkeel.store.errors import NoStore, WrongStamp
from underkeel.store.events import Event
from underkeel.store.lock import Lock
from underkeel.store.open import open_store
from underkeel.store.place import Place, place_of

DOCS = Path(__file__).parents[3] / "docs"
CONFIG = """
version = 1
{mode}
[chains.ethereum]
chain_id = 1
rpc = ["https://a.example"]
{storage}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(tmp_path / "state"))
    configure(tmp_path)


def configure(tmp_path: Path, mode: str = "dry-run", storage: str = "") -> Config:
    path = tmp_path / "underkeel.toml"
    path.write_text(CONFIG.format(mode=f'mode = "{mode}"', storage=storage))
    return load(path)


def run(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def database(*args: str) -> DatabaseDocument:
    done = run("db", *args, "--json")
    assert done.exit_code == 0, done.output
    return DatabaseDocument.model_validate_json(done.stdout)


def fill(config: Config, count: int = 3) -> None:
    store = open_store(config)
    with store.writing() as db:
        for n in range(count):
            events.add(db, Event(BEGIN + n, "alert", f"event {n}"))
    store.close()


@pytest.mark.parametrize("command", ["status", "prune"])
def test_db__no_database_yet__says_so_and_makes_none(command: str, tmp_path: Path) -> None:
    done = run("db", command)
    assert done.exit_code == 1
    assert "there is no database yet" in done.stderr
    assert run("export", "events").exit_code == 1
    assert run("db", "backup", "x").exit_code == 1
    assert not (tmp_path / "state").exists()


def test_db_upgrade__fresh__makes_it_once(tmp_path: Path) -> None:
    made = database("upgrade")
    assert made.version_before is None
    assert made.chains == {"ethereum": "1"}
    assert Path(made.place) == tmp_path / "state" / "dry-run.sqlite"
    assert database("upgrade").version_before == made.version
    assert f"version {schema.HEAD}" in run("db", "status").stdout


def test_db_status__a_service_writes__who_it_is(tmp_path: Path) -> None:
    store = open_store(load())
    Lock(store).take()
    shown = database("status")
    assert shown.lock is not None
    assert shown.lock.holder.count(":") == 1
    assert shown.lock.holder in run("db", "status").stdout
    store.close()


def test_db_prune__old_events__gone_and_said(tmp_path: Path) -> None:
    storage = '[storage]\nretain = { raw = "1d", hourly = "2d", events = "1d" }'
    config = configure(tmp_path, storage=storage)
    store = open_store(config)
    with store.writing() as db:
        for _ in range(5):
            events.add(db, Event(1.0, "alert", "x" * 10_000))
    store.close()
    pruned = database("prune")
    assert pruned.removed_rows == "5"
    assert int(pruned.freed_bytes or 0) > 0
    assert "removed" in run("db", "prune").stdout


def test_db_backup__a_copy__opens(tmp_path: Path) -> None:
    fill(load())
    said = database("backup", str(tmp_path / "copy.sqlite"))
    assert said.rows["events"] == "3"
    assert (tmp_path / "copy.sqlite").stat().st_size == int(said.backup_bytes or 0)
    assert "backup" in run("db", "backup", str(tmp_path / "another.sqlite")).stdout


def test_db_upgrade__stamped_for_another_mode__exit_4(tmp_path: Path) -> None:
    storage = f'[storage]\nurl = "sqlite:///{tmp_path / "own.sqlite"}"'
    fill(configure(tmp_path, storage=storage))
    configure(tmp_path, "live", storage)
    done = run("db", "upgrade")
    assert done.exit_code == 4
    assert "mode is dry-run, not live" in done.stderr


def test_export__csv_to_stdout_and_json_and_file(tmp_path: Path) -> None:
    fill(load())
    lines = run("export", "events", "--tz", "Europe/Berlin").stdout.splitlines()
    assert len(lines) == 4
    assert lines[1].split(",")[0].endswith("+02:00")
    made = ExportDocument.model_validate_json(run("export", "events", "--json").stdout)
    assert (made.rows, made.timezone) == ("3", "UTC")
    out = tmp_path / "events.parquet"
    done = run("export", "events", "--out", str(out), "--json")
    said = ExportDocument.model_validate_json(done.stdout)
    assert (said.rows, said.format, said.data) == ("3", "parquet", None)
    assert out.stat().st_size > 0
    assert "written to" in run("export", "events", "--out", str(tmp_path / "x.csv")).stderr


def test_export__from_and_to__only_those(tmp_path: Path) -> None:
    fill(load(), 4)
    begin = "2026-09-21T14:13:21Z"  # a second after the first event
    done = run("export", "events", "--from", begin, "--to", "2026-09-21T14:13:23+00:00", "--json")
    found = json.loads(done.stdout)["data"]
    assert [row["text"] for row in found] == ["event 1", "event 2"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["everything"], "is none of positions, events, transactions"),
        (["events", "--format", "xlsx"], "is none of csv, parquet, json"),
        (["events", "--format", "parquet"], "say --out FILE"),
        (["events", "--format", "csv", "--json"], "both want stdout"),
        (["events", "--from", "2026-02-01", "--to", "2026-01-01"], "is not before"),
        (["events", "--tz", "Berlin"], "is not a time zone"),
    ],
    ids=["kind", "format", "terminal", "twice", "span", "zone"],
)
def test_export__nonsense__exit_2_and_what_to_write(args: list[str], words: str) -> None:
    fill(load(), 0)
    done = run("export", *args)
    assert done.exit_code == 2
    assert words in done.stderr


def test_place__default__a_dry_run_has_a_file_of_its_own(tmp_path: Path) -> None:
    dry, live = configure(tmp_path), configure(tmp_path, "live")
    assert place_of(dry).file == tmp_path / "state" / "dry-run.sqlite"
    assert place_of(live).file == tmp_path / "state" / "journal.sqlite"
    assert place_of(dry, mode="live") == place_of(live)


def test_place__references__are_resolved_and_passwords_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEEL_DB", "postgresql+psycopg://me:a-secret@db.example/keel")
    place = place_of(configure(tmp_path, storage='[storage]\nurl = "env:KEEL_DB"'))
    assert place.shown == "postgresql://db.example/keel"
    monkeypatch.delenv("KEEL_DB")
    with pytest.raises(ConfigError, match=r"storage\.url: the environment has no KEEL_DB"):
        place_of(configure(tmp_path, storage='[storage]\nurl = "env:KEEL_DB"'))
    assert Place("no url", None, ours=False).shown == "…"


def test_place__a_relative_file__is_beside_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(tmp_path, storage='[storage]\nurl = "sqlite:///own.sqlite"')
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert place_of(config).file == tmp_path / "own.sqlite"


@pytest.mark.parametrize("url", ["mysql://me:a-secret@x/y", "sqlite://", "", "my.db"])
def test_place__no_database_of_ours__is_refused_without_repeating_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("KEEL_DB", url or " ")
    for storage in (f'url = "{url}"', 'url = "env:KEEL_DB"'):
        with pytest.raises(ConfigError) as caught:
            place_of(configure(tmp_path, storage=f"[storage]\n{storage}"))
        assert "a-secret" not in str(caught.value)


def test_place__state_folder_that_cannot_be__is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(AppError, match="cannot be made"):
        open_store(load())


def test_open_store__not_made__is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoStore):
        open_store(load(), create=False)


def test_open_journal__where_a_dry_run_writes__none_or_refused(tmp_path: Path) -> None:
    storage = f'[storage]\nurl = "sqlite:///{tmp_path / "own.sqlite"}"'
    config = configure(tmp_path, storage=storage)
    fill(config)
    assert open_journal(config, create=False) is None
    with pytest.raises(WrongStamp):
        open_journal(config)


def test_open_journal__live__beside_the_store(tmp_path: Path) -> None:
    config = configure(tmp_path, "live")
    fill(config)
    journal = open_journal(config)
    assert journal is not None
    journal.close()
    assert (tmp_path / "state" / "journal.mark").exists()
    assert database("status").mode == "live"


@pytest.mark.parametrize("name", ["storage", "export"])
def test_pages__every_command_shown__ends_with_0(name: str) -> None:
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\$ underkeel (.*)$", text, re.MULTILINE)
    assert lines
    fill(load())
    for line in lines:
        done = run(*shlex.split(line))
        assert done.exit_code == 0, (line, done.stderr)


@pytest.mark.parametrize(
    ("retain", "words"),
    [
        ('{ raw = "2y", hourly = "30d" }', "raw ≤ hourly ≤ daily does not hold"),
        ('{ raw = "5m" }', "is not a time"),
        ('{ raw = "1h" }', "is not a sensible time"),
        ('{ row = "30d" }', "did you mean 'raw'"),
    ],
)  # fmt: skip
def test_config__retain__says_what_is_wrong(tmp_path: Path, retain: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        configure(tmp_path, storage=f"[storage]\nretain = {retain}")
