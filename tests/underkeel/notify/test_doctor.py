"""What doctor says of channels, without sending anything."""

from pathlib import Path

import pytest

from tests.underkeel.notify.test_channels import CHAT, ENV, HOOK, config
from underkeel.cli import doctor_channels
from underkeel.cli.doctor_channels import channel_checks, heartbeat_checks
from underkeel.notify import webhook
from underkeel.notify.by_apprise import ByApprise

BEAT = '[heartbeat]\nurl = "env:HOOK"\n'


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (webhook, doctor_channels):
        monkeypatch.setattr(module, "resolves", lambda host, port: host == "example.org")
    monkeypatch.setattr(ByApprise, "check", lambda channel: "")


def told(tmp_path: Path, text: str, **environ: str) -> list[tuple[str, str, str]]:
    loaded = config(tmp_path, text)
    given = {**ENV, **environ}
    found = [*channel_checks(loaded, given), *heartbeat_checks(loaded, given)]
    return [(check.name, check.status, check.found) for check in found]


def test_checks__all_well__say_how_to_try(tmp_path: Path) -> None:
    assert told(tmp_path, CHAT + HOOK + BEAT) == [
        ("channel chat", "ok", "tgram://…; `underkeel alert test chat` sends a real message"),
        ("channel hook", "ok",
         "https://example.org; `underkeel alert test hook` sends a real message"),
        ("heartbeat", "ok", "https://example.org"),
    ]  # fmt: skip


def test_checks__nothing_configured__nothing_said(tmp_path: Path) -> None:
    assert told(tmp_path, "") == []


def test_checks__each_trouble__by_its_channel(tmp_path: Path) -> None:
    found = told(
        tmp_path, HOOK + BEAT + '[channels.none]\napprise = "env:NONE"\n',
        HOOK="https://elsewhere.example/key12345", HTTPS_PROXY="http://proxy",
    )  # fmt: skip
    assert [(name, status) for name, status, _ in found] == [
        ("channel hook", "failed"),
        ("channel none", "failed"),
        ("proxy", "warning"),
        ("heartbeat", "failed"),
    ]
    assert "key12345" not in str(found)


def test_checks__one_channel_and_no_switch__is_little(tmp_path: Path) -> None:
    assert [(name, status) for name, status, _ in told(tmp_path, CHAT)] == [
        ("channel chat", "ok"),
        ("channels", "warning"),
        ("heartbeat", "warning"),
    ]


def test_heartbeat_checks__secret_missing__is_said(tmp_path: Path) -> None:
    ((name, status, found),) = told(tmp_path, '[heartbeat]\nurl = "env:NONE"\n')
    assert (name, status) == ("heartbeat", "failed")
    assert "has no NONE" in found
