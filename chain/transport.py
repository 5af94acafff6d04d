"""Carry one POST to one URL and back, over a pool of kept connections.

The URL may hold an API key: it stays inside this file. Everything outside knows an endpoint by
its label, scheme and host only. `HttpTransport` maps every failure of urllib3 to ours.
"""

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    DecodeError,
    HTTPError,
    IncompleteRead,
    NameResolutionError,
    NewConnectionError,
    SSLError,
    TimeoutError,
)

from chain.deadline import Alarm
from chain.errors import NotJson, SettingsError, TimedOut, TooLarge, Unreachable

MAX_ANSWER: Final = 64 * 1024 * 1024
"""Bytes of one answer, after decompression, above which it is refused."""
CONNECT_S: Final = 5.0
CONNECTIONS: Final = 8
_STEP: Final = 1 << 20


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


class _NoPaths(logging.Filter):
    """Drop urllib3's debug lines: they quote the path, and the path may be an API key."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


_NO_PATHS: Final = _NoPaths()


def label_of(url: str) -> str:
    """Return scheme://host[:port] of a URL: the part that is safe to show.

    Raises `SettingsError` for anything but an http, https, ws or wss URL with a host.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError("an RPC URL does not parse; expected https://host/…") from error
    if parts.scheme not in ("http", "https", "ws", "wss") or not host:
        raise SettingsError(
            f"an RPC URL must start with http://, https://, ws:// or wss:// and name a host; "
            f"this one starts with {parts.scheme[:8] or 'nothing'!r}"
        )
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def secrets_of(url: str) -> tuple[str, ...]:
    """Return the parts of a URL that a message must not quote, longest first."""
    parts = urlsplit(url)
    found = {url, parts.password or "", parts.username or "", parts.query, parts.path}
    found.update(parts.path.split("/"))
    found.update(value for _, value in parse_qsl(parts.query))
    found.update({unquote(text) for text in found})
    return tuple(sorted((text for text in found if len(text) >= 5), key=len, reverse=True))


_exchange = threading.local()


@contextmanager
def _alarmed(seconds: float) -> Iterator[Alarm]:
    """Have the connections that this thread uses watched."""
    alarm = _exchange.alarm = Alarm(seconds)
    try:
        yield alarm
    finally:
        _exchange.alarm = None
        alarm.stop()


class _Watched(HTTPConnection):
    """A connection that shows its socket to the alarm before anything can be waited for.

    It sends head and body at once: apart they are two packets, and wake the node twice.
    """

    _held: list[bytes] | None = None

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        _show(made)
        return made

    def request(self, *args: Any, **kwargs: Any) -> None:
        held: list[bytes] = []
        self._held = held
        try:
            super().request(*args, **kwargs)
        finally:
            self._held = None
        self.send(b"".join(held))

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        _show(self.sock)
        return super().getresponse()


class _WatchedTls(_Watched, HTTPSConnection):
    """The same over TLS, its handshake included."""


def _show(connection: socket.socket | None) -> None:
    alarm: Alarm | None = getattr(_exchange, "alarm", None)
    if alarm is not None:
        alarm.watch(connection)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


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
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._secrets = re.compile("|".join(re.escape(s) for s in secrets_of(url)) or r"(?!)")
        self._max = max_answer
        self._clock = clock
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "underkeel",
        }
        if parts.username:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers |= urllib3.make_headers(basic_auth=login)
        logging.getLogger("urllib3.connectionpool").addFilter(_NO_PATHS)
        pool = _TlsPool if parts.scheme == "https" else _Pool
        self._pool = pool(
            str(parts.hostname), parts.port, maxsize=CONNECTIONS, block=True, retries=False,
            headers=headers,
        )  # fmt: skip

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
        with _alarmed(timeout_s) as alarm:
            try:
                response = self._posted(body, timeout_s, alarm)
            except (Unreachable, NotJson):
                if alarm.rang:
                    raise TimedOut(self.label, timeout_s) from None
                raise
            if alarm.rang:  # a body without a length looks whole when it is cut
                raise TimedOut(self.label, timeout_s)
        return response

    def _posted(self, body: bytes, timeout_s: float, alarm: Alarm) -> Response:
        deadline = self._clock() + timeout_s
        timeout = urllib3.Timeout(connect=min(CONNECT_S, timeout_s), read=timeout_s)
        try:
            answer = self._pool.urlopen(
                "POST",
                self._target,
                body=body,
                timeout=timeout,
                redirect=False,
                preload_content=False,
                pool_timeout=timeout_s,  # type: ignore[arg-type]
            )
            try:
                content = self._read(answer, deadline, timeout_s)
            except BaseException:
                answer.close()  # a connection with half an answer in it must not be used again
                raise
            finally:
                alarm.watch(None)
            answer.release_conn()
        except NewConnectionError as error:
            named = "its name does not resolve"
            refused = "the connection was refused or the host has no route"
            why = named if isinstance(error, NameResolutionError) else refused
            raise Unreachable(self.label, why) from None
        except TimeoutError:
            raise TimedOut(self.label, timeout_s) from None
        except SSLError:
            raise Unreachable(self.label, "TLS failed") from None
        except DecodeError:
            raise NotJson(self.label, "a body that does not decompress") from None
        except IncompleteRead:
            raise Unreachable(self.label, "the answer was cut off") from None
        except (HTTPError, OSError):
            raise Unreachable(self.label, "the connection broke") from None
        lower = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status, lower, content)

    def _read(self, answer: urllib3.BaseHTTPResponse, deadline: float, timeout_s: float) -> bytes:
        content = bytearray()
        while piece := answer.read1(_STEP, decode_content=True):
            content += piece
            if len(content) > self._max:
                raise TooLarge(self.label, f"its answer is over {self._max} bytes")
            if self._clock() > deadline:
                raise TimedOut(self.label, timeout_s)
        return bytes(content)

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.close()
