"""HTTP: every way a connection or an answer can break is one of our errors, and keys stay in."""

import gzip
import json
import logging
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from unittest.mock import patch

import pytest

from chain.client import ChainSpec, connect
from chain.errors import (
    ChainError,
    EndpointError,
    NotJson,
    SettingsError,
    TimedOut,
    TooLarge,
    Unreachable,
)
from chain.transport import HttpTransport, label_of
from tests.chain.http_server import KEY, Handler, Server, answering, framed, request


@pytest.mark.loopback
def test_post__two_requests__share_one_connection(serve: Callable[[Handler], Server]) -> None:
    server = serve(answering(framed(b"one"), framed(b"two")))
    transport = HttpTransport(server.url)
    assert transport.post(b"{}", 5).body == b"one"
    assert transport.post(b"{}", 5).body == b"two"
    assert server.connections == 1
    transport.close()


@pytest.mark.loopback
def test_post__gzip__is_unpacked(serve: Callable[[Handler], Server]) -> None:
    body = json.dumps([i * 7919 for i in range(50_000)]).encode()
    server = serve(answering(framed(gzip.compress(body), "Content-Encoding: gzip")))
    transport = HttpTransport(server.url)
    assert transport.post(b"{}", 5).body == body
    transport.close()


@pytest.mark.loopback
def test_post__zip_bomb__is_refused_before_it_is_whole(
    serve: Callable[[Handler], Server],
) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    server = serve(answering(framed(bomb, "Content-Encoding: gzip")))
    transport = HttpTransport(server.url, max_answer=1_000_000)
    with pytest.raises(TooLarge, match="over 1000000 bytes"):
        transport.post(b"{}", 5)
    transport.close()


@pytest.mark.loopback
def test_post__undecodable_encoding__is_not_json(serve: Callable[[Handler], Server]) -> None:
    server = serve(answering(framed(b"no gzip at all", "Content-Encoding: gzip")))
    with pytest.raises(NotJson):
        HttpTransport(server.url).post(b"{}", 5)


@pytest.mark.loopback
def test_post__redirect__is_not_followed(serve: Callable[[Handler], Server]) -> None:
    other = serve(answering(framed(b"stolen")))
    redirect = framed(b"", f"Location: {other.url}", status="307 Temporary Redirect")
    server = serve(answering(redirect))
    transport = HttpTransport(server.url)
    assert transport.post(b"{}", 5).status == 307
    assert other.connections == 0
    transport.close()


@pytest.mark.loopback
def test_post__answer_cut_off__is_unreachable(serve: Callable[[Handler], Server]) -> None:
    server = serve(answering(framed(b"half", size=8)))
    with pytest.raises(Unreachable):
        HttpTransport(server.url).post(b"{}", 5)


@pytest.mark.loopback
def test_post__closed_without_answer__is_unreachable(serve: Callable[[Handler], Server]) -> None:
    server = serve(answering(b""))
    with pytest.raises(Unreachable):
        HttpTransport(server.url).post(b"{}", 5)


@pytest.mark.loopback
def test_post__silence__times_out(serve: Callable[[Handler], Server]) -> None:
    def silent(connection: socket.socket) -> None:
        request(connection)
        connection.recv(1)  # until the client gives up

    server = serve(silent)
    with pytest.raises(TimedOut):
        HttpTransport(server.url).post(b"{}", 0.2)


