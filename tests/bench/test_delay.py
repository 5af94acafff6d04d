"""The proxy that stands for distance: what passes is unchanged, later, and counted."""

import http.client
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.delay import Delay

pytestmark = pytest.mark.loopback


class Echo(BaseHTTPRequestHandler):
    """Sends a body back."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def post(connection: http.client.HTTPConnection, body: bytes) -> bytes:
    connection.request("POST", "/", body)
    return connection.getresponse().read()


def test_delay__bodies_of_every_size__pass_unchanged_and_counted(upstream: str) -> None:
    with Delay(upstream) as proxy:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
        bodies = [b"x", b"POST /" * 10, bytes(range(256)) * 20_000]
        for body in bodies:
            assert post(connection, body) == body
        assert proxy.connections == 1
        assert proxy.posts == 3 + 10  # a body that speaks of posts is counted, as ours never do
        assert proxy.bytes_up > sum(map(len, bodies))
        assert proxy.bytes_down > sum(map(len, bodies))
        connection.close()


def test_delay__mark__counts_from_there(upstream: str) -> None:
    with Delay(upstream) as proxy:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
        post(connection, bytes(10_000))
        connection.request("GET", "/mark")
        connection.getresponse().read()
        post(connection, b"x")
        assert proxy.posts == 1
        assert proxy.bytes_up < 1_000
        connection.close()


def test_delay__latency__is_added_once_a_trip_and_once_a_connection(upstream: str) -> None:
    with Delay(upstream, round_trip_s=0.05) as proxy:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
        began = time.perf_counter()
        post(connection, b"first")
        opened = time.perf_counter()
        post(connection, b"second")
        done = time.perf_counter()
        connection.close()
    assert opened - began >= 0.1
    assert done - opened >= 0.05
