"""A Web3Signer on loopback, made of eth_account: the two interfaces that we use, and lies."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

Change = Callable[[dict[str, Any]], dict[str, Any]]


class SignerServer:
    """Holds one key, and signs what it is asked, or what `change` makes of that."""

    def __init__(self, raw: bytes, chain_id: int) -> None:
        self.raw = raw
        self.chain_id = chain_id
        self.change: Change = lambda fields: fields
        self.answer: Callable[[Any], Any] = lambda result: result
        self.status = 200
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                payload, kind = server._respond(self.path, body)
                self.send_response(server.status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def public_key(self) -> str:
        return PrivateKey(self.raw).public_key.to_hex()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _respond(self, path: str, body: bytes) -> tuple[bytes, str]:
        asked = json.loads(body)
        if path == "/":
            self.asked.append(asked["method"])
            try:
                result = self.answer(self._method(asked["method"], asked["params"]))
                reply = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
            except (KeyError, ValueError) as error:
                fault = {"code": -32000, "message": f"no: {error}"}
                reply = {"jsonrpc": "2.0", "id": asked["id"], "error": fault}
            return json.dumps(reply).encode(), "application/json"
        self.asked.append(path)
        identifier = path.rpartition("/")[2]
        if path.rpartition("/")[0] != "/api/v1/eth1/sign" or identifier != self.public_key:
            self.status = 404
            return b"", "text/plain"
        digest = keccak(bytes.fromhex(asked["data"][2:]))
        signed = PrivateKey(self.raw).sign_msg_hash(digest)
        text = "0x" + signed.to_bytes()[:64].hex() + f"{27 + signed.v:02x}"
        return str(self.answer(text)).encode(), "text/plain; charset=utf-8"

    def _method(self, method: str, params: list[Any]) -> str:
        if method == "eth_sign":
            signed = Account.sign_message(encode_defunct(hexstr=params[1]), self.raw)
            return "0x" + bytes(signed.signature).hex()
        if method == "eth_signTypedData":
            message = encode_typed_data(full_message=params[1])
            return "0x" + bytes(Account.sign_message(message, self.raw).signature).hex()
        if method != "eth_signTransaction":
            raise ValueError(f"unknown method {method}")
        fields = self.change(dict(params[0]))
        if fields.pop("from").lower() != Account.from_key(self.raw).address.lower():
            raise ValueError("signing from is not an unlocked account")
        fields["chainId"] = fields.get("chainId", self.chain_id)
        return "0x" + bytes(Account.sign_transaction(fields, self.raw).raw_transaction).hex()
