"""Channels of a config: what is refused, in one line each and without the value."""

from pathlib import Path

import pytest

from underkeel.config.load import Config, load
from underkeel.errors import ConfigError
from underkeel.notify.channels import heartbeat_url, open_channels

ENV = {
    "CHAT": "tgram://123456:token-token/1", "HOOK": "https://example.org/key12345",
    "SECRET": "0123456789abcdef", "SHORT": "tooshort", "BAD": "not a url", "WORD": "token",
}  # fmt: skip
CHAT = '[channels.chat]\napprise = "env:CHAT"\n'
HOOK = '[channels.hook]\nwebhook = "env:HOOK"\nsecret = "env:SECRET"\n'


def config(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "underkeel.toml"
    path.write_text("version = 1\n" + text)
    return load(path, {}, tmp_path)


def problems(tmp_path: Path, text: str) -> str:
    try:
        loaded = config(tmp_path, text)
        open_channels(loaded, ENV)
        heartbeat_url(loaded, ENV)
    except ConfigError as error:
        return str(error)
    return ""


def test_open_channels__each_kind__with_its_limits(tmp_path: Path) -> None:
    loaded = config(tmp_path, CHAT + 'per_minute = 3\ntimeout = "7s"\n' + HOOK)
    channels = open_channels(loaded, ENV)
    chat, hook = channels["chat"], channels["hook"]
    assert (chat.place, chat.knows_repeats) == ("tgram://…", False)
    assert (chat.limits.timeout_s, chat.limits.per_minute) == (7, 3)
    assert (hook.place, hook.knows_repeats) == ("https://example.org", True)
    assert (hook.limits.per_minute, hook.limits.retry_for_s) == (600, 7 * 86_400)
    assert list(open_channels(loaded, {"CHAT": ENV["CHAT"]}, only=["chat"])) == ["chat"]


def test_heartbeat_url__found_or_none(tmp_path: Path) -> None:
    assert heartbeat_url(config(tmp_path, CHAT), ENV) is None
    assert heartbeat_url(config(tmp_path, '[heartbeat]\nurl = "env:HOOK"\n'), ENV) == ENV["HOOK"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[channels.a]\napprise = "tgram://secret-token/1"\n', "is not a reference to a secret"),
        ("[channels.a]\n", "has one of apprise and webhook"),
        (CHAT + 'webhook = "env:HOOK"\nsecret = "env:SECRET"\n', "has one of apprise and webhook"),
        ('[channels.a]\nwebhook = "https://h/x"\n', "webhook and secret go together"),
        (CHAT + 'secret = "env:SECRET"\n', "webhook and secret go together"),
        ('[channels.a]\nwebhook = "https://h/"\nsecret = "hunter2-secret"\n', "not a reference"),
        (CHAT + 'timeout = "0s"\n', "is not a sensible timeout"),
        (CHAT + 'retry_for = "1m"\n', "is not a sensible time to keep trying"),
        (CHAT + "per_minute = 0\n", "greater than or equal to 1"),
        (CHAT + "retry = 3\n", "unknown key; did you mean 'retry_for'?"),
        ('[channels.a]\napprise = "env:NONE"\n', "channels.a.apprise: the environment has no NONE"),
        ('[channels.a]\napprise = "env:WORD"\n', "env:WORD is not an apprise URL"),
        (HOOK.replace("HOOK", "BAD"), "channels.hook.webhook: is not a URL of the kind http"),
        (HOOK.replace("SECRET", "SHORT"), "env:SHORT is short enough to be guessed"),
        ('[heartbeat]\nurl = "env:BAD"\n', "heartbeat.url: is not a URL"),
        ('[heartbeat]\nurl = "https://h/"\nevery = "0s"\n', "is not a sensible interval"),
        ('[heartbeat]\nurl = "https://h/"\ntimeout = "2m"\n', "is not a sensible timeout"),
        ('[heartbeat]\nurl = "https://h/"\nmethod = "PUT"\n', "'PUT' is not 'GET' or 'POST'"),
    ],
)
def test_problems__each__is_one_line_without_secrets(tmp_path: Path, text: str, says: str) -> None:
    told = problems(tmp_path, text)
    assert says in told
    for secret in ("secret-token", "hunter2", "token", "tooshort"):
        assert secret not in told
