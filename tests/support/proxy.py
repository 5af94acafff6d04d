"""A proxy in front of a real node that can misbehave in every way of tests/support/faults.py.

    with Proxy(world.node.url) as proxy:
        proxy.script.always(faults.html)
        client = connect(ChainSpec("world", chain_id, (proxy.url,)))

Loopback only. Every request body it saw is in `proxy.script.requests`.
"""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import urllib3

from tests.support.faults import Script


class Proxy:
    """One listening proxy."""

    def __init__(self, upstream: str, *, compress: bool = False) -> None:
        self.script = Script()
        self.compress = compress
        self._closing = threading.Event()
        self._upstream = upstream
        self._pool = urllib3.PoolManager(maxsize=8)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                proxy._serve(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """Where it listens; the path stands for an API key."""
        return f"http://127.0.0.1:{self._server.server_port}/v2/s3cret-key"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._pool.clear()

    def ask(self, request: bytes) -> bytes:
        """Return the node's answer; a proxy that keeps requests to itself has its own."""
        headers = {"Content-Type": "application/json"}
        return self._pool.request("POST", self._upstream, body=request, headers=headers).data

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        request = handler.rfile.read(int(handler.headers["Content-Length"]))
        reply = self.script.reply(request, self.ask(request))
        if reply.delay_s:
            self._closing.wait(reply.delay_s)
        if reply.drop:
            handler.close_connection = True
            return
        body = gzip.compress(reply.body, 1) if self.compress else reply.body
        try:
            handler.send_response(reply.status)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            if self.compress:
                handler.send_header("Content-Encoding", "gzip")
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body if reply.cut is None else body[: reply.cut])
            handler.wfile.flush()
        except OSError:
            handler.close_connection = True  # the client gave up waiting
        if reply.cut is not None:
            handler.close_connection = True
