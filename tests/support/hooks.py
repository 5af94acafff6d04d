"""A server on loopback that takes what is posted, and does to each request what a test says."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Got:
    """One request; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


@dataclass
class Hook:
    """What came, and what is answered: a status and headers."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got], tuple[int, dict[str, str]]] = lambda got: (200, {})
    came: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/s3cret-path"

    def wait(self, count: int, timeout: float = 30.0) -> list[Got]:
        """Return once so many requests came."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, timeout), len(self.got)
            return list(self.got)

    def bodies(self) -> list[bytes]:
        return [got.body for got in self.got]


@contextmanager
def hook() -> Iterator[Hook]:
    """Serve until the block ends."""
    made = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            got = Got(self.command, self.path, headers, body)
            with made.came:
                made.got.append(got)
                made.came.notify_all()
            status, more = made.answer(got)
            if not status:  # no answer: the connection is cut
                self.close_connection = True
                return
            with suppress(ConnectionError):  # who asked may be dead
                self.send_response(status)
                for name, value in {"Content-Length": "2", **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"ok")

        do_GET = do_POST  # noqa: N815  (the base class's way)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
