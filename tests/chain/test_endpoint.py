"""One endpoint: statuses, batches refused or too large, the chain id, health."""

import json
from typing import Any

import pytest

from chain.endpoint import HALF_LIFE_S, Endpoint
from chain.errors import (
    BadStatus,
    EndpointError,
    Malformed,
    NotJson,
    RateLimited,
    Refused,
    RpcError,
    TimedOut,
    TooLarge,
    Unreachable,
    WrongChain,
)
from chain.transport import Response
from chain.wire import Ask
from tests.chain.helpers import Clock
from tests.support import faults
from tests.support.fake_node import FakeNode

HEAD = Ask("eth_getBlockByNumber", ["latest", False])
BALANCE = Ask("eth_getBalance", ["0x" + "0" * 40, "0x64"])


def _endpoint(node: FakeNode, clock: Clock | None = None, chain_id: int = 1) -> Endpoint:
    return Endpoint(node, chain_id, clock=clock or Clock())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.html, NotJson),
        (faults.truncated, NotJson),
        (faults.fixed(b""), NotJson),
        (faults.fixed(b"[1]"), Malformed),
        (faults.duplicated, Malformed),
        (faults.dropped, Unreachable),
        (faults.cut, Unreachable),
        (faults.delayed(60), TimedOut),
        (faults.status(401), Refused),
        (faults.status(403), Refused),
        (faults.status(404), Refused),
        (faults.status(302, Location="https://elsewhere.example"), Refused),
        (faults.status(429, Retry_After="7"), RateLimited),
        (faults.status(503, Retry_After="7"), RateLimited),
        (faults.status(503), BadStatus),
        (faults.status(500, b"{"), BadStatus),
        (faults.status(502, b"<html>"), BadStatus),
        (faults.status(504), TimedOut),
        (faults.status(408), TimedOut),
        (faults.other_chain(5), WrongChain),
        (faults.failing("eth_chainId", -32000, "warming up"), RpcError),
        (faults.on("eth_chainId", lambda _: "0xzz"), Malformed),
        (faults.failing("eth_getBalance", 429, "easy"), RateLimited),
        (faults.edit(lambda q, a: {**a, "error": 3, "result": None}), Malformed),
    ],
)
def test_post__a_fault__is_its_named_error(fault: faults.Fault, error: type[EndpointError]) -> None:
    node = FakeNode()
    node.script.always(fault)
    with pytest.raises(error):
        _endpoint(node).post([HEAD, BALANCE])


def test_post__an_error_in_one_place__is_a_value_there() -> None:
    node = FakeNode()
    node.script.always(faults.failing("eth_getBalance", -32000, "no"))
    head, balance = _endpoint(node).post([HEAD, BALANCE])
    assert head["number"] == "0x64"
    assert isinstance(balance, RpcError)


def test_post__json_rpc_error_under_http_400__keeps_its_words() -> None:
    node = FakeNode()
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "aha"}})
    endpoint = _endpoint(node)
    endpoint.post([HEAD])
    node.script.then(faults.status(400, body.encode()))
    (answer,) = endpoint.post([HEAD])
    assert isinstance(answer, RpcError)
    assert answer.text == "aha"


def test_post__first_use__checks_the_chain_in_the_same_post_and_not_again() -> None:
    node = FakeNode()
    endpoint = _endpoint(node)
    endpoint.post([HEAD])
    endpoint.post([HEAD])
    endpoint.post([HEAD], verify=True)
    sent = [json.loads(r) for r in node.script.requests]
    methods = [[e["method"] for e in (s if isinstance(s, list) else [s])] for s in sent]
    assert methods == [
        ["eth_chainId", "eth_getBlockByNumber"],
        ["eth_getBlockByNumber"],
        ["eth_chainId", "eth_getBlockByNumber"],
    ]


@pytest.mark.parametrize("loss", [faults.dropped, faults.delayed(60)])
def test_post__after_a_lost_connection__checks_the_chain_again(loss: faults.Fault) -> None:
    node = FakeNode()
    endpoint = _endpoint(node)
    endpoint.post([HEAD])
    node.script.then(loss)
    with pytest.raises(EndpointError):
        endpoint.post([HEAD])
    node.chain_id = 5
    with pytest.raises(WrongChain) as caught:
        endpoint.post([HEAD])
    assert (caught.value.expected, caught.value.got) == (1, 5)
    assert "fix chain_id or the RPC URL" in str(caught.value)


def test_post__batches_refused__falls_back_to_singles_and_remembers() -> None:
    node = FakeNode()
    node.script.always(faults.no_batches)
    endpoint = _endpoint(node)
    answers = endpoint.post([HEAD, BALANCE, BALANCE])
    assert answers[0]["number"] == "0x64"
    assert answers[1:] == ["0x0", "0x0"]
    assert endpoint.limits.batch == 1
    before = node.posts
    endpoint.post([HEAD, BALANCE])
    assert node.posts - before == 2


