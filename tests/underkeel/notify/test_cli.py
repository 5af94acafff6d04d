"""`alert test`: a real message to a real server, the receipt told, the exit code by it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.hooks import Hook, hook
from underkeel.cli.main import app
from underkeel.errors import Exit
from underkeel.notify.webhook import signature

pytestmark = pytest.mark.loopback
SECRET = "0123456789abcdef"


@pytest.fixture
def server() -> Iterator[Hook]:
    with hook() as made:
        yield made


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Hook) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOOK_URL", server.url)
    monkeypatch.delenv("UNDERKEEL_CONFIG", raising=False)
    (tmp_path / "hook-secret").write_text(SECRET + "\n")
    channel = '[channels.{}]\nwebhook = "env:HOOK_URL"\nsecret = "file:{}"\n'
    text = channel.format("ops", "hook-secret") + channel.format("two", "hook-secret")
    (tmp_path / "underkeel.toml").write_text("version = 1\n" + text)


def run(*args: str) -> Result:
    result = CliRunner().invoke(app, ["alert", "test", *args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_alert_test__arrives__signed_and_told(server: Hook) -> None:
    result = run("ops")
    assert result.exit_code == Exit.OK
    assert f"✔ ops: delivered to http://127.0.0.1:{server.port} (HTTP 200" in result.output
    (got,) = server.got
    timestamp = int(got.headers["underkeel-timestamp"])
    assert got.headers["underkeel-signature"] == signature(SECRET, timestamp, got.body)
    assert json.loads(got.body)["state"] == "test"


def test_alert_test__refused__tells_why_and_fails(server: Hook) -> None:
    server.answer = lambda got: (404, {})
    result = run("ops")
    assert result.exit_code == Exit.ERROR
    assert "✖ ops: refused: " in result.output
    assert "HTTP 404 not found" in result.output
    assert "s3cret" not in result.output


def test_alert_test__all_as_json__one_receipt_each(server: Hook) -> None:
    server.answer = lambda got: (503 if len(server.got) > 1 else 200, {})
    result = run("--all", "--json")
    assert result.exit_code == Exit.ERROR
    document = json.loads(result.stdout)
    assert document["schema"] == "underkeel.alert-test/1"
    outcomes = [(t["channel"], t["outcome"], t["code"]) for t in document["tests"]]
    assert outcomes == [("ops", "delivered", "200"), ("two", "failed", "503")]
    assert "503 unavailable" in document["tests"][1]["cause"]


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ((), Exit.USAGE, "name a channel, or give --all; there is ops, two"),
        (("ops", "--all"), Exit.USAGE, "name a channel, or give --all"),
        (("opps",), Exit.USAGE, "'opps' is no channel; did you mean 'ops'?"),
    ],
)
def test_alert_test__what_makes_no_sense__is_usage(
    args: tuple[str, ...], code: Exit, says: str
) -> None:
    result = run(*args)
    assert result.exit_code == code
    assert says in result.output


def test_alert_test__secret_missing__is_config_and_nothing_is_sent(
    server: Hook, tmp_path: Path
) -> None:
    (tmp_path / "hook-secret").unlink()
    result = run("ops")
    assert result.exit_code == Exit.CONFIG
    assert "channels.ops.secret: there is no readable file hook-secret" in result.output
    assert server.got == []


def test_alert_test__no_channel_at_all__says_what_to_add(tmp_path: Path) -> None:
    (tmp_path / "underkeel.toml").write_text("version = 1\n")
    result = run("--all")
    assert result.exit_code == Exit.USAGE
    assert "add [channels.NAME]" in result.output
