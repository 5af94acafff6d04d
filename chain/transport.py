"""Carry one POST to one URL and back, over a pool of kept connections.

The URL may hold an API key: it stays inside this file. Everything outside knows an endpoint by
its label, scheme and host only. `HttpTransport` maps every failure of an exchange to ours.
"""

import re
import ssl
import threading
import time
import weakref
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from chain.errors import NotJson, SettingsError, TimedOut, TooLarge, Unreachable
from chain.http import Answer, Broken, Connection, Large, Origin, Undecodable

MAX_ANSWER: Final = 64 * 1024 * 1024
"""Bytes of one answer, after decompression, above which it is refused."""
CONNECTIONS: Final = 8
_SAFE: Final = "/%:@!$&'()*+,;=?~-._"


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """One URL, or what stands for one in tests and in-process chains."""

    @property
    def label(self) -> str:
        """How messages name it; never a secret."""
        ...

    def post(self, body: bytes, timeout_s: float) -> Response:
        """Return the answer to one POST; raise an `EndpointError` where there is none."""
        ...

    def redact(self, text: str) -> str:
        """Return `text` without any secret of this transport."""
        ...

    def close(self) -> None:
        """Let the connections go."""
        ...


def label_of(url: str) -> str:
    """Return scheme://host[:port] of a URL: the part that is safe to show.

    Raises `SettingsError` for anything but an http, https, ws or wss URL with a host.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        url.encode()
        if host and (not host.isprintable() or " " in host or not all(_labels(host))):
            raise ValueError("host")
    except ValueError:
        # The cause quotes the URL, and with it the key.
        raise SettingsError("an RPC URL does not parse; expected https://host/…") from None
    if parts.scheme not in ("http", "https", "ws", "wss") or not host:
        raise SettingsError(
            f"an RPC URL must start with http://, https://, ws:// or wss:// and name a host; "
            f"this one starts with {parts.scheme[:8] or 'nothing'!r}"
        )
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def _labels(host: str) -> list[bytes]:
    """Return the parts of a host as they are asked for; raises `ValueError` for no host name."""
    if ":" in host:
        return [host.encode("ascii")]
    return host.removesuffix(".").encode("idna").split(b".")


def secrets_of(url: str) -> tuple[str, ...]:
    """Return the parts of a URL that a message must not quote, longest first."""
    parts = urlsplit(url)
    found = {url, parts.password or "", parts.username or "", parts.query, parts.path}
    found.update(parts.path.split("/"))
    found.update(value for _, value in parse_qsl(parts.query))
    found.update({unquote(text) for text in found})
    found.update({quote(text, safe=_SAFE) for text in found})
    found.add(login_of(parts))
    return tuple(sorted((text for text in found if len(text) >= 5), key=len, reverse=True))


class HttpTransport:
    """One HTTP(S) URL."""

    def __init__(
        self,
        url: str,
        *,
        max_answer: int = MAX_ANSWER,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label = label_of(url)
        if not self.label.startswith("http"):
            raise SettingsError(f"{self.label} is no HTTP URL; give WebSocket URLs as `ws`")
        parts = urlsplit(url)
        host = str(parts.hostname)
        secure = parts.scheme == "https"
        self._origin = Origin(
            host, parts.port or (443 if secure else 80),
            ssl.create_default_context() if secure else None,
        )  # fmt: skip
        self._secrets = re.compile("|".join(re.escape(s) for s in secrets_of(url)) or r"(?!)")
        self._max = max_answer
        self._clock = clock
        self._head = _head(url, host)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        weakref.finalize(self, _let_go, self._idle)
        self._places = threading.BoundedSemaphore(CONNECTIONS)

    def __repr__(self) -> str:
        return f"HttpTransport({self.label})"

    def redact(self, text: str) -> str:
        """Return `text` with every part of the URL but its host struck out."""
        return self._secrets.sub("…", text)

    def post(self, body: bytes, timeout_s: float) -> Response:
        """Return the answer to one POST.

        `timeout_s` bounds the whole exchange, however slowly it drips. Redirects are not
        followed. Raises `Unreachable`, `TimedOut`, `TooLarge`, `NotJson` (undecodable encoding).
        """
        deadline = self._clock() + timeout_s

        def left() -> float:
            seconds = deadline - self._clock()
            if seconds <= 0:
                raise TimeoutError
            return seconds

        request = b"%s%d\r\n\r\n%s" % (self._head, len(body), body)
        try:
            if not self._places.acquire(timeout=timeout_s):
                raise TimeoutError
            try:
                answer = self._exchanged(request, left)
            finally:
                self._places.release()
        except TimeoutError:
            raise TimedOut(self.label, timeout_s) from None
        except Broken as error:
            raise Unreachable(self.label, str(error)) from None
        except Large:
            raise TooLarge(self.label, f"its answer is over {self._max} bytes") from None
        except Undecodable:
            raise NotJson(self.label, "a body that does not decompress") from None
        return Response(answer.status, answer.headers, answer.body)

    def _exchanged(self, request: bytes, left: Callable[[], float]) -> Answer:
        connection = self._kept() or Connection(self._origin, left)
        try:
            return connection.exchange(request, left, self._max)
        finally:
            if connection.kept:
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()

    def _kept(self) -> Connection | None:
        """Return the connection used last: the others' windows have grown cold."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not connection.stale():
                return connection
            connection.close()

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            _let_go(self._idle)


def _let_go(idle: list[Connection]) -> None:
    while idle:
        idle.pop().close()


def _head(url: str, host: str) -> bytes:
    """Return the request up to the body's length; the URL's login becomes a header."""
    parts = urlsplit(url)
    if not host.isascii():
        host = host.encode("idna").decode()
    host = f"[{host}]" if ":" in host else host
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"POST {quote(target, safe=_SAFE)} HTTP/1.1",
        f"Host: {host}" + (f":{parts.port}" if parts.port else ""),
        "Content-Type: application/json",
        "Accept: application/json",
        "Accept-Encoding: gzip",
        "User-Agent: underkeel",
    ]
    if login := login_of(parts):
        lines.append(f"Authorization: Basic {login}")
    return ("\r\n".join(lines) + "\r\nContent-Length: ").encode()


def login_of(parts: SplitResult) -> str:
    """Return a URL's login as the header has it; nothing where it has none."""
    if not parts.username and not parts.password:
        return ""
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return b64encode(login.encode()).decode()
