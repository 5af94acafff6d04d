"""The signed webhook: what a receiver sees, and that the page tells it how to check."""

import json
import re
from pathlib import Path

import pytest

from tests.support.hooks import hook
from underkeel.notify.types import Limits, Message, Verdict
from underkeel.notify.webhook import Webhook, body_of, key_of, signature
from underkeel.notify.wire import target

DOCS = Path(__file__).parents[3] / "docs" / "channels.md"
SECRET = "0123456789abcdef"
NOW = 1_800_000_000
MESSAGE = Message(
    "hf-low/1/firing/3", "Health 1.1 ☂", "two\nlines", "critical", "firing", NOW - 5.0,
    "abc", "hf-low", {"value": "1.1"},
)  # fmt: skip


@pytest.mark.loopback
def test_send__twice__same_bytes_and_key_and_a_fresh_signature() -> None:
    clock = iter([NOW, NOW, NOW + 60, NOW + 60])
    with hook() as server:
        channel = Webhook(
            "ops", target(server.url), SECRET, Limits(5, 60, 60), now=lambda: next(clock)
        )
        assert channel.send(MESSAGE, 1, repeated=False).verdict is Verdict.DELIVERED
        assert channel.send(MESSAGE, 2, repeated=True).verdict is Verdict.DELIVERED
    first, second = server.got
    assert first.body == second.body == body_of(MESSAGE, "ops")
    assert first.key == second.key == MESSAGE.id
    for got, attempt, at in ((first, "1", NOW), (second, "2", NOW + 60)):
        assert got.headers["underkeel-attempt"] == attempt
        assert got.headers["underkeel-timestamp"] == str(at)
        assert got.headers["underkeel-signature"] == signature(SECRET, at, got.body)
    document = json.loads(first.body)
    assert document == {
        "schema": "underkeel.notification/1", "id": MESSAGE.id, "channel": "ops",
        "at": "2027-01-15T07:59:55Z", "rule": "hf-low", "alert": "abc", "state": "firing",
        "severity": "critical", "title": "Health 1.1 ☂", "body": "two\nlines",
        "payload": {"value": "1.1"},
    }  # fmt: skip


@pytest.mark.parametrize("odd", ["a\r\nX-Evil: 1", "ü", "a b", "x" * 300, ""])
def test_key_of__what_no_header_can_carry__is_hashed(odd: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", key_of(odd))
    assert json.loads(body_of(Message(odd, "", "", "", "", 0.0), "c"))["id"] == key_of(odd)


def test_docs__their_example__takes_ours_and_nothing_else() -> None:
    example = DOCS.read_text("utf-8").split("```python\n", 1)[1].split("```", 1)[0]
    place: dict[str, object] = {}
    exec(example, place)
    verify = place["verify"]
    assert callable(verify)
    body = body_of(MESSAGE, "ops")
    headers = {"Underkeel-Timestamp": str(NOW), "Underkeel-Signature": signature(SECRET, NOW, body)}
    assert verify(SECRET, headers, body, now=NOW + 100)
    assert not verify(SECRET, headers, body + b" ", now=NOW)
    assert not verify("another secret!!", headers, body, now=NOW)
    assert not verify(SECRET, headers, body, now=NOW + 1_000)
    assert not verify(SECRET, {**headers, "Underkeel-Timestamp": "soon"}, body, now=NOW)
    assert not verify(SECRET, {}, body, now=NOW)


def test_repr_and_check__no_secret__and_an_unknown_name_is_said() -> None:
    channel = Webhook(
        "ops", target("https://no-such-host.invalid/key12345"), SECRET, Limits(1, 1, 1)
    )
    assert repr(channel) == "Webhook(ops, https://no-such-host.invalid)"
