"""`underkeel dash`: over what was stored, without watching, until it is told to end."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from underkeel.cli.dash import serve_pages
from underkeel.cli.main import app
from underkeel.cli.options import Globals
from underkeel.config.load import load
from underkeel.errors import AppError
from underkeel.store import events
from underkeel.store.open import open_store

CONFIG = """version = 1
[chains.main]
chain_id = 1
rpc = "http://127.0.0.1:1"
[web]
bind = "127.0.0.1:0"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # commands set the root logger up; pytest's own handlers are back afterwards
    monkeypatch.setattr(logging.root, "handlers", list(logging.root.handlers))
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    (tmp_path / "underkeel.toml").write_text(CONFIG)
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(tmp_path / "state"))
    return tmp_path


def stored(place: Path) -> None:
    store = open_store(load(place / "underkeel.toml"))
    with store.writing() as db:
        events.add(db, events.Event(1.0, "service", "it ran once"))
    store.close()


def test_dash__nothing_was_ever_stored__says_what_to_run(place: Path) -> None:
    ran = CliRunner().invoke(app, ["dash", "--config", str(place / "underkeel.toml")])
    assert ran.exit_code == 1
    assert "there is no database yet; `underkeel run` makes it" in ran.stderr
    assert not (place / "state").exists() or not list((place / "state").glob("*.sqlite"))


@pytest.mark.loopback
def test_dash__real_process__serves_what_is_there_and_ends_by_a_signal(place: Path) -> None:
    stored(place)
    command = [sys.executable, "-m", "underkeel", "dash", "--json", "--port", "0"]
    with subprocess.Popen(
        [*command, "--config", str(place / "underkeel.toml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        try:
            assert process.stdout is not None
            text = ""
            while not text.rstrip().endswith("}"):
                line = process.stdout.readline()
                assert line, process.stderr.read() if process.stderr else ""
                text += line
            said = json.loads(text)
            with httpx.Client(base_url=said["url"], timeout=60, trust_env=False) as client:
                found = client.get("api/v1/events").json()
                assert [e["text"] for e in found["events"]] == ["it ran once"]
                ready = client.get("readyz")
                assert ready.status_code == 503
                checks = {c["name"]: c["text"] for c in ready.json()["checks"]}
                assert "start `underkeel run`" in checks["monitor"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


@pytest.mark.loopback
def test_dash__in_process__opens_a_browser_where_asked(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(place)
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("underkeel.cli.dash._stop_on_signals", threading.Event.set)
    options = Globals(place / "underkeel.toml", quiet=True)
    assert serve_pages(options, None, browser=True) == 0
    assert capsys.readouterr().out == f"{opened[0]} (Ctrl-C ends it)\n"


@pytest.mark.loopback
def test_dash__port_taken__is_an_error_that_names_it(place: Path) -> None:
    stored(place)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = Globals(
            place / "underkeel.toml", json=True, no_input=True, quiet=True, no_color=True
        )
        with pytest.raises(AppError, match=f"127.0.0.1:{port} cannot be listened on"):
            serve_pages(options, port, browser=False)
