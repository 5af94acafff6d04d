"""The signed webhook: JSON, an HMAC over time and body, an id that makes repeats harmless."""

import hashlib
import hmac
import re
import time
from typing import Any, Final

import orjson

from underkeel.notify.types import Limits, Message, Outcome
from underkeel.notify.wire import Clock, Target, resolves, send

SCHEMA: Final = "underkeel.notification/1"
SIGNATURE: Final = "Underkeel-Signature"
TIMESTAMP: Final = "Underkeel-Timestamp"
ATTEMPT: Final = "Underkeel-Attempt"
KEY: Final = "Idempotency-Key"
LEAST_SECRET: Final = 16
"""Characters of a secret below which it could be guessed."""


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return what the signature header says: `v1=` and 64 hex digits."""
    signed = str(timestamp).encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def key_of(message_id: str) -> str:
    """Return an id as a header can carry it: itself where it is plain, else its hash."""
    if re.fullmatch(r"[!-~]{1,200}", message_id):
        return message_id
    return hashlib.sha256(message_id.encode()).hexdigest()


def body_of(message: Message, channel: str) -> bytes:
    """Return the JSON of a message: the same bytes at every attempt."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "id": key_of(message.id),
        "channel": channel,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(message.at)),
        "rule": message.rule,
        "alert": message.alert,
        "state": message.state,
        "severity": message.severity,
        "title": message.title,
        "body": message.body,
        "payload": dict(message.payload),
    }
    return orjson.dumps(document)


class Webhook:
    """A URL that takes signed messages."""

    knows_repeats = True

    def __init__(
        self, name: str, target: Target, secret: str, limits: Limits, *, now: Clock = time.time
    ) -> None:
        self.name = name
        self.limits = limits
        self.place = target.label
        self._target = target
        self._secret = secret
        self._now = now

    def __repr__(self) -> str:
        return f"Webhook({self.name}, {self.place})"

    def send(self, message: Message, attempt: int, *, repeated: bool) -> Outcome:
        """Post once; the timestamp is of this attempt."""
        body, timestamp = body_of(message, self.name), int(self._now())
        headers = {
            "Content-Type": "application/json",
            "Accept": "*/*",
            KEY: key_of(message.id),
            TIMESTAMP: str(timestamp),
            SIGNATURE: signature(self._secret, timestamp, body),
            ATTEMPT: str(attempt),
        }
        return send(self._target, "POST", headers, body, self.limits.timeout_s, now=self._now)

    def check(self) -> str:
        """Say so where the host has no address."""
        origin = self._target.origin
        if not resolves(origin.host, origin.port):
            return f"{self.place}: its name does not resolve"
        return ""
