"""What a shell offers on Tab."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from underkeel.cli.completion import KINDS
from underkeel.cli.main import app
from underkeel.plans import kinds

CONFIG = """
version = 1
[wallets.ops]
address = "0x1111111111111111111111111111111111111111"
[wallets.treasury]
address = "0x2222222222222222222222222222222222222222"
[channels.night]
apprise = "env:X"
[[plan]]
name = "rescue"
kind = "repay"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "underkeel.toml"
    path.write_text(CONFIG)
    return path


def offered(line: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what bash is offered at the end of a line."""
    words = line.split(" ")
    monkeypatch.setenv("_UNDERKEEL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    return CliRunner().invoke(app, [], prog_name="underkeel").output.split()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("positions ", ["ops", "treasury"]),
        ("risk tr", ["treasury"]),
        ("wallet remove o", ["ops"]),
        ("alert test ", ["night"]),
        ("plan res", ["rescue", "restore-health"]),
        ("plan repay --wallet ", ["ops", "treasury"]),
        ("plan repay --account t", ["treasury"]),
    ],
)
def test_tab__names_of_the_config__are_offered(
    line: str, names: list[str], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert offered(f"underkeel --config {config} {line}", monkeypatch) == names
    monkeypatch.setenv("UNDERKEEL_CONFIG", str(config))
    assert offered(f"underkeel {line}", monkeypatch) == names


@pytest.mark.parametrize("text", ["", "[", 'wallets = 3\nplan = "x"\nchannels = []', "\udc80"])
def test_tab__config_is_no_good__offers_nothing_and_says_nothing(
    text: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert offered(f"underkeel --config {config} positions ", monkeypatch) == []
    assert offered(f"underkeel --config {config} plan res", monkeypatch) == ["restore-health"]
    assert offered("underkeel --config /nowhere.toml alert test ", monkeypatch) == []


def test_kinds__offered__are_those_that_are_planned() -> None:
    assert KINDS == kinds.KINDS
