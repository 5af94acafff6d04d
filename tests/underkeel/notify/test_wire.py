"""One request to a server that does what servers do: what it means, and what is never said."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator

import pytest

from tests.chain.http_server import KEY, Handler, Server, answering, framed, request
from underkeel.notify.types import Outcome, Verdict
from underkeel.notify.wire import LONGEST_WAIT_S, resolves, send, target, under, waited

pytestmark = pytest.mark.loopback
NOW = 1_800_000_000.0


@pytest.fixture
def served() -> Iterator[Callable[[Handler], Server]]:
    servers: list[Server] = []

    def serve(handler: Handler) -> Server:
        servers.append(Server(handler))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def post(url: str, timeout_s: float = 3.0) -> Outcome:
    return send(target(url), "POST", {"X-Test": "1"}, b"{}", timeout_s, now=lambda: NOW)


@pytest.mark.parametrize(
    ("status", "verdict", "says", "message_only"),
    [
        ("200 OK", Verdict.DELIVERED, "", False),
        ("204 No Content", Verdict.DELIVERED, "", False),
        ("302 Found", Verdict.REFUSED, "redirects are not followed", False),
        ("400 Bad", Verdict.REFUSED, "HTTP 400 bad request", True),
        ("401 No", Verdict.REFUSED, "HTTP 401 not authorised", False),
        ("404 No", Verdict.REFUSED, "HTTP 404 not found", False),
        ("408 Late", Verdict.FAILED, "HTTP 408", False),
        ("413 Large", Verdict.REFUSED, "too large", True),
        ("429 Many", Verdict.FAILED, "HTTP 429 too many requests", False),
        ("500 Oh", Verdict.UNKNOWN, "HTTP 500 its own error", False),
        ("503 Later", Verdict.FAILED, "HTTP 503 unavailable", False),
    ],
)
def test_send__each_status__means_what_it_means(
    served: Callable[[Handler], Server],
    status: str,
    verdict: Verdict,
    says: str,
    message_only: bool,
) -> None:
    server = served(answering(framed(b"", status=status)))
    outcome = post(server.url)
    assert outcome.verdict is verdict
    assert outcome.code == int(status[:3])
    assert says in outcome.cause
    assert outcome.message_only is message_only


def test_send__refused_with_words__tells_them_without_the_key(
    served: Callable[[Handler], Server],
) -> None:
    server = served(answering(framed(f"no hook at /v2/{KEY}".encode(), status="404 No")))
    cause = post(server.url).cause
    assert cause == f"http://127.0.0.1:{server.port}: HTTP 404 not found: no hook at …"


@pytest.mark.parametrize(
    "body",
    [b"x" * 1_000_000, b"\x1b[31m\x00\xff", b"two\nlines"],
    ids=["huge", "binary", "lines"],
)
def test_send__odd_body__is_not_shown_and_changes_nothing(
    served: Callable[[Handler], Server], body: bytes
) -> None:
    refused = post(served(answering(framed(body, status="403 No"))).url)
    assert refused.cause.endswith("HTTP 403 forbidden") or len(refused.cause) < 300
    assert refused.cause.isprintable()
    taken = post(served(answering(framed(body))).url)
    assert taken.verdict is Verdict.DELIVERED


def test_send__yes_whose_body_never_ends__is_a_yes(served: Callable[[Handler], Server]) -> None:
    server = served(answering(framed(b"begun", size=10**9)))
    assert post(server.url).verdict is Verdict.DELIVERED


def closing(connection: socket.socket) -> None:
    request(connection)


def garbage(connection: socket.socket) -> None:
    request(connection)
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


def half_head(connection: socket.socket) -> None:
    request(connection)
    connection.sendall(b"HTTP/1.1 200 O")
    connection.shutdown(socket.SHUT_WR)


def hanging(connection: socket.socket) -> None:
    request(connection)
    connection.recv(1)


def dripping(connection: socket.socket) -> None:
    request(connection)
    for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000:
        connection.sendall(bytes([letter]))
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (closing, "the answer was cut off"),
        (garbage, "no HTTP answer"),
        (half_head, "the answer was cut off"),
        (hanging, "no answer within 0.3 s"),
        (dripping, "no answer within 0.3 s"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_send__no_whole_answer__may_have_arrived(
    served: Callable[[Handler], Server], handler: Handler, says: str
) -> None:
    outcome = post(served(handler).url, 0.3)
    assert outcome.verdict is Verdict.UNKNOWN
    assert says in outcome.cause
    assert KEY not in outcome.cause


def test_send__nobody_listens__did_not_arrive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    outcome = post(f"http://127.0.0.1:{port}/{KEY}")
    assert outcome.verdict is Verdict.FAILED
    assert "refused" in outcome.cause
    assert KEY not in outcome.cause


def test_send__tls_that_does_not_verify__did_not_arrive(
    served: Callable[[Handler], Server],
) -> None:
    server = served(lambda connection: connection.sendall(framed(b"")))
    outcome = post(server.url.replace("http://", "https://"))
    assert outcome.verdict is Verdict.FAILED
    assert outcome.cause == f"https://127.0.0.1:{server.port}: TLS failed"
    tls = target("https://example.org/").origin.tls
    assert tls is not None
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.check_hostname


def test_send__redirect__goes_nowhere(served: Callable[[Handler], Server]) -> None:
    elsewhere = served(answering(framed(b"")))
    server = served(answering(framed(b"", f"Location: {elsewhere.url}", status="307 There")))
    outcome = post(server.url)
    assert outcome.verdict is Verdict.REFUSED
    assert elsewhere.connections == 0
    assert str(elsewhere.port) not in outcome.cause


def test_send__proxy_in_the_environment__is_not_used(
    served: Callable[[Handler], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = served(answering(framed(b""))), served(answering(framed(b"")))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert post(server.url).verdict is Verdict.DELIVERED
    assert proxy.connections == 0


def test_send__login_and_odd_path__reach_the_server_quoted(
    served: Callable[[Handler], Server],
) -> None:
    heads: list[bytes] = []

    def handler(connection: socket.socket) -> None:
        heads.append(request(connection))
        connection.sendall(framed(b""))

    server = served(handler)
    url = f"http://user:pass%20word@127.0.0.1:{server.port}/a b/é?q=1\r\nX: y"
    assert post(url).verdict is Verdict.DELIVERED
    lines = heads[0].split(b"\r\n\r\n")[0].split(b"\r\n")
    assert lines[0] == b"POST /a%20b/%C3%A9?q=1X:%20y HTTP/1.1"
    assert b"Authorization: Basic dXNlcjpwYXNzIHdvcmQ=" in lines
    assert not any(line.startswith(b"X:") for line in lines)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("1.5", 1.5),
        ("Fri, 15 Jan 2027 08:01:40 GMT", 100.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("999999999", LONGEST_WAIT_S),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_waited__seconds_or_a_date__bounded(text: str, seconds: float | None) -> None:
    assert waited(text, NOW) == seconds


def test_under__keeps_the_query() -> None:
    assert under("https://h/ping/id/?a=1", "/fail") == "https://h/ping/id/fail?a=1"


@pytest.mark.parametrize("url", ["https://a..b/", "https://\u200b/", "ftp://h/"])
def test_target__no_host__is_said_without_the_url(url: str) -> None:
    with pytest.raises(ValueError, match="is not a URL that can be asked"):
        target(url)


def test_resolves__a_name_there_is_not__is_false() -> None:
    assert resolves("127.0.0.1", 80)
    assert not resolves("no such host", 80)
