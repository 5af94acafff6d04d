"""A channel by apprise: a process for each attempt, its reasons told, its keys not."""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.hooks import hook
from underkeel.notify import by_apprise
from underkeel.notify.by_apprise import ByApprise, environment, secrets_in
from underkeel.notify.types import Limits, Message, Outcome, Verdict

MESSAGE = Message("id/1", "Health <1.1>", "line *1*\n:smile: line 2", "critical", "firing", 0.0)
URL = "tgram://123456789:AAsecretToken-x/-100200300?format=text"
LIMITS = Limits(5, 60, 60)


def faked(tmp_path: Path, program: str, url: str = URL, timeout: float = 5) -> ByApprise:
    """A channel whose child is a program of ours: apprise itself takes over a second to load."""
    child = tmp_path / "child.py"
    child.write_text(program)
    return ByApprise("ops", url, Limits(timeout, 60, 60), child=child, now=lambda: 0.0)


def saying(tmp_path: Path, **found: Any) -> Outcome:
    empty = {
        "known": True, "sent": False, "error": "", "words": [], "detail": "", "codes": [],
        "retry_after": "", "broken": "",
    }  # fmt: skip
    program = f"print({json.dumps(json.dumps(empty | found))})"
    return faked(tmp_path, program).send(MESSAGE, 1, repeated=False)


@pytest.mark.parametrize(
    ("found", "verdict", "says"),
    [
        ({"sent": True, "codes": [200]}, Verdict.DELIVERED, ""),
        ({"known": False, "words": ["Unparseable URL"]}, Verdict.REFUSED, "does not take the URL"),
        ({"codes": [401], "words": ["Unauthorized"]}, Verdict.REFUSED, "401 not authorised: Una"),
        ({"codes": [429], "retry_after": "9"}, Verdict.FAILED, "HTTP 429"),
        ({"codes": [200, 403]}, Verdict.UNKNOWN, "HTTP 403"),
        ({"broken": "refused"}, Verdict.FAILED, "refused"),
        ({"broken": "timeout"}, Verdict.UNKNOWN, "no answer in time"),
        ({"broken": "tls"}, Verdict.FAILED, "TLS failed"),
        ({"detail": "[Errno 111] Connection refused"}, Verdict.FAILED, "refused"),
        ({"detail": "(535, b'5.7.8 bad login')"}, Verdict.REFUSED, "bad login"),
        ({"detail": "{'a@b.c': (450, b'later')}"}, Verdict.FAILED, "later"),
        ({"detail": "Connection unexpectedly closed"}, Verdict.UNKNOWN, "unexpectedly closed"),
        ({"error": "KeyError: 'x'"}, Verdict.UNKNOWN, "KeyError"),
    ],
)
def test_send__what_the_child_found__means_what_it_means(
    tmp_path: Path, found: dict[str, Any], verdict: Verdict, says: str
) -> None:
    outcome = saying(tmp_path, **found)
    assert outcome.verdict is verdict
    assert says in outcome.cause
    assert outcome.retry_after_s == (9.0 if "retry_after" in found else None)


def test_send__words_with_the_url_in_them__are_told_without(tmp_path: Path) -> None:
    told = f"failed for {URL} with 123456789:AAsecretToken-x\nat bot123456789%3AAAsecretToken-x"
    cause = saying(tmp_path, codes=[404], words=[told], error=told).cause
    for secret in ("123456789", "AAsecretToken-x", "100200300"):
        assert secret not in cause
    assert cause.isprintable()
    assert cause.startswith("tgram://…: HTTP 404")


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("import sys; sys.exit('boom ' + 'AAsecretToken-x')", "apprise ended with 1: boom …"),
        ("print('[]x')", "apprise ended with 0"),
        ("pass", "apprise ended with 0"),
        ("import os; os.kill(os.getpid(), 9)", "apprise ended with -9"),
    ],
)
def test_send__a_child_that_breaks__may_have_sent_it(
    tmp_path: Path, program: str, says: str
) -> None:
    outcome = faked(tmp_path, program).send(MESSAGE, 1, repeated=False)
    assert outcome.verdict is Verdict.UNKNOWN
    assert says in outcome.cause


@pytest.mark.parametrize(
    ("url", "found", "says"),
    [
        (URL, {"known": False, "words": ["Unparseable URL"]}, "does not take the URL: Unparseable"),
        (URL, {"known": True, "host": "123456789"}, ""),
        ("json://no.such.invalid/", {"known": True, "host": "no.such.invalid"}, "not resolve"),
        ("json://127.0.0.1/", {"known": True, "host": "127.0.0.1"}, ""),
    ],
    ids=["unknown", "a-key-for-a-host", "no-host", "well"],
)
def test_check__what_the_child_found__without_a_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    found: dict[str, Any],
    says: str,
) -> None:
    monkeypatch.setattr(by_apprise, "resolves", lambda host, port: host == "127.0.0.1")
    found = {"error": "", "words": [], **found}
    program = (
        f"import sys\nassert 'check' in sys.stdin.read()\nprint({json.dumps(json.dumps(found))})"
    )
    told = faked(tmp_path, program, url).check()
    assert (says in told) if says else told == ""


def test_send__a_child_that_hangs__is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("underkeel.notify.by_apprise.STARTING_S", 0.0)
    channel = faked(tmp_path, "import time\ntime.sleep(60)", timeout=0.2)
    outcome = channel.send(MESSAGE, 1, repeated=False)
    assert outcome.verdict is Verdict.UNKNOWN
    assert "did not end within 0.2 s" in outcome.cause
    assert "did not end" in channel.check()


