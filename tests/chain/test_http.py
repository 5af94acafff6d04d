"""HTTP/1.1 as nodes speak it: every framing is read, and what is none of them is refused."""

import gzip
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from chain.errors import NotJson, TimedOut, TooLarge, Unreachable
from chain.transport import HttpTransport
from tests.chain.http_server import Handler, Server, answering, framed


@pytest.mark.loopback
def test_post__no_tls_there__is_unreachable(serve: Callable[[Handler], Server]) -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = serve(plain)
    with pytest.raises(Unreachable, match="TLS failed"):
        HttpTransport(server.url.replace("http:", "https:")).post(b"{}", 5)


@pytest.mark.loopback
def test_post__tls_that_hangs__times_out(serve: Callable[[Handler], Server]) -> None:
    server = serve(_until_closed)
    with pytest.raises(TimedOut):
        HttpTransport(server.url.replace("http:", "https:")).post(b"{}", 0.3)


def _until_closed(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


@pytest.mark.loopback
@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"1" * 5_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    ],
)
def test_post__what_is_no_http__is_unreachable(
    reply: bytes, serve: Callable[[Handler], Server]
) -> None:
    server = serve(answering(reply))
    transport = HttpTransport(server.url)
    with pytest.raises(Unreachable):
        transport.post(b"{}", 5)
    assert not transport._idle


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("reply", "body", "kept"),
    [
        (framed(b"x"), b"x", True),
        (framed(b"x") + b"more", b"x", False),
        (framed(b"x", "Connection: close"), b"x", False),
        (framed(b"", status="204 No Content"), b"", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x", False),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end", False),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + framed(b"x"), b"x", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
         b"3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", b"abc0123456789", True),
        (framed(gzip.compress(b"a") + gzip.compress(b"b"), "Content-Encoding: GZIP"), b"ab", True),
    ],
)  # fmt: skip
def test_post__every_framing__is_the_body_and_keeps_what_can_be_kept(
    reply: bytes, body: bytes, kept: bool, serve: Callable[[Handler], Server]
) -> None:
    server = serve(answering(reply))
    transport = HttpTransport(server.url)
    assert transport.post(b"{}", 5).body == body
    assert bool(transport._idle) == kept
    transport.close()
    assert not transport._idle


@pytest.mark.loopback
@pytest.mark.parametrize("opening", ["", "Content-Length: 9999", "Transfer-Encoding: chunked"])
def test_post__over_the_limit__is_too_large(
    opening: str, serve: Callable[[Handler], Server]
) -> None:
    chunk = b"fff\r\n" if "chunked" in opening else b""
    head = f"HTTP/1.1 200 OK\r\n{opening}".rstrip().encode() + b"\r\n\r\n"
    server = serve(answering(head + chunk + b"x" * 9999))
    with pytest.raises(TooLarge):
        HttpTransport(server.url, max_answer=1_000).post(b"{}", 5)


@pytest.mark.loopback
@pytest.mark.parametrize(
    "reply",
    [
        framed(gzip.compress(bytes(100))[:-4], "Content-Encoding: gzip"),
        framed(b"x", "Content-Encoding: br"),
        framed(gzip.compress(b"") * 500_000, "Content-Encoding: gzip"),
    ],
)
def test_post__encoding_cut_or_unasked__is_not_json(
    reply: bytes, serve: Callable[[Handler], Server]
) -> None:
    server = serve(answering(reply))
    with pytest.raises(NotJson):
        HttpTransport(server.url).post(b"{}", 5)


@pytest.mark.loopback
def test_post__kept_connection_was_closed__another_is_made(
    serve: Callable[[Handler], Server],
) -> None:
    server = serve(answering(framed(b"one")))
    transport = HttpTransport(server.url)
    assert transport.post(b"{}", 5).body == b"one"
    (kept,) = transport._idle
    while not kept.stale():
        pass
    assert transport.post(b"{}", 5).body == b"one"
    assert server.connections == 2
    transport.close()


@pytest.mark.loopback
def test_post__all_connections_in_use__waits_and_times_out(
    serve: Callable[[Handler], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chain.transport.CONNECTIONS", 1)
    server = serve(_until_closed)
    transport = HttpTransport(server.url)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(transport.post, b"{}", 0.6)
        while not server.connections:
            pass
        with pytest.raises(TimedOut):
            transport.post(b"{}", 0.1)
        assert isinstance(first.exception(), TimedOut)
    assert server.connections == 1
