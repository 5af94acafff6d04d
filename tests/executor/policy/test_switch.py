"""The kill switch: whoever wrote the file, and even where nobody can."""

import os
import signal
from pathlib import Path

import pytest

from executor.policy.switch import Switch


def test_pause__until_resumed__with_its_reason(tmp_path: Path) -> None:
    switch = Switch(tmp_path / "state")
    assert switch.paused() is None
    assert not switch.resume()
    switch.pause("a storm\x1b[2J")
    said = switch.paused()
    assert said is not None
    assert said.startswith("paused: 20")
    assert "a storm" in said
    assert "\x1b" not in said
    assert Switch(tmp_path / "state").paused() == said
    assert [p.name for p in switch.folder.iterdir()] == ["pause"]
    switch.pause("again")
    assert switch.resume()
    assert switch.paused() is None


def test_file__made_by_anybody_or_unreadable__is_paused(tmp_path: Path) -> None:
    (tmp_path / "pause").touch()
    assert Switch(tmp_path).paused() == "paused"
    (tmp_path / "pause").unlink()
    (tmp_path / "pause").mkdir()
    said = Switch(tmp_path).paused()
    assert said is not None
    assert "counts as paused" in said
    (tmp_path / "pause").rmdir()
    (tmp_path / "pause").write_bytes(b"\xff" * 10_000)
    said = Switch(tmp_path).paused()
    assert said is not None
    assert len(said) < 500


@pytest.mark.parametrize("writable", [True, False])
def test_signal__pauses_even_where_the_file_cannot_be_written(
    writable: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    if not writable:
        folder.write_text("no folder")
    switch = Switch(folder)
    before = signal.getsignal(signal.SIGUSR1)
    undo = switch.on_signal()
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        said = switch.paused()
    finally:
        undo()
    assert said is not None
    assert "SIGUSR1" in said
    assert signal.getsignal(signal.SIGUSR1) == before
    other = Switch(folder).paused()
    assert other is not None  # a file, or a state that cannot be told
