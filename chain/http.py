"""One HTTP/1.1 POST over a kept connection, bounded in time and size to the last byte.

Only what a JSON-RPC node needs: head and body leave in one packet, the answer is framed by its
length, by chunks, or by the end of the connection, and may be gzip. Every wait is given what is
left of the whole exchange's time, so an answer that drips cannot outlast it. A general client
takes longer over one such exchange than a node over a small answer.
"""

import re
import select
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

CONNECT_S: Final = 5.0
HEAD_MOST: Final = 64 * 1024
"""Bytes of a status line and headers above which they are refused."""
_PIECE: Final = 1 << 18
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: .*)?")
_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,15}")
_LENGTH: Final = re.compile("[0-9]{1,18}")
_MEMBERS: Final = 100
"""Parts of one gzip body above which it is refused: empty ones would cost time and no size."""
_GZIP: Final = 31
"""zlib's word for a gzip header and trailer."""

Left = Callable[[], float]
"""Seconds that are left; raises `TimeoutError` where none are."""


class Broken(Exception):
    """No connection, or it broke, or what came is no HTTP answer; says which."""


class Large(Exception):
    """The answer is larger than is allowed."""


class Undecodable(Exception):
    """The body does not decompress."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; header names in lower case, the body unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """Where to connect."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class Connection:
    """One connection; `kept` tells after an exchange whether it bears another."""

    def __init__(self, origin: Origin, left: Left) -> None:
        self.kept = False
        self._socket = _connected(origin, left)
        self._buffer = bytearray()

    def close(self) -> None:
        """Let go."""
        self._socket.close()

    def stale(self) -> bool:
        """Whether there is something to read where nothing was asked: the end, most likely."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def exchange(self, request: bytes, left: Left, most: int) -> Answer:
        """Send a request and return its answer of at most `most` bytes, before and after unpacking.

        Raises `TimeoutError`, `Broken`, `Large` or `Undecodable`; the connection is useless then.
        """
        with self._failing():
            minor, status, headers = self._asked(request, left)
            raw, framed = self._body(status, headers, left, most)
        answer = Answer(status, headers, _unpacked(raw, headers, most))
        close = "close" in headers.get("connection", "").lower()
        self.kept = framed and minor == 1 and not close and not self._buffer
        return answer

    def answer_head(self, request: bytes, left: Left) -> Answer:
        """Send a request and return its answer with what of the body came with the head.

        For who needs no more than the status: no body, however long or broken, can spoil it.
        Raises `TimeoutError` or `Broken`; the connection bears no other exchange.
        """
        with self._failing():
            _, status, headers = self._asked(request, left)
        return Answer(status, headers, bytes(self._buffer))

    @contextmanager
    def _failing(self) -> Iterator[None]:
        self.kept = False
        try:
            yield
        except TimeoutError:
            raise
        except ssl.SSLError as error:
            raise Broken("TLS failed") from error
        except OSError as error:
            raise Broken("the connection broke") from error

    def _asked(self, request: bytes, left: Left) -> tuple[int, int, dict[str, str]]:
        self._socket.settimeout(left())
        self._socket.sendall(request)
        return self._head(left)

    def _more(self, left: Left) -> bool:
        self._socket.settimeout(left())
        piece = self._socket.recv(_PIECE)
        self._buffer += piece
        return bool(piece)

    def _until(self, mark: bytes, left: Left, most: int = HEAD_MOST) -> bytes:
        """Take what comes before a mark, and the mark."""
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > most:
                raise Broken("what it sends is no HTTP answer")
            if not self._more(left):
                raise Broken("the answer was cut off")
        return self._take(end + len(mark))[:end]

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _head(self, left: Left) -> tuple[int, int, dict[str, str]]:
        while True:
            first, *lines = self._until(b"\r\n\r\n", left).split(b"\r\n")
            match = _STATUS.fullmatch(first)
            if not match:
                raise Broken("what it sends is no HTTP answer")
            status = int(match[2])
            if status >= 200:
                break
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or not name or name != name.strip():
                raise Broken("what it sends is no HTTP answer")
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return int(match[1]), status, headers

    def _body(
        self, status: int, headers: Mapping[str, str], left: Left, most: int
    ) -> tuple[bytes, bool]:
        """Return the body as it is on the line, and whether its end was told beforehand."""
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if status in (204, 304):
            return b"", True
        if coding is not None:
            if coding.lower() != "chunked":
                raise Broken("its answer is in a transfer encoding that was not asked for")
            return self._chunks(left, most), length is None
        if length is not None:
            if not _LENGTH.fullmatch(length):
                raise Broken("what it sends is no HTTP answer")
            return self._exactly(int(length), left, most), True
        more = True
        while more:
            more = self._more(left)
            if len(self._buffer) > most:
                raise Large
        return self._take(len(self._buffer)), False

    def _exactly(self, size: int, left: Left, most: int) -> bytes:
        if size > most:
            raise Large
        while len(self._buffer) < size:
            if not self._more(left):
                raise Broken("the answer was cut off")
        return self._take(size)

    def _chunks(self, left: Left, most: int) -> bytes:
        body = bytearray()
        while True:
            size = self._until(b"\r\n", left).partition(b";")[0].strip()
            if not _SIZE.fullmatch(size):
                raise Broken("what it sends is no HTTP answer")
            count = int(size, 16)
            if not count:
                break
            body += self._exactly(count, left, most - len(body))
            if self._exactly(2, left, 2) != b"\r\n":
                raise Broken("what it sends is no HTTP answer")
        while self._until(b"\r\n", left):
            pass  # trailers
        return bytes(body)


def _connected(origin: Origin, left: Left) -> socket.socket:
    try:
        plain = socket.create_connection((origin.host, origin.port), min(CONNECT_S, left()))
    except TimeoutError:
        raise
    except (socket.gaierror, UnicodeError) as error:
        raise Broken("its name does not resolve") from error
    except OSError as error:
        raise Broken("the connection was refused or the host has no route") from error
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.tls is None:
            return plain
        plain.settimeout(left())
        return origin.tls.wrap_socket(plain, server_hostname=origin.host)
    except BaseException as error:
        plain.close()
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            tls = isinstance(error, ssl.SSLError)
            raise Broken("TLS failed" if tls else "the connection broke") from error
        raise


def _unpacked(raw: bytes, headers: Mapping[str, str], most: int) -> bytes:
    coding = headers.get("content-encoding", "identity").lower()
    if coding == "identity":
        return raw
    if coding not in ("gzip", "x-gzip"):
        raise Undecodable(coding)
    body, rest = b"", raw
    for _ in range(_MEMBERS):
        if not rest:
            return body
        unpacking = zlib.decompressobj(_GZIP)
        try:
            body += unpacking.decompress(rest, most + 1 - len(body))
        except zlib.error as error:
            raise Undecodable from error
        if len(body) > most:
            raise Large
        if not unpacking.eof:
            raise Undecodable
        rest = unpacking.unused_data
    raise Undecodable("parts")
