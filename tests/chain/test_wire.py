"""JSON-RPC answers: what is accepted, and the named error for everything else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import wire
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
from chain.wire import Ask

E = "https://node.example"


def _ok(number: int, result: Any = "0x1") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def test_encode__batch_and_single__ids_are_never_used_twice() -> None:
    first, ids = wire.encode([Ask("a", [1]), Ask("b", [])], batch=True)
    single, more = wire.encode([Ask("c", [])], batch=False)
    assert [e["method"] for e in json.loads(first)] == ["a", "b"]
    assert json.loads(single) == {"jsonrpc": "2.0", "id": more[0], "method": "c", "params": []}
    assert len({*ids, *more}) == 3


def test_decode__answers_out_of_order__come_back_in_order() -> None:
    body = json.dumps([_ok(2, "b"), _ok(1, "a")]).encode()
    assert wire.decode(E, body, [1, 2]) == ["a", "b"]


def test_decode__error_null_beside_result__is_a_result() -> None:
    body = json.dumps({**_ok(1), "error": None}).encode()
    assert wire.decode(E, body, [1]) == ["0x1"]


@pytest.mark.parametrize("value", [b"[],", b"[[[[[[[[1]]]]]]]],", b'{"a":{}},', b"1,"], ids=str)
def test_decode__millions_of_tiny_values__are_refused_before_they_are_made(value: bytes) -> None:
    most = wire.MAX_VALUES // (value.count(b"[") + value.count(b"{") + 1)
    body = b'[{"jsonrpc":"2.0","id":1,"result":[' + value * most + b"[]]}]"
    with pytest.raises(TooLarge, match="values"):
        wire.decode(E, body, [1])


def test_decode__null_result__is_kept() -> None:
    assert wire.decode(E, json.dumps(_ok(1, None)).encode(), [1]) == [None]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", NotJson),
        (b"  \n", NotJson),
        (b"<html>hello</html>", NotJson),
        (b' \r\n<?xml version="1.0"?>', NotJson),
        (b'{"jsonrpc":"2.0","id":1,"res', NotJson),
        (b"upstream connect error", NotJson),
        (b"\xff\xfe", NotJson),
        (b"null", Malformed),
        (b"17", Malformed),
        (b"[]", Malformed),
        (b"[3]", Malformed),
        (json.dumps({"id": 1, "result": "0x"}).encode(), Malformed),
        (json.dumps({"jsonrpc": "1.0", "id": 1, "result": "0x"}).encode(), Malformed),
        (json.dumps({"jsonrpc": 2.0, "id": 1, "result": "0x"}).encode(), Malformed),
        (json.dumps(_ok(2)).encode(), Malformed),
        (json.dumps({**_ok(1), "id": "1"}).encode(), Malformed),
        (json.dumps({**_ok(1), "id": True}).encode(), Malformed),
        (json.dumps({**_ok(1), "id": None}).encode(), Malformed),
        (json.dumps([_ok(1), _ok(1)]).encode(), Malformed),
        (json.dumps({"jsonrpc": "2.0", "id": 1}).encode(), Malformed),
        (json.dumps({**_ok(1), "error": {"code": 1, "message": "x"}}).encode(), Malformed),
    ],
)
def test_decode__anything_but_one_whole_answer__is_a_named_error(
    body: bytes, error: type[EndpointError]
) -> None:
    with pytest.raises(error) as caught:
        wire.decode(E, body, [1])
    assert caught.value.endpoint == E


def test_decode__a_missing_answer__is_malformed() -> None:
    with pytest.raises(Malformed, match="1 answers to 2 questions"):
        wire.decode(E, json.dumps([_ok(1)]).encode(), [1, 2])


def test_decode__one_answer_to_a_batch__says_so() -> None:
    with pytest.raises(wire.NotABatch):
        wire.decode(E, json.dumps(_ok(1)).encode(), [1, 2])


def test_decode__error_for_the_whole_batch__is_raised() -> None:
    error = {"code": -32600, "message": "batches are disabled"}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    with pytest.raises(RpcError, match="batches are disabled"):
        wire.decode(E, body, [1, 2])


@pytest.mark.parametrize("text", ["0x0", "0x00", "0xff", "0x" + "f" * 64])
def test_quantity__hex__is_its_number(text: str) -> None:
    assert wire.quantity(E, text) == int(text, 16)


@pytest.mark.parametrize(
    "value", ["", "0x", "12", "0xg", "-0x1", "0x 1", "0x" + "f" * 65, 12, None, True, ["0x1"]]
)
def test_quantity__anything_else__is_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        wire.quantity(E, value)


@pytest.mark.parametrize("value", ["", "abcd", "0xabc", "0xzz", "0x a", "0xé0", 3, None, {}])
def test_data__not_whole_hex_bytes__is_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        wire.data(E, value)


@given(st.binary(max_size=100))
def test_data__any_bytes__round_trip(data: bytes) -> None:
    assert wire.data(E, "0x" + data.hex()) == data


@pytest.mark.parametrize("value", ["0x" + "a" * 62, "0x" + "a" * 66, "0x"])
def test_hash32__wrong_length__is_malformed(value: str) -> None:
    with pytest.raises(Malformed):
        wire.hash32(E, value)


@pytest.mark.parametrize("value", [None, "0x", {}, {"number": "0x1"}, []])
def test_block__not_a_block__is_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        wire.block(E, 1, value)


@pytest.mark.parametrize("name", ["number", "timestamp"])
def test_block__number_or_time_that_nothing_can_keep__is_malformed(name: str) -> None:
    good = {"number": "0x1", "timestamp": "0x1", "hash": "0x" + "1" * 64}
    good["parentHash"] = good["hash"]
    assert wire.block(E, 1, good).number == 1
    with pytest.raises(Malformed):
        wire.block(E, 1, good | {name: hex(2**63)})


@pytest.mark.parametrize(
    ("code", "message", "data", "kind"),
    [
        (3, "execution reverted: no", "0x08c379a0", CallReverted),
        (-32000, "execution reverted", None, CallReverted),
        (-32000, "execution reverted: rate limit exceeded", None, CallReverted),
        (3, "block range too large", None, CallReverted),
        (-32015, "VM execution error.", "Reverted 0x1234", CallReverted),
        (-32603, "failed", {"data": "0x1234"}, CallReverted),
        (-32000, "invalid opcode: INVALID", None, CallReverted),
        (-32000, "EVM error InvalidFEOpcode", None, CallReverted),
        (429, "slow down", None, RateLimited),
        (-32005, "daily request count exceeded, request rate limited", None, RateLimited),
        (-32000, "Too Many Requests", None, RateLimited),
        (-32005, "query returned more than 10000 results", None, LimitExceeded),
        (-32005, "something of theirs", None, LimitExceeded),
        (-32600, "eth_getLogs is limited to a 10,000 block range", None, LimitExceeded),
        (-32000, "out of gas: gas required exceeds allowance: 50000000", None, LimitExceeded),
        (-32000, "execution aborted (timeout = 5s)", None, LimitExceeded),
        (-32000, "transaction gas limit too high (cap: 16777216)", None, LimitExceeded),
        (-32000, "header for hash not found", None, BlockUnknown),
        (-32000, "header not found", None, BlockUnknown),
        (-32000, "hash 0xab is not currently canonical", None, BlockUnknown),
        (-32000, "missing trie node abc", None, BlockUnknown),
        (-32001, "gone", None, BlockUnknown),
        (-32601, "the method x does not exist/is not available", None, Unsupported),
        (-32602, "too many arguments, want at most 2", None, Unsupported),
        (-32602, "whatever", None, Unsupported),
        (-32000, "something else", "words", RpcError),
        (-32603, "Internal error", None, RpcError),
    ],
)
def test_classify__words_of_real_nodes__get_their_class(
    code: int, message: str, data: Any, kind: type[EndpointError]
) -> None:
    error = wire.classify(E, {"code": code, "message": message, "data": data})
    assert type(error) is kind


@pytest.mark.parametrize("error", [None, "no", {}, {"code": "3"}, {"code": True}, []])
def test_classify__no_error_object__is_malformed(error: Any) -> None:
    assert isinstance(wire.classify(E, error), Malformed)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("0x1234", b"\x12\x34"),
        ("Reverted 0x1234", b"\x12\x34"),
        ({"data": "0x12"}, b"\x12"),
        ({"result": {"output": "0x12"}}, b"\x12"),
        ("0x123", None),
        ({"x": 1}, None),
        (7, None),
    ],
)
def test_classify__revert_data__is_found_in_every_wrapping(data: Any, expected: Any) -> None:
    error = wire.classify(E, {"code": 3, "message": "execution reverted", "data": data})
    assert isinstance(error, CallReverted)
    assert error.data == expected


def test_classify__no_message__is_still_an_error() -> None:
    assert type(wire.classify(E, {"code": -1, "message": 5})) is RpcError


def test_classify__words_in_the_data__count() -> None:
    error = {"code": -32603, "message": "Internal error", "data": "block not found"}
    assert type(wire.classify(E, error)) is BlockUnknown


def test_classify__control_characters__do_not_reach_the_message() -> None:
    error = wire.classify(E, {"code": -1, "message": "a\x1b[2Jb\x9bc\u202ed\r\ne" + 9_999 * "f"})
    assert "a [2Jb c d e" in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 400
