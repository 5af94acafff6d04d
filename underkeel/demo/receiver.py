"""A receiver of signed webhooks on loopback, so that what the demo tells of deliveries is true."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from underkeel.notify.webhook import KEY, SIGNATURE, TIMESTAMP, signature

MOST: Final = 1 << 20


@dataclass
class Receiver:
    """What came, once each; what is not signed as agreed is refused."""

    url: str
    secret: str
    hear: Callable[[Mapping[str, Any]], None]
    messages: list[Mapping[str, Any]] = field(default_factory=list)
    _keys: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        """Take a message; return the status to answer with."""
        stamp = headers.get(TIMESTAMP, "")
        if not stamp.isdecimal():
            return 400
        if not compare_digest(headers.get(SIGNATURE, ""), signature(self.secret, int(stamp), body)):
            return 401
        with self._lock:
            key = headers.get(KEY, "")
            if key not in self._keys:
                self._keys.add(key)
                message = json.loads(body)
                self.messages.append(message)
                self.hear(message)
        return 204


@contextmanager
def receiving(secret: str, hear: Callable[[Mapping[str, Any]], None]) -> Iterator[Receiver]:
    """Listen on a free port of loopback."""
    found: list[Receiver] = []

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_POST(self) -> None:
            """Take one message."""
            size = self.headers.get("Content-Length", "")
            if not size.isdecimal() or int(size) > MOST:
                self.send_error(413)
                return
            self.send_response(
                found[0].take(dict(self.headers.items()), self.rfile.read(int(size)))
            )
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.append(Receiver(f"http://127.0.0.1:{server.server_port}/", secret, hear))
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield found[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
