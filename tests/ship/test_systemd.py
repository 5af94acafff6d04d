"""The unit: what it may, what it is told, and what systemd itself thinks of it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.ship.tools import SHIP, program
from underkeel.cli.main import app
from underkeel.errors import Exit

UNIT = SHIP / "systemd" / "underkeel.service"
MOST_EXPOSURE = 1.5


def settings(text: str) -> dict[str, list[str]]:
    """Return every value of every key; the unit has no key in two sections."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_unit__command__is_one_of_ours() -> None:
    (command,) = settings(UNIT.read_text())["ExecStart"]
    assert command == "/opt/underkeel/bin/underkeel --config /etc/underkeel/underkeel.toml run"
    assert "run" in [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]


def test_unit__what_it_needs__is_there() -> None:
    has = settings(UNIT.read_text())
    assert has["Type"] == ["notify"]
    assert int(has["WatchdogSec"][0]) >= 30
    assert has["Restart"] == ["always"]
    assert has["RestartPreventExitStatus"] == [f"{Exit.USAGE:d} {Exit.CONFIG:d}"]
    assert has["DynamicUser"] == ["yes"]
    assert has["StateDirectory"] == ["underkeel"]
    assert "UNDERKEEL_STATE_DIR=%S/underkeel" in has["Environment"][0]
    assert all(":/etc/underkeel/credentials/" in one for one in has["LoadCredential"])
    assert "EnvironmentFile" not in has  # an environment is seen by too many


def test_unit__sandbox__judged_by_systemd__is_tight(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    said = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    match = re.search(r"exposure level for underkeel.service: ([\d.]+)", said.stdout)
    if match is None:
        pytest.skip(f"this systemd cannot judge a file: {said.stderr[-200:]}")
    assert float(match[1]) <= MOST_EXPOSURE


def test_unit__read_by_systemd__has_no_mistake(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    there = tmp_path / "underkeel.service"  # a machine without our program and our folders
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE)
    there.write_text(text)
    said = subprocess.run(
        [analyze, "verify", "--man=no", str(there)], capture_output=True, text=True, timeout=60
    )
    ours = [line for line in said.stderr.splitlines() if "underkeel" in line]
    assert ours == []
