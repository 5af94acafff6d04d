"""The demo's receiver, timeline, follower and service, without a chain."""

from __future__ import annotations

import signal
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.underkeel.steer.build import NOW, Desk, plan, proposed
from underkeel.cli import demo as command
from underkeel.cli.options import Globals
from underkeel.demo import live, service
from underkeel.demo.live import Follower, Live
from underkeel.demo.receiver import receiving
from underkeel.demo.rescue import NotRescued
from underkeel.demo.service import NoService, serving
from underkeel.demo.timeline import Timeline
from underkeel.notify.webhook import signature
from underkeel.steer import rows
from underkeel.steer.types import Status
from underkeel.store import events
from underkeel.store.events import Event

SECRET = "a secret of the test"
BODY = b'{"title": "hello", "severity": "critical", "alert": "", "rule": "r"}'


def post(url: str, headers: Mapping[str, str], body: bytes = BODY) -> int:
    asked = urllib.request.Request(url, body, dict(headers))
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.loopback
def test_receiver__signed__is_taken_once_and_the_rest_refused() -> None:
    heard: list[Any] = []
    with receiving(SECRET, heard.append) as receiver:
        signed = {
            "Underkeel-Timestamp": "7",
            "Underkeel-Signature": signature(SECRET, 7, BODY),
            "Idempotency-Key": "one",
        }
        assert post(receiver.url, signed) == 204
        assert post(receiver.url, signed) == 204  # a repeat
        assert post(receiver.url, signed | {"Underkeel-Timestamp": "8"}) == 401
        assert post(receiver.url, signed | {"Underkeel-Timestamp": "x"}) == 400
        assert post(receiver.url, signed, BODY + b" ") == 401
        assert post(receiver.url, signed, b" " * ((1 << 20) + 1)) == 413
    assert [message["title"] for message in heard] == ["hello"]


def test_timeline__entries__have_their_time_and_are_passed_on() -> None:
    clock = iter([10.0, 10.5, 12.25]).__next__
    heard: list[Any] = []
    timeline = Timeline(heard.append, clock)
    timeline.add("price", "falls", block=7)
    timeline.add("transaction", "mined", transaction="0x1")
    assert [entry.t for entry in heard] == [0.5, 2.25]
    assert timeline.entries == heard


def test_follower__message__comes_after_what_it_tells_of(tmp_path: Path) -> None:
    desk = Desk.open(tmp_path)
    desk.fires()
    timeline = Timeline()
    follower = Follower(timeline)
    follower.look()  # there is no store yet
    message = {"title": "hello", "severity": "critical", "alert": "", "rule": "r"}
    sent = {"transactions": [{"id": "1", "hash": "0x9", "end": "mined"}]}
    with follower.following(desk.store):
        with desk.store.writing() as db:
            events.add(db, Event(NOW, "alert", "it fires", alert="k1", severity="critical"))
            events.add(db, Event(NOW, "plan", "carried out", body=sent))
        follower.hear(message)
    follower.hear(message)
    kinds = [(entry.kind, entry.text) for entry in timeline.entries]
    assert kinds == [
        ("alert", "it fires"),
        ("plan", "carried out"),
        ("transaction", "mined: 0x9"),
        ("receipt", "webhook received: hello"),
        ("receipt", "webhook received: hello"),
    ]


class Healthy:
    """A service that does not end."""

    url = ""

    def check(self) -> None:
        """Find nothing wrong."""


def looking(desk: Desk) -> Live:
    return Live(
        None, desk.folder, desk.config, (), Healthy(), desk.store, None, Timeline(),  # type: ignore[arg-type]
        lambda _: None,
    )  # fmt: skip


def test_live__plan_ends_otherwise__not_rescued_and_says_why(tmp_path: Path) -> None:
    desk = Desk.open(tmp_path, proposed(plan()))
    watched = looking(desk)
    with desk.store.writing() as db:
        rows.put(
            db, at=NOW, alert="k", rule="rescue", name="rescue", wallet="ops", account="ops",
            mode="execute", status=Status.REFUSED, cause="too dear",
        )  # fmt: skip
    with pytest.raises(NotRescued, match="rescue ended refused: too dear"):
        watched.await_done("rescue")


def test_live__nothing_happens__not_rescued_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk.open(tmp_path)
    monkeypatch.setattr(live, "PATIENCE_S", 0)
    watched = looking(desk)
    with pytest.raises(NotRescued, match="the alert x is ok: not within 0 s"):
        watched.await_state("x", "ok")
    watched.await_delivered()


PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("info pages at http://127.0.0.1:9/", file=sys.stderr)
print("info the service runs", file=sys.stderr, flush=True)
time.sleep(60)
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand for the interpreter: whatever it is asked to run, it runs what the file says."""
    path = tmp_path / "program"
    source = tmp_path / "program.py"
    source.write_text(PROGRAM)
    path.write_text(f"#!/bin/sh\nexec {sys.executable} -S -E {source}\n")
    path.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(path))
    return source


def test_serving__comes_up__has_its_url_and_ends_with_it(program: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "underkeel.toml", {}, tmp_path / "state") as found:
        assert found.url == "http://127.0.0.1:9/"
        found.check()
    assert found.process.returncode == 0
    with pytest.raises(NoService, match="has ended: info pages at"):
        found.check()


def test_serving__ends_at_once__says_its_last_words(program: Path, tmp_path: Path) -> None:
    program.write_text("import sys; sys.exit('the database is held')")
    with (
        pytest.raises(NoService, match="the database is held"),
        serving(tmp_path / "underkeel.toml", {}, tmp_path / "state"),
    ):
        pass


def test_serving__never_comes_up__is_ended(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.write_text(textwrap.dedent(PROGRAM).replace("runs", "walks"))
    monkeypatch.setattr(service, "START_S", 0)
    with (
        pytest.raises(NoService, match="did not come up"),
        serving(tmp_path / "underkeel.toml", {}, tmp_path / "state"),
    ):
        pass


def test_serving__does_not_heed_the_signal__is_killed(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.write_text(PROGRAM.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN"))
    monkeypatch.setattr(service, "STOP_S", 0.1)
    with serving(tmp_path / "underkeel.toml", {}, tmp_path / "state") as found:
        pass
    assert found.process.returncode == -signal.SIGKILL


def test_serving__detached__outlives_it(program: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "underkeel.toml", {}, tmp_path / "state") as found:
        process = found.process
        assert found.detach() == process.pid
    process.returncode = None
    assert process.poll() is None
    process.terminate()
    assert process.wait(20) == 0


def test_signals__two__interrupt_once() -> None:
    signals = command.Signals()
    with pytest.raises(KeyboardInterrupt):
        signals(signal.SIGINT, None)
    signals(signal.SIGINT, None)


def test_wait__enter__ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    monkeypatch.setattr("select.select", lambda *_: ([sys.stdin], [], []))
    monkeypatch.setattr(Globals, "may_ask", property(lambda _: True))
    show = command._Show(Globals(), command.Asked(), None, None, None)  # type: ignore[arg-type]
    show._wait()
    assert time.monotonic() - began < 60