@pytest.mark.loopback
def test_post__drip_fed_answer__times_out_as_a_whole(serve: Callable[[Handler], Server]) -> None:
    ticks = iter([0.0, *[100.0] * 50])

    def drip(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(framed(b"x", size=100))
        connection.recv(1)

    server = serve(drip)
    with pytest.raises(TimedOut):
        HttpTransport(server.url, clock=lambda: next(ticks)).post(b"{}", 5)


@pytest.mark.loopback
@pytest.mark.parametrize(
    "opening",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["status", "header", "chunk size", "trailer", "body without length"],
)
def test_post__dripped_by_the_byte__times_out_wherever_it_drips(
    opening: bytes, serve: Callable[[Handler], Server]
) -> None:
    def drip(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(opening)
        with suppress(OSError):
            while not select.select([connection], [], [], 0.02)[0]:  # until the client hangs up
                connection.sendall(b"0")

    server = serve(drip)
    with pytest.raises(TimedOut):
        HttpTransport(server.url).post(b"{}", 0.3)


@pytest.mark.loopback
def test_post__endless_greetings__time_out(serve: Callable[[Handler], Server]) -> None:
    def greet(connection: socket.socket) -> None:
        request(connection)
        with suppress(OSError):
            while not select.select([connection], [], [], 0.02)[0]:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    server = serve(greet)
    with pytest.raises(TimedOut):
        HttpTransport(server.url).post(b"{}", 0.3)


@pytest.mark.loopback
def test_post__after_one_in_time__the_kept_connection_is_not_cut_later(
    serve: Callable[[Handler], Server],
) -> None:
    released = threading.Event()

    def patient(connection: socket.socket) -> None:
        answering(framed(b"one"))(connection)
        request(connection)
        released.wait(5)
        connection.sendall(framed(b"two"))

    server = serve(patient)
    transport = HttpTransport(server.url)
    assert transport.post(b"{}", 0.2).body == b"one"
    threading.Timer(0.4, released.set).start()  # past the time of the first exchange
    assert transport.post(b"{}", 5).body == b"two"
    assert server.connections == 1
    transport.close()


@pytest.mark.loopback
def test_post__nobody_listens__is_unreachable_and_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(Unreachable, match="check the URL"):
        HttpTransport(f"http://127.0.0.1:{port}").post(b"{}", 2)


@pytest.mark.loopback
def test_post__login_in_the_url__is_sent_as_a_header_only(
    serve: Callable[[Handler], Server],
) -> None:
    seen: list[bytes] = []

    def record(connection: socket.socket) -> None:
        seen.append(request(connection))
        connection.sendall(framed(b"{}"))

    server = serve(record)
    transport = HttpTransport(f"http://us%40er:pa55word@127.0.0.1:{server.port}/x#fragment")
    transport.post(b"{}", 5)
    transport.close()
    assert b"POST /x HTTP/1.1" in seen[0]
    assert b"us%40er" not in seen[0]
    assert b"Basic dXNAZXI6cGE1NXdvcmQ=" in seen[0]  # us@er:pa55word


CAUSES: list[tuple[BaseException, type[EndpointError]]] = [
    (socket.gaierror(KEY), Unreachable),
    (ConnectionRefusedError(KEY), Unreachable),
    (OSError(KEY), Unreachable),
    (TimeoutError(KEY), TimedOut),
]


@pytest.mark.parametrize(("cause", "expected"), CAUSES)
def test_post__no_connection__is_ours_and_shows_no_key(
    cause: BaseException, expected: type[EndpointError]
) -> None:
    transport = HttpTransport(f"https://node.example/v2/{KEY}")
    failing = patch("chain.http.socket.create_connection", side_effect=cause)
    with failing, pytest.raises(expected) as caught:
        transport.post(b"{}", 3)
    assert KEY not in str(caught.value)
    assert caught.value.endpoint == "https://node.example"


@pytest.mark.parametrize(
    "url",
    ["", "node.example", "ftp://node.example", "https://", "http://[::1", "https://h:99999/x"],
)
def test_label__a_url_that_cannot_work__is_a_settings_error_without_the_url(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        label_of(url + ("/" + KEY if "://h" in url else ""))
    assert KEY not in str(caught.value)


def test_label__key_everywhere__shows_scheme_and_host_only() -> None:
    assert label_of(f"https://{KEY}:{KEY}@h.example:8545/{KEY}?k={KEY}") == "https://h.example:8545"
    assert label_of("http://[::1]:8545/x") == "http://[::1]:8545"


def test_http_transport__websocket_url__is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="WebSocket"):
        HttpTransport("wss://node.example")


def test_repr_and_redact__show_no_key() -> None:
    url = f"https://node.example/v2/{KEY}?token=tok-{KEY}"
    transport = HttpTransport(url)
    assert KEY not in repr(transport)
    said = f"project {KEY} at /v2/{KEY}: token tok-{KEY} in {url}"
    assert KEY not in transport.redact(said)
    assert transport.redact("v2 is fine") == "v2 is fine"
    spec = ChainSpec("x", 1, (url,))
    assert KEY not in repr(spec) + repr(connect(spec))


@pytest.mark.loopback
def test_logs__at_debug_level__show_no_key(
    serve: Callable[[Handler], Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(answering(framed(b"<html>")))
    caplog.set_level(logging.DEBUG)
    client = connect(ChainSpec("x", 1, (server.url,), retries=0, timeout_s=2))
    with pytest.raises(ChainError) as caught:
        client.head()
    client.close()
    assert KEY not in caplog.text + str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "a..b",
        ".b",
        "a" * 64,
        "\xe9" * 64,
        "h\udcff",
        "a b",
        "h\x1b[31m",
        "h\x00",
        "h/\udcff",
        "[fe80::\xe9]",
    ],
)
def test_transport__what_is_no_host_name__is_a_setting_to_mend(host: str) -> None:
    with pytest.raises(SettingsError) as raised:
        HttpTransport(f"http://user:{KEY}@{host}/")
    assert KEY not in str(raised.value)
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize("login", [f"user:{KEY}", f":{KEY}"])
def test_redact__login_and_path_as_they_were_sent__are_struck_out(login: str) -> None:
    transport = HttpTransport(f"http://{login}@node.example/v2/k\xe9y-of-mine")
    (header,) = (line for line in transport._head.split(b"\r\n") if b"Authorization" in line)
    sent = header.split()[-1].decode()
    told = transport.redact(f"bad login {sent} at /v2/k%C3%A9y-of-mine")
    assert told == "bad login … at …"