def test_post__batches_refused_by_status__falls_back_to_singles() -> None:
    node = FakeNode()
    node.script.always(faults.status(405), when=lambda body: body.startswith(b"["))
    assert _endpoint(node).post([HEAD, BALANCE])[1] == "0x0"


def test_post__one_answer_to_a_batch__falls_back_to_singles() -> None:
    node = FakeNode()

    def only_first(request: bytes, answer: bytes) -> faults.Reply:
        said = json.loads(answer)
        return faults.Reply(json.dumps(said[0] if isinstance(said, list) else said).encode())

    node.script.always(only_first)
    assert _endpoint(node).post([HEAD, BALANCE])[1] == "0x0"


def test_post__one_odd_refusal__does_not_end_batching() -> None:
    node = FakeNode()
    node.script.then(faults.no_batches)
    endpoint = _endpoint(node)
    endpoint.post([HEAD, BALANCE])
    assert endpoint.limits.batch > 1


def test_post__server_error_to_a_batch__is_no_refusal_of_batches() -> None:
    node = FakeNode()
    node.script.always(faults.status(500), when=lambda body: body.startswith(b"["))
    with pytest.raises(BadStatus):
        _endpoint(node).post([HEAD, BALANCE])


@pytest.mark.parametrize(
    "refusal",
    [
        faults.status(413),
        faults.fixed(
            b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}}'
        ),
    ],
)
def test_post__too_large__is_halved_and_remembered(refusal: faults.Fault) -> None:
    node = FakeNode()
    node.script.always(refusal, when=lambda body: body.count(b'"id"') > 5)
    endpoint = _endpoint(node)
    assert endpoint.post([BALANCE] * 20) == ["0x0"] * 20
    assert endpoint.limits.batch == 5
    before = node.posts
    endpoint.post([BALANCE] * 10)
    assert node.posts - before == 2


@pytest.mark.parametrize("body", [b"", b'{"jsonrpc":"2.0","id":null,"error":{"code":1}}'])
def test_post__a_single_request_too_large__is_raised_not_retried(body: bytes) -> None:
    node = FakeNode()
    endpoint = _endpoint(node)
    endpoint.post([HEAD])
    node.script.always(faults.status(413, body))
    with pytest.raises(TooLarge):
        endpoint.post([HEAD])


def test_post__node_quotes_the_key__it_is_struck_out() -> None:
    node = FakeNode(secret="k3y-of-mine")
    node.script.always(faults.failing("eth_getBalance", -32000, "project k3y-of-mine is paused"))
    _, answer = _endpoint(node).post([HEAD, BALANCE])
    assert "k3y-of-mine" not in str(answer)
    refuse = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"bad k3y-of-mine"}}'
    node.script.always(faults.fixed(refuse))
    with pytest.raises(RpcError) as caught:
        _endpoint(node).post([HEAD, BALANCE])
    assert "k3y-of-mine" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("1e9", 120.0), ("-3", 0.0), ("nan", None), ("Wed, 21 Oct 2026", None)],
)
def test_post__retry_after__is_read_and_bounded(text: str, seconds: float | None) -> None:
    node = FakeNode()
    clock = Clock()
    node.script.always(faults.status(429, Retry_After=text))
    endpoint = _endpoint(node, clock)
    with pytest.raises(RateLimited) as caught:
        endpoint.post([HEAD])
    assert caught.value.retry_after_s == seconds
    endpoint.failed(caught.value)
    assert endpoint.rest_s == (seconds or 0.0)


def test_penalty__failures_and_time__rises_and_halves() -> None:
    clock = Clock()
    endpoint = _endpoint(FakeNode(), clock)
    endpoint.failed(TimedOut("x", 1))
    assert endpoint.penalty == 1
    clock.now += HALF_LIFE_S
    assert endpoint.penalty == 0.5
    endpoint.succeeded()
    assert endpoint.penalty == 0.25
    endpoint.failed(WrongChain("x", 1, 2))
    assert endpoint.penalty > 8
    for _ in range(10):
        endpoint.succeeded()
    assert endpoint.penalty < 0.01
    assert "fake.example" in repr(endpoint)


def test_stats__posts_and_bytes__are_counted() -> None:
    node = FakeNode()
    endpoint = _endpoint(node)
    endpoint.post([HEAD, BALANCE])
    node.script.then(faults.dropped)
    with pytest.raises(Unreachable):
        endpoint.post([HEAD])
    stats: Any = endpoint.stats
    assert (stats.posts, stats.requests, stats.failures) == (2, 4, 1)
    assert stats.bytes_up == sum(map(len, node.script.requests))
    assert stats.bytes_down > 100


def test_response__is_a_plain_value() -> None:
    assert Response(200, {}, b"x") == Response(200, {}, b"x")
