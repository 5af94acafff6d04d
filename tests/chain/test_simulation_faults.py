"""What nodes may do wrong with a simulation: each ends in a reason, never in a guess."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from eth_abi.abi import encode
from world.anvil import Anvil
from world.world import World, actor

from chain import actor as actors
from chain.calls import Call, NativeBalance, NoCode, Ok, Pointer, Read, Reverted, Run, Unknown
from chain.client import ChainSpec, Client, connect
from chain.pool import Patience
from chain.relay import Corrupt
from chain.simulation import Message, NotSimulated, Override, Simulated, Way, simulate
from chain.transport import HttpTransport, Response
from chain.types import checksum
from tests.chain.test_simulation import asking, client_of, nothing

A = checksum(actor("faulty a"))
B = checksum(actor("faulty b"))
Change = Callable[[Any], Any]


class Altered:
    """A transport to a node that alters what is asked, or what it answers."""

    def __init__(self, url: str, *, ask: Change | None = None, answer: Change | None = None):
        self._inner = HttpTransport(url)
        self._ask, self._answer = ask, answer
        self.label = self._inner.label
        self.redact = self._inner.redact
        self.close = self._inner.close

    def post(self, body: bytes, timeout_s: float) -> Response:
        asked = json.loads(body)
        if self._ask is not None:
            asked = self._ask(asked)
        response = self._inner.post(json.dumps(asked).encode(), timeout_s)
        if self._answer is None:
            return response
        answered = self._answer(json.loads(response.body))
        return Response(response.status, response.headers, json.dumps(answered).encode())


def altered(world: World[Anvil], **how: Change) -> Client:
    spec = ChainSpec("world", world.node.chain_id, (world.node.url,))
    transport = Altered(world.node.url, **how)
    return connect(spec, transports=[transport], patience=Patience(0, sleep=lambda _: None))


def each(change: Change) -> Change:
    """Change every result that a simulation's may be, of one answer or of a batch."""

    def whole(answers: Any) -> Any:
        for one in answers if isinstance(answers, list) else [answers]:
            result = one.get("result")
            if isinstance(result, list) and result and "calls" in result[0]:
                one["result"] = change(result)
        return answers

    return whole


def second_differs(answers: Any) -> Any:
    if isinstance(answers, list) and isinstance(answers[-1].get("result"), list):
        answers[-1]["result"][0]["calls"][0]["gasUsed"] = "0x1"
    return answers


def broken_word(result: Any) -> Any:
    text = result[0]["calls"][-1]["returnData"]
    result[0]["calls"][-1]["returnData"] = text[:-1] + ("0" if text[-1] != "0" else "1")
    return result


def later(asked: Any) -> Any:
    for one in asked if isinstance(asked, list) else [asked]:
        if one["method"] == "eth_simulateV1":
            block = one["params"][0]["blockStateCalls"][0]["blockOverrides"]
            block["time"] = hex(int(block["time"], 16) + 5)
    return asked


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"answer": each(lambda _: [{"calls": None}])}, "a simulation of another shape"),
        ({"answer": each(lambda r: [{"calls": r[0]["calls"][:-1]}])}, "outcomes of 2 calls"),
        ({"answer": second_differs}, "two answers to the same simulation"),
        ({"answer": each(broken_word)}, "the digest over the answer does not match"),
        ({"ask": later}, "it ran in block"),
    ],
    ids=["shape", "fewer", "two", "digest", "time"],
)
def test_simulate__faulty_answer__is_a_reason(
    world: World[Anvil], how: dict[str, Change], said: str
) -> None:
    client = altered(world, **how)
    head = client.head()
    found = simulate(
        client, head, [Message(A, B)], nothing, time=head.timestamp + 1, way=Way.SIMULATE
    )
    assert isinstance(found, NotSimulated)
    assert said in found.reason


def test_simulate__answer_of_the_actor_cut__is_a_reason(world: World[Anvil]) -> None:
    def cut(answers: Any) -> Any:
        for one in answers if isinstance(answers, list) else [answers]:
            if isinstance(one.get("result"), str) and len(one["result"]) > 200:
                one["result"] = one["result"][:-2]
        return answers

    client = altered(world, answer=cut)
    head = client.head()
    found = simulate(client, head, [Message(A, B)], nothing, time=head.timestamp + 1, way=Way.CALL)
    assert isinstance(found, NotSimulated)
    assert "our actor's answer" in found.reason


@pytest.mark.parametrize("way", list(Way))
def test_simulate__node_that_takes_only_numbers__names_and_confirms_the_block(
    world: World[Anvil], way: Way
) -> None:
    def refuse(asked: Any) -> Any:
        for one in asked if isinstance(asked, list) else [asked]:
            # as if it read the object for a number
            if any(isinstance(p, dict) and "blockHash" in p for p in one["params"]):
                one["params"] = ["0x", "no block at all"]
        return asked

    client = altered(world, ask=refuse)

    def words(answers: Any) -> Any:
        for one in answers if isinstance(answers, list) else [answers]:
            if "error" in one:
                one["error"] = {"code": -32602, "message": "invalid argument 1: block number"}
        return answers

    transport = client.pool.endpoints[0].transport
    assert isinstance(transport, Altered)
    transport._answer = words
    head = client.head()
    found = simulate(
        client, head, [Message(A, B)], asking(NativeBalance(A)), time=head.timestamp + 1, way=way
    )
    assert isinstance(found, Simulated), found


@pytest.mark.parametrize("way", list(Way))
def test_simulate__hungry_reads__do_not_starve_the_others(world: World[Anvil], way: Way) -> None:
    client = client_of(world)
    head = client.head()
    loop = bytes.fromhex("5b600056")
    names_nobody = bytes.fromhex("5f5f5260205ff3")
    overrides = {A: Override(code=loop), B: Override(code=names_nobody)}
    reads: list[Read] = [
        Call(A, b""),
        NativeBalance(B),
        Call(Pointer(Call(B, b"")), b""),
        Call(Pointer(Call(A, b"")), b""),
        Call(Pointer(Call(B, b"")), b"", sender=B),
        Run("grid_lens", b""),
    ]
    found = simulate(
        client, head, [], asking(*reads), time=head.timestamp + 1, overrides=overrides, way=way
    )
    assert isinstance(found, Simulated), found
    hungry, balance, nobody, lost, behind, run = found.value
    assert isinstance(hungry, Reverted | Unknown)
    assert balance == Ok(encode(["uint256"], [0]))
    assert nobody == NoCode()
    assert isinstance(lost, Reverted | Unknown)
    assert isinstance(behind, Unknown)
    assert isinstance(run, Unknown)


def test_actor__answers_that_are_not_whole__corrupt() -> None:
    text = actors.encode([actors.Entry(A, b"\x01")])
    for output in (b"", bytes(64), bytes(200)):
        with pytest.raises(Corrupt):
            actors.decode(text, 1, output)
