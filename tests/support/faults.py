"""What an RPC may do wrong, as functions from a request and the true answer to a reply.

The same faults serve the proxy in front of a real node (tests/support/proxy.py) and the
in-memory node of the unit tests (tests/support/fake_node.py).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Reply:
    """What goes back to the client."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    """Close the connection without a word."""
    cut: int | None = None
    """Promise the whole body, send only so many bytes of it, and close."""
    delay_s: float = 0.0


Fault: TypeAlias = Callable[[bytes, bytes], Reply]
"""(request body, true answer body) → reply."""


def honest(_: bytes, answer: bytes) -> Reply:
    """Pass the answer on."""
    return Reply(answer)


def html(_: bytes, __: bytes) -> Reply:
    """Answer as a captive portal or a misdirected web server does."""
    return Reply(b"<!DOCTYPE html><html><body>Welcome</body></html>", headers={"X": "html"})


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer with an HTTP status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _, __: Reply(body, code, named)


def dropped(_: bytes, __: bytes) -> Reply:
    """Close the connection without an answer."""
    return Reply(drop=True)


def cut(_: bytes, answer: bytes) -> Reply:
    """Break the connection half way through the answer."""
    return Reply(answer, cut=len(answer) // 2)


def truncated(_: bytes, answer: bytes) -> Reply:
    """Send half of the answer as if it were whole."""
    return Reply(answer[: len(answer) // 2])


def delayed(seconds: float) -> Fault:
    """Answer rightly, and late."""
    return lambda _, answer: Reply(answer, delay_s=seconds)


def fixed(body: bytes) -> Fault:
    """Answer the same to everything."""
    return lambda _, __: Reply(body)


def edit(change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> Fault:
    """Answer with every entry run through `change(request, answer)`, which may return a list."""

    def fault(request: bytes, answer: bytes) -> Reply:
        asked, said = json.loads(request), json.loads(answer)
        single = isinstance(asked, dict)
        asked = [asked] if single else asked
        said = [said] if isinstance(said, dict) else said
        by_id = {entry["id"]: entry for entry in said}
        out: list[Any] = []
        for entry in asked:
            changed = change(entry, by_id[entry["id"]])
            out += changed if isinstance(changed, list) else [changed]
        return Reply(json.dumps(out[0] if single and len(out) == 1 else out).encode())

    return fault


def on(method: str, change: Callable[[Any], Any]) -> Fault:
    """Answer with the results of one method changed; None results are passed on."""

    def apply(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if request["method"] == method and answer.get("result") is not None:
            return {**answer, "result": change(answer["result"])}
        return answer

    return edit(apply)


def failing(method: str, code: int, message: str, data: Any = None) -> Fault:
    """Answer one method with a JSON-RPC error."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data

    def apply(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if request["method"] != method:
            return answer
        return {"jsonrpc": "2.0", "id": request["id"], "error": error}

    return edit(apply)


def other_chain(chain_id: int) -> Fault:
    """Answer as a node of another chain."""
    return on("eth_chainId", lambda _: hex(chain_id))


def stale_head(seconds: int) -> Fault:
    """Describe every block as older than it is."""
    return on(
        "eth_getBlockByNumber",
        lambda block: {**block, "timestamp": hex(int(block["timestamp"], 16) - seconds)},
    )


def duplicated(_: bytes, answer: bytes) -> Reply:
    """Answer every question twice."""
    said = json.loads(answer)
    return Reply(json.dumps((said if isinstance(said, list) else [said]) * 2).encode())


def no_batches(request: bytes, answer: bytes) -> Reply:
    """Refuse batches as some providers do; answer single requests."""
    if request.lstrip().startswith(b"["):
        error = {"code": -32600, "message": "batch requests are not supported"}
        return Reply(json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode())
    return Reply(answer)


def mutated(seed: int) -> Fault:
    """Change the answer somewhere: a digit, a byte, a cut, a swap, a lost or doubled entry."""

    def fault(_: bytes, answer: bytes) -> Reply:
        rng = random.Random(seed)
        body = bytearray(answer)
        kind = rng.randrange(6)
        at = rng.randrange(len(body))
        if kind == 0:  # a hex digit inside a value: the change that looks most like an answer
            spots = [i for i, b in enumerate(body) if b in b"0123456789abcdef"]
            at = rng.choice(spots)
            body[at] = rng.choice(b"0123456789abcdef".replace(bytes([body[at]]), b""))
        elif kind == 1:
            body[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del body[at:]
        elif kind == 3:
            del body[at : at + rng.randrange(1, 66)]
        elif kind == 4:
            body[at:at] = body[at : at + rng.randrange(1, 66)]
        else:
            return _shuffled(bytes(body), rng)
        return Reply(bytes(body))

    return fault


def _shuffled(answer: bytes, rng: random.Random) -> Reply:
    """Swap the ids of two answers, or lose one."""
    said = json.loads(answer)
    if not isinstance(said, list) or len(said) < 2:
        return Reply(b"null")
    a, b = rng.sample(range(len(said)), 2)
    if rng.random() < 0.5:
        said[a]["id"], said[b]["id"] = said[b]["id"], said[a]["id"]
    else:
        del said[a]
    return Reply(json.dumps(said).encode())


class Script:
    """Which fault strikes which request.

    `then` queues a fault for the next request; `always` sets the fault for all requests that no
    queued fault takes; `when` restricts it to requests that satisfy a condition.
    """

    def __init__(self) -> None:
        self.queue: list[Fault] = []
        self.standing: Fault = honest
        self.condition: Callable[[bytes], bool] = lambda _: True
        self.requests: list[bytes] = []

    def then(self, *faults: Fault) -> None:
        """Queue faults for the next requests, one each."""
        self.queue.extend(faults)

    def always(self, fault: Fault, when: Callable[[bytes], bool] | None = None) -> None:
        """Set the standing fault."""
        self.standing = fault
        self.condition = when or (lambda _: True)

    def calm(self) -> None:
        """Be honest from now on."""
        self.queue.clear()
        self.always(honest)

    def reply(self, request: bytes, answer: bytes) -> Reply:
        """Return what the next reply is."""
        self.requests.append(request)
        if self.queue:
            return self.queue.pop(0)(request, answer)
        if self.condition(request):
            return self.standing(request, answer)
        return Reply(answer)
