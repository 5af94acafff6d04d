"""A small JSON-RPC client of the world's own.

The world judges our `chain/` room, so it must not speak through it. One keep-alive connection,
batches, and errors that carry the revert data.
"""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

ERROR_STRING = bytes.fromhex("08c379a0")
PANIC = bytes.fromhex("4e487b71")

Call = tuple[str, Sequence[Any]]


class WorldError(Exception):
    """Root of everything the world raises on purpose."""


@dataclass(eq=False)
class RpcError(WorldError):
    """The node answered with an error."""

    method: str
    code: int
    message: str
    data: str = ""

    @property
    def reason(self) -> str:
        """What the contract said, if it said anything readable; else the node's message."""
        return revert_reason(self.data) or self.message

    def __str__(self) -> str:
        return f"{self.method}: {self.message} ({self.code}) {self.reason}".rstrip()


def revert_reason(data: str) -> str:
    """Read the text of `Error(string)` or the code of `Panic(uint256)`; else the raw data."""
    raw = bytes.fromhex(data.removeprefix("0x"))
    try:
        if raw[:4] == ERROR_STRING:
            return str(decode(["string"], raw[4:])[0])
        if raw[:4] == PANIC:
            return f"Panic({decode(['uint256'], raw[4:])[0]:#x})"
    except DecodingError:
        pass
    return data if raw else ""


class Rpc:
    """JSON-RPC over one HTTP connection to a node on this machine."""

    def __init__(self, url: str, timeout: float = 120.0) -> None:
        self.url = url
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=timeout
        )
        self._path = parts.path or "/"
        self._ids = itertools.count(1)

    def request(self, method: str, *params: Any) -> Any:
        """Send one request and return its result; raise `RpcError` on an error answer."""
        answer = self._post(self._body(method, params))
        return _result(method, answer)

    def batch(self, calls: Iterable[Call], size: int = 500) -> list[Any]:
        """Send many requests in few posts; results in the order of the calls."""
        pending = list(calls)
        results: list[Any] = []
        for start in range(0, len(pending), size):
            part = pending[start : start + size]
            bodies = [self._body(method, params) for method, params in part]
            by_id = {answer["id"]: answer for answer in self._post(bodies)}
            results += [
                _result(method, by_id[body["id"]])
                for (method, _), body in zip(part, bodies, strict=True)
            ]
        return results

    def close(self) -> None:
        self._connection.close()

    def _body(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    def _post(self, body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        payload = json.dumps(body)
        try:
            self._connection.request("POST", self._path, payload, headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # The node drops idle connections; one fresh attempt tells that from a dead node.
            self._connection.close()
            self._connection.request("POST", self._path, payload, headers)
            answer = self._connection.getresponse()
        return json.loads(answer.read())


def _result(method: str, answer: dict[str, Any]) -> Any:
    error = answer.get("error")
    if error is not None:
        data = error.get("data")
        raise RpcError(
            method,
            int(error.get("code", 0)),
            str(error.get("message", "")),
            data if isinstance(data, str) and data.startswith("0x") else "",
        )
    return answer["result"]
