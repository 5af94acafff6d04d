"""A JSON-RPC server on loopback around any function that answers one request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PARSE_ERROR = -32700


@dataclass(eq=False)
class Fault(Exception):
    """An error to be answered as one."""

    code: int
    message: str
    data: str | None = None


Answer = Callable[[str, list[Any]], Any]


class Loopback:
    """Serves single requests and batches over HTTP/1.1 on a free port."""

    def __init__(self, answer: Answer) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            payload = json.dumps(_respond(answer, body)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: Any) -> None:
            """Say nothing: a test's output is its own."""

    return Handler


def _respond(answer: Answer, body: bytes) -> Any:
    try:
        asked = json.loads(body)
    except ValueError:
        return _error(None, Fault(PARSE_ERROR, "not JSON"))
    if isinstance(asked, list):
        return [_one(answer, request) for request in asked]
    return _one(answer, asked)


def _one(answer: Answer, request: Mapping[str, Any]) -> Any:
    number = request.get("id")
    try:
        result = answer(str(request["method"]), list(request.get("params") or ()))
    except Fault as fault:
        return _error(number, fault)
    return {"jsonrpc": "2.0", "id": number, "result": to_wire(result)}


def _error(number: Any, fault: Fault) -> dict[str, Any]:
    error: dict[str, Any] = {"code": fault.code, "message": fault.message}
    if fault.data is not None:
        error["data"] = fault.data
    return {"jsonrpc": "2.0", "id": number, "error": error}


def to_wire(value: Any, key: str = "") -> Any:
    """Write Python values as JSON-RPC does: numbers and bytes as hex."""
    if isinstance(value, Mapping):
        return {name: to_wire(part, name) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_wire(part) for part in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"0x{value:0512x}" if key == "logsBloom" else hex(value)
    return "0x" + bytes(value).hex()
