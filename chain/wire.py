"""JSON-RPC as bytes: requests out, answers in, checked until nothing is taken on trust.

An answer is accepted only if it is JSON, JSON-RPC 2.0, complete, and carries exactly the ids that
were asked; a value only if it is hex of the right shape. Everything else is a named error.
"""

import itertools
import re
from binascii import Error as HexError
from binascii import unhexlify
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from chain.errors import (
    BlockUnknown,
    CallReverted,
    EndpointError,
    LimitExceeded,
    Malformed,
    NotJson,
    RateLimited,
    RpcError,
    TooLarge,
    Unsupported,
)
from chain.types import BlockRef

_ids = itertools.count(1)
"""Ids are never used twice in a process, so a late answer to an older request is foreign."""

MAX_VALUES: Final = 2_000_000
"""Commas and opening brackets of one answer above which it is refused: two bytes of JSON can take a
hundred of ours, and what we ask for are few and long values."""

_MOST_NUMBER: Final = 2**63 - 1
_MOST_TIME: Final = 253_402_300_799
"""The end of the year 9999: no calendar or database of ours goes further."""
_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")


@dataclass(frozen=True, slots=True)
class Ask:
    """One JSON-RPC request."""

    method: str
    params: Sequence[Any]


class NotABatch(Malformed):
    """One answer came back for a batch: the endpoint may take single requests only."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint, "one answer to a batch")


def encode(asks: Sequence[Ask], *, batch: bool) -> tuple[bytes, list[int]]:
    """Return the body of one POST and the ids used, in the order of `asks`."""
    ids = [next(_ids) for _ in asks]
    entries = [
        {"jsonrpc": "2.0", "id": i, "method": ask.method, "params": ask.params}
        for i, ask in zip(ids, asks, strict=True)
    ]
    return orjson.dumps(entries if batch else entries[0]), ids


def decode(endpoint: str, body: bytes, ids: Sequence[int]) -> list[Any]:
    """Return, in the order of `ids`, each result as JSON or the `RpcError` in its place.

    Raises `NotJson` or `Malformed` for a body that is not exactly these answers, and what
    `classify` makes of an error that concerns the whole batch.
    """
    document = _parse(endpoint, body)
    if isinstance(document, dict):
        if document.get("error") is not None and document.get("id") not in ids:
            raise classify(endpoint, document["error"])
        if len(ids) > 1:
            raise NotABatch(endpoint)
        document = [document]
    if not isinstance(document, list):
        raise Malformed(endpoint, f"a {type(document).__name__} where an answer belongs")
    answers: dict[int, Any] = {}
    expected = set(ids)
    for entry in document:
        if not isinstance(entry, dict) or entry.get("jsonrpc") != "2.0":
            raise Malformed(endpoint, "an entry that is no JSON-RPC 2.0 answer")
        number = entry.get("id")
        if type(number) is not int or number not in expected:
            raise Malformed(endpoint, "an answer to a question that was not asked")
        if number in answers:
            raise Malformed(endpoint, "two answers to one question")
        error = entry.get("error")
        if error is not None:
            if entry.get("result") is not None:
                raise Malformed(endpoint, "an answer that is both result and error")
            answers[number] = classify(endpoint, error)
        elif "result" in entry:
            answers[number] = entry["result"]
        else:
            raise Malformed(endpoint, "an answer with neither result nor error")
    if len(answers) != len(ids):
        raise Malformed(endpoint, f"{len(answers)} answers to {len(ids)} questions")
    return [answers[i] for i in ids]


def _parse(endpoint: str, body: bytes) -> Any:
    start = body[:64].lstrip()
    if not start:
        raise NotJson(endpoint, "an empty body")
    if start.startswith(b"<"):
        raise NotJson(endpoint, "HTML")
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise TooLarge(endpoint, f"its answer holds over {MAX_VALUES} values")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotJson(endpoint, "text that is cut short or is no JSON") from error


def quantity(endpoint: str, value: Any) -> int:
    """Return a JSON-RPC quantity, at most 256 bits."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise Malformed(endpoint, f"{_shown(value)} where a hex quantity belongs")
    return int(value, 16)


def data(endpoint: str, value: Any) -> bytes:
    """Return JSON-RPC data: 0x and an even number of hex digits."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise Malformed(endpoint, f"{_shown(value)} where hex data belongs")
    try:
        return unhexlify(value[2:])
    except (HexError, ValueError) as error:
        raise Malformed(endpoint, f"{_shown(value)} where hex data belongs") from error


def hash32(endpoint: str, value: Any) -> str:
    """Return a 32-byte hash in lower case."""
    if len(data(endpoint, value)) != 32:
        raise Malformed(endpoint, f"{_shown(value)} where a 32-byte hash belongs")
    return str(value).lower()


def items(endpoint: str, value: Any) -> list[Any]:
    """Return a JSON list; an absent one is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(endpoint, f"{_shown(value)} where a list belongs")
    return value