def test_send__a_child_that_forks_and_ends__what_it_left_is_ended_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("underkeel.notify.by_apprise.STARTING_S", 0.0)
    left = tmp_path / "left"
    os.mkfifo(left)
    program = (
        f"import os, time\nif not os.fork():\n    open({str(left)!r}, 'w')\n    time.sleep(60)"
    )
    reader = os.open(left, os.O_RDONLY | os.O_NONBLOCK)
    try:
        outcome = faked(tmp_path, program, timeout=0.5).send(MESSAGE, 1, repeated=False)
        os.set_blocking(reader, True)
        assert os.read(reader, 1) == b""  # its other end is open for as long as the fork lives
    finally:
        os.close(reader)
    assert outcome.verdict is Verdict.UNKNOWN


def test_send__a_child_that_says_something_else__may_have_sent_it(tmp_path: Path) -> None:
    for said in ("1", "[]", "null", '"x"'):
        outcome = faked(tmp_path, f"print({said!r})").send(MESSAGE, 1, repeated=False)
        assert outcome.verdict is Verdict.UNKNOWN


def test_send__no_process_can_be_started__is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    outcome = faked(tmp_path, "").send(MESSAGE, 1, repeated=False)
    assert outcome.verdict is Verdict.FAILED
    assert "No such file" in outcome.cause


@pytest.mark.parametrize(
    ("state", "severity", "repeated", "kind", "title"),
    [
        ("firing", "critical", False, "critical", "T"),
        ("resolved", "critical", False, "resolved", "T"),
        ("firing", "warning", True, "warning", "(possibly repeated) T"),
    ],
)
def test_send__what_the_child_is_asked(
    tmp_path: Path, state: str, severity: str, repeated: bool, kind: str, title: str
) -> None:
    program = f"import sys\nopen({str(tmp_path / 'asked')!r}, 'w').write(sys.stdin.read())"
    message = Message("i", "\nT\r\n", "B @everyone\nme@here.org", severity, state, 0.0)
    faked(tmp_path, program).send(message, 1, repeated=repeated)
    asked = json.loads((tmp_path / "asked").read_text())
    body = "B @\N{WORD JOINER}everyone\nme@\N{WORD JOINER}here.org"
    assert asked == {"url": URL, "timeout": 5, "title": title, "body": body, "kind": kind}


@pytest.mark.parametrize(
    "text",
    ["@everyone", "a@here", "<@123>", "<@&456>", "@456", "see @ada", "<!channel>", "<!here|x>"],
)
def test_quiet__what_would_ring_somebody__is_broken_up(text: str) -> None:
    told = by_apprise.quiet(text)
    assert told.replace("\N{WORD JOINER}", "") == text
    assert "@\N{WORD JOINER}" in told or "<\N{WORD JOINER}!" in told


def test_quiet__an_address_and_a_comparison__stay_as_they_are() -> None:
    assert by_apprise.quiet("ada@example.org: 1 < 2") == "ada@example.org: 1 < 2"


def test_environment__no_proxy_and_no_netrc() -> None:
    given = {"PATH": "/bin", "https_proxy": "x", "ALL_PROXY": "x", "NO_PROXY": "y"}
    assert environment(given) == {"PATH": "/bin", "NETRC": os.devnull}


def test_secrets_in__every_piece_that_is_long_enough() -> None:
    found = secrets_in("mailto://user:pass%21word@mail.example.org?to=me@example.org")
    assert {"pass%21word", "pass!word", "mail.example.org", "example.org"} <= set(found)
    assert "user" not in found, "shorter than what can be hidden without hiding words"


@pytest.mark.parametrize("url", ["tgram://abc", "noscheme", "a b://x"])
def test_place__the_scheme_at_most(url: str) -> None:
    channel = ByApprise("ops", url, LIMITS)
    assert channel.place in ("tgram://…", "apprise")
    assert repr(channel) == f"ByApprise(ops, {channel.place})"


@pytest.mark.loopback
def test_apprise_itself__chat_like_servers__title_and_body_arrive_and_refusals_are_told() -> None:
    with hook() as server:
        chat = ByApprise("chat", f"mmost://127.0.0.1:{server.port}/s3cretToken", LIMITS)
        assert chat.send(MESSAGE, 1, repeated=False).verdict is Verdict.DELIVERED
        (got,) = server.got
        assert got.path == "/hooks/s3cretToken"
        text = json.loads(got.body)["text"]
        assert "Health <1.1>" in text
        assert "line *1*\n:smile: line 2" in text
        server.answer = lambda got: (429, {"Retry-After": "77"})
        outcome = chat.send(MESSAGE, 2, repeated=True)
    assert (outcome.verdict, outcome.code, outcome.retry_after_s) == (Verdict.FAILED, 429, 77.0)
    assert "s3cretToken" not in outcome.cause


@pytest.mark.loopback
def test_apprise_itself__mail__arrives_at_a_server() -> None:
    mails: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection, connection.makefile("rwb") as file:
            file.write(b"220 here\r\n")
            file.flush()
            while line := file.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    file.write(b"354 go on\r\n")
                    file.flush()
                    mails.append(b"".join(iter(file.readline, b".\r\n")))
                file.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
                file.flush()

    import threading

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        port = server.getsockname()[1]
        url = f"mailto://127.0.0.1:{port}?from=keel@example.org&to=me@example.org&mode=insecure"
        outcome = ByApprise("mail", url, LIMITS).send(MESSAGE, 1, repeated=False)
    finally:
        server.close()
        thread.join(10)
    assert outcome == Outcome(Verdict.DELIVERED)
    assert b"Subject: Health <1.1>" in mails[0]
    assert b"line *1*" in mails[0]
