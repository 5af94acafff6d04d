"""One HTTP request to a URL that may hold a key: bounded, direct, its answer judged by its status.

No redirect is followed, no proxy of the environment is used, TLS is verified. Of the answer only
the head counts: a body, however long or broken, cannot turn a yes into a maybe.
"""

import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from chain.errors import SettingsError
from chain.http import Answer, Broken, Connection, Origin
from chain.transport import label_of, login_of, secrets_of
from underkeel.config.problems import one_line
from underkeel.notify.types import Outcome, Verdict

SAFE: Final = "/%:@!$&'()*+,;=?~-._"
LATER: Final = (408, 425, 429, 503)
"""Statuses of a receiver that did not take it and may take it later."""
OF_THE_MESSAGE: Final = (400, 413, 422)
"""Statuses that may be about this message rather than about the channel."""
LONGEST_WAIT_S: Final = 6 * 3600.0
"""However long a receiver asks to be left alone."""
SAID_MOST: Final = 160
REASONS: Final = {
    301: "moved", 302: "moved", 307: "moved", 308: "moved", 400: "bad request",
    401: "not authorised", 403: "forbidden", 404: "not found", 405: "method not allowed",
    410: "gone", 413: "too large", 422: "not understood", 429: "too many requests",
    500: "its own error", 502: "bad gateway", 503: "unavailable", 504: "gateway timed out",
}  # fmt: skip

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """A URL taken apart."""

    label: str
    """scheme://host[:port]: what may be shown."""
    origin: Origin
    path: str
    host: str
    login: str
    secrets: re.Pattern[str]

    def hide(self, text: str) -> str:
        """Return the text in one line, without any part of the URL that may be a key."""
        return one_line(self.secrets.sub("…", text))


def target(url: str) -> Target:
    """Return the parts of an http or https URL; raises `ValueError` with a text to show."""
    try:
        label = label_of(url)
    except SettingsError:
        raise ValueError("is not a URL that can be asked") from None
    parts = urlsplit(url)
    name, secure = str(parts.hostname), parts.scheme == "https"
    host = name if name.isascii() else name.encode("idna").decode()
    host = f"[{host}]" if ":" in host else host
    return Target(
        label,
        Origin(name, parts.port or (443 if secure else 80), _tls() if secure else None),
        quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=SAFE),
        host + (f":{parts.port}" if parts.port else ""),
        login_of(parts),
        re.compile("|".join(re.escape(s) for s in secrets_of(url)) or r"(?!)"),
    )


def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def under(url: str, more: str) -> str:
    """Return the URL with a word after its path: `/start`, `/fail`."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + more))


def send(
    to: Target,
    method: str,
    headers: Mapping[str, str],
    body: bytes,
    timeout_s: float,
    *,
    clock: Clock = time.monotonic,
    now: Clock = time.time,
) -> Outcome:
    """Send one request; `timeout_s` bounds all of it but the name's resolution."""
    deadline = clock() + timeout_s

    def left() -> float:
        seconds = deadline - clock()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    try:
        connection = Connection(to.origin, left)
    except TimeoutError:
        return Outcome(Verdict.FAILED, f"{to.label}: no connection within {timeout_s:g} s")
    except Broken as error:
        return Outcome(Verdict.FAILED, f"{to.label}: {error}")
    try:
        answer = connection.answer_head(_request(to, method, headers, body), left)
    except TimeoutError:
        return Outcome(Verdict.UNKNOWN, f"{to.label}: no answer within {timeout_s:g} s")
    except Broken as error:
        return Outcome(Verdict.UNKNOWN, f"{to.label}: {error}")
    finally:
        connection.close()
    return judged(to, answer, now())


def _request(to: Target, method: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {to.path} HTTP/1.1", f"Host: {to.host}", "User-Agent: underkeel"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if to.login:
        lines.append(f"Authorization: Basic {to.login}")
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join([*lines, "Connection: close", "", ""])).encode() + body


def judged(to: Target, answer: Answer, now: float) -> Outcome:
    """Say what an answer means."""
    if 200 <= answer.status < 300:
        return Outcome(Verdict.DELIVERED, code=answer.status)
    said = answer.body.decode("utf-8", "replace").strip()
    said = to.hide(said)[:SAID_MOST] if said.isprintable() else ""
    return refusal(to.label, answer.status, said, answer.headers.get("retry-after", ""), now)


def refusal(label: str, status: int, said: str, retry_after: str, now: float) -> Outcome:
    """Say what a status other than success means; `said` holds no secret."""
    reason = REASONS.get(status, "")
    cause = f"{label}: HTTP {status}" + (f" {reason}" if reason else "")
    if 300 <= status < 400:
        cause += "; redirects are not followed: correct the URL"
    elif said:
        cause += f": {said}"
    wait = waited(retry_after, now)
    if status in LATER:
        verdict = Verdict.FAILED
    else:
        verdict = Verdict.REFUSED if status < 500 else Verdict.UNKNOWN
    return Outcome(verdict, cause, status, wait, status in OF_THE_MESSAGE)


def waited(text: str, now: float) -> float | None:
    """Return the seconds of a Retry-After, which is a number or a date; None without one."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        seconds = float(text)
    else:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - datetime.fromtimestamp(now, UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT_S)


def resolves(host: str, port: int) -> bool:
    """Say whether a host has an address."""
    try:
        return bool(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return False