def block(endpoint: str, chain_id: int, value: Any) -> BlockRef:
    """Return the reference of a block that a node described."""
    if not isinstance(value, dict):
        raise Malformed(endpoint, f"{_shown(value)} where a block belongs")
    number, timestamp = (quantity(endpoint, value.get(name)) for name in ("number", "timestamp"))
    if number > _MOST_NUMBER or timestamp > _MOST_TIME:
        raise Malformed(endpoint, "a block of an impossible number or time")
    return BlockRef(
        chain_id=chain_id,
        number=number,
        hash=hash32(endpoint, value.get("hash")),
        parent_hash=hash32(endpoint, value.get("parentHash")),
        timestamp=timestamp,
    )


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else type(value).__name__
    return repr(text[:20] + ("…" if len(text) > 20 else ""))


_RATE: Final = ("rate limit", "too many requests", "request limit", "compute units", "throttle")
_LIMIT: Final = (
    "block range", "range is too", "range too", "range limit", "too many blocks", "max results",
    "more than 10000 results", "query returned more than", "response size", "result set",
    "limit exceeded", "is limited to", "too large", "exceeds max", "exceed maximum",
    "gas limit", "out of gas", "outofgas", "gas required exceeds", "gas uint64 overflow", "gas cap",
    "memory limit", "timeout", "timed out", "deadline exceeded", "too big", "batch size",
    "gas exhausted",
)  # fmt: skip
_BLOCK: Final = (
    "header not found", "unknown block", "block not found", "header for hash not found",
    "not currently canonical", "blocknotfound", "missing trie node", "state not available",
    "state is not available", "historical state", "pruned", "could not find block",
    "no state available", "block hash not found", "block does not exist", "unknown header",
    "header does not exist", "is not available", "resource not found", "hash is not found",
    "block with such",
)  # fmt: skip
_UNSUPPORTED: Final = (
    "method not found", "not supported", "does not exist/is not available", "unsupported",
    "too many arguments", "not available on", "method not allowed", "invalid argument",
    "invalid params", "unmarshal", "not implemented", "unknown field", "expected struct",
    "invalid type", "did not match any variant", "missing value",
)  # fmt: skip
_REVERT: Final = (
    "revert", "invalid opcode", "invalidopcode", "invalidfeopcode", "opcodenotfound", "bad jump",
    "invalid jump", "invalidjump", "stack underflow", "stackunderflow", "stack overflow",
    "stackoverflow", "stack limit", "write protection", "statechangeduringstaticcall",
    "state change during static", "bad instruction", "return data out of bounds",
    "outofoffset", "vm execution error",
)  # fmt: skip


def _line(text: str) -> str:
    """Return what a node says in one short line that commands no terminal."""
    clean = "".join(c if c.isprintable() else " " for c in text[:1_000])
    return " ".join(clean.split())[:200]


def classify(endpoint: str, error: Any) -> EndpointError:
    """Return the named error for a JSON-RPC error object, by code and by the words nodes use."""
    if not isinstance(error, dict) or type(error.get("code")) is not int:
        return Malformed(endpoint, "an error without a code")
    code, text = error["code"], error.get("message")
    text = _line(text) if isinstance(text, str) else "no message"
    payload = _revert_data(error.get("data"))
    words = text.lower()
    if isinstance(error.get("data"), str) and payload is None:
        words += " " + error["data"][:200].lower()
    # First of all what a contract said: its own words may read like any other error's.
    if code == 3 or payload or "execution reverted" in words:
        return CallReverted(endpoint, code, text, payload)
    if code in (429, -32029, -32097) or any(w in words for w in _RATE):
        return RateLimited(endpoint, None)
    if code == -32601:
        return Unsupported(endpoint, code, text)
    for kind, patterns in (
        (BlockUnknown, _BLOCK),
        (Unsupported, ("does not exist/is not available",)),
        (LimitExceeded, _LIMIT),
        (CallReverted, _REVERT),
        (Unsupported, _UNSUPPORTED),
    ):
        if any(w in words for w in patterns):
            return kind(endpoint, code, text)
    if code == -32602:
        return Unsupported(endpoint, code, text)
    if code == -32005:
        return LimitExceeded(endpoint, code, text)
    if code == -32001:
        return BlockUnknown(endpoint, code, text)
    return RpcError(endpoint, code, text)


def _revert_data(value: Any) -> bytes | None:
    """Return what a reverted call gave back, from any of the shapes nodes wrap it in."""
    if isinstance(value, dict):
        for key in ("data", "result", "output"):
            found = _revert_data(value.get(key))
            if found is not None:
                return found
        return None
    if not isinstance(value, str):
        return None
    text = value.removeprefix("Reverted ")
    if not text.startswith("0x"):
        return None
    try:
        return unhexlify(text[2:])
    except (HexError, ValueError):
        return None
