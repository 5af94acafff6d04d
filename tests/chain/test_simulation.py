"""Simulations on a real node: both ways say what then really happens."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from world.actors import aave, tokens
from world.anvil import Anvil
from world.world import World, actor

from chain.abi import Function
from chain.calls import Call, NativeBalance, Ok, Read, Reads, Result, Reverted, Storage, Unknown
from chain.client import ChainSpec, Client, connect
from chain.errors import Reorged
from chain.pool import Patience
from chain.simulation import (
    Message,
    NotSimulated,
    Override,
    Simulated,
    Way,
    next_block,
    simulate,
)
from chain.transport import HttpTransport, Response
from chain.types import Address, BlockRef, checksum
from protocols.aave_v3.adapter import AaveV3
from protocols.adapter import Market
from protocols.types import Position, Reading

APPROVE = Function("approve(address,uint256)()")
BALANCE = Function("balanceOf(address)(uint256)")
TRANSFER = Function("transfer(address,uint256)()")
TRANSFER_FROM = Function("transferFrom(address,address,uint256)()")
REPAY = Function("repay(address,uint256,uint256,address)(uint256)")
GET_POOL = Function("getPool()(address)")
DEPOSIT = Function("deposit()()")
WAYS = list(Way)


def client_of(world: World[Anvil], **more: Any) -> Client:
    spec = ChainSpec("world", world.node.chain_id, (world.node.url,), **more)
    return connect(spec, patience=Patience(1, sleep=lambda _: None))


def nothing(_: BlockRef) -> Reads[None]:
    return None
    yield


def asking(*reads: Read) -> Any:
    def program(_: BlockRef) -> Reads[Sequence[Result]]:
        return (yield reads)

    return program


def borrower(world: World[Anvil]) -> Address:
    owner = checksum(actor("simulated borrower"))
    world.node.set_balance(owner, 10**18)
    aave.supply(world, "aave-3.6", owner, "WETH", 10)
    aave.borrow(world, "aave-3.6", owner, "USDC", 5_000)
    return owner


@pytest.mark.parametrize("way", WAYS)
def test_simulate__repay_and_read__is_what_then_happens(world: World[Anvil], way: Way) -> None:
    owner = borrower(world)
    page = world.book["aave-3.6"]
    usdc, pool = checksum(world.book.tokens["USDC"].address), checksum(page["pool"])
    market = Market("aave-v3", "Aave", checksum(page["pool_addresses_provider"]), {})
    client = client_of(world)
    head = client.head()
    messages = [
        Message(owner, usdc, APPROVE.encode(pool, 10**9)),
        Message(owner, pool, REPAY.encode(usdc, 10**9, 2, owner)),
    ]

    def read(block: BlockRef) -> Reads[Reading]:
        return AaveV3().read(market, [owner], block)

    found = simulate(client, head, messages, read, time=head.timestamp + 77, way=way)
    assert isinstance(found, Simulated), found
    assert found.way is way
    assert found.ok
    (told,) = found.value.positions
    assert isinstance(told, Position)
    assert not told.unknown
    assert told.verified

    # the same for real, in one block of that time
    world.node.automine(False)
    hashes = [
        world.node.rpc.request(
            "eth_sendTransaction",
            {"from": owner, "to": m.to, "data": "0x" + m.data.hex(), "gas": hex(1_000_000)},
        )
        for m in messages
    ]
    world.node.mine_at(head.timestamp + 77)
    world.node.automine(True)
    receipts = [world.node.rpc.request("eth_getTransactionReceipt", h) for h in hashes]
    assert {r["status"] for r in receipts} == {"0x1"}
    after = client.head()
    (real,) = client.snapshot(after).run(AaveV3().read(market, [owner], after)).positions
    assert isinstance(real, Position)
    assert told.state == real.state
    assert [(g.token, g.amount, g.side) for g in told.legs] == [
        (g.token, g.amount, g.side) for g in real.legs
    ]
    for outcome, receipt in zip(found.outcomes, receipts, strict=True):
        used = int(receipt["gasUsed"], 16)
        if way is Way.SIMULATE:
            assert outcome.gas_used == used
            assert outcome.events is not None
            assert len(outcome.events) == len(receipt["logs"])
        else:
            assert outcome.gas_used == pytest.approx(used, rel=0.35)


def test_simulate__both_ways__give_one_answer(world: World[Anvil]) -> None:
    a, b = (checksum(actor(f"simulated {name}")) for name in "ab")
    weth = checksum(world.book.tokens["WETH"].address)
    for who in (a, b):
        world.node.set_balance(who, 10**19)
    tokens.mint(world, "USDC", a, 10**9)
    usdc = checksum(world.book.tokens["USDC"].address)
    messages = [
        Message(a, usdc, APPROVE.encode(b, 5)),
        Message(b, usdc, TRANSFER_FROM.encode(a, b, 5)),  # another sender in turn
        Message(b, usdc, TRANSFER_FROM.encode(a, b, 1)),  # fails, and does not end the rest
        Message(a, weth, DEPOSIT.encode(), value=10**18),
        Message(b, a, value=10**17),  # native coin to one that has no code
    ]
    program = asking(
        BALANCE.at(usdc, a),
        BALANCE.at(usdc, b),
        BALANCE.at(weth, a),
        NativeBalance(a),
        NativeBalance(b),
        Call(usdc, TRANSFER.encode(b, 10), sender=a),  # a read with a sender sees the rest
        Call(usdc, TRANSFER.encode(b, 10**30), sender=a),
        Storage(usdc, 0),
    )
    client = client_of(world)
    head = client.head()
    found = [
        simulate(client, head, messages, program, time=head.timestamp + 5, way=w) for w in WAYS
    ]
    one, other = found
    assert isinstance(one, Simulated), one
    assert isinstance(other, Simulated), other
    assert one.value == other.value
    assert [(o.ok, o.output) for o in one.outcomes] == [(o.ok, o.output) for o in other.outcomes]
    assert [o.ok for o in one.outcomes] == [True, True, False, True, True]
    words = [int.from_bytes(r.data, "big") for r in one.value[:5] if isinstance(r, Ok)]
    assert words == [10**9 - 5, 5, 10**18, 10**19 - 10**18 + 10**17, 10**19 - 10**17]
    assert isinstance(one.value[5], Ok)
    assert isinstance(one.value[6], Reverted)
    assert isinstance(one.value[7], Unknown)
    assert other.outcomes[0].events is None


@pytest.mark.parametrize("way", WAYS)
def test_simulate__nothing_to_do__is_the_next_block(world: World[Anvil], way: Way) -> None:
    client = client_of(world)
    head = client.head()
    found = simulate(client, head, [], nothing, time=head.timestamp + 9, way=way)
    assert isinstance(found, Simulated), found
    assert found.at == next_block(head, head.timestamp + 9)
    assert found.outcomes == ()
    early = simulate(client, head, [], nothing, time=head.timestamp, way=way)
    assert isinstance(early, NotSimulated)


def test_simulate__overrides__are_there(world: World[Anvil]) -> None:
    client = client_of(world)
    head = client.head()
    a, b = (checksum(actor(f"overridden {name}")) for name in "ab")
    answer = bytes.fromhex("602a5f5260205ff3")  # returns 42
    overrides = {a: Override(balance=10**18), b: Override(code=answer)}
    for way in WAYS:
        found = simulate(
            client,
            head,
            [Message(a, b, b"", value=10**17)],
            asking(Call(b, b""), NativeBalance(b)),
            time=head.timestamp + 1,
            overrides=overrides,
            way=way,
        )
        assert isinstance(found, Simulated), found
        assert found.value == [Ok(encode(["uint256"], [42])), Ok(encode(["uint256"], [10**17]))]


def test_simulate__sender_with_code__not_by_call(world: World[Anvil]) -> None:
    client = client_of(world)
    head = client.head()
    weth = checksum(world.book.tokens["WETH"].address)
    message = Message(weth, checksum(actor("anybody")), b"")
    found = simulate(client, head, [message], nothing, time=head.timestamp + 1, way=Way.CALL)
    assert isinstance(found, NotSimulated)
    assert "has code of its own" in found.reason


class Without:
    """A transport to a node that does not know a method."""

    def __init__(self, url: str, *methods: str) -> None:
        self._inner = HttpTransport(url)
        self._methods = [method.encode() for method in methods]
        self.asked: list[bytes] = []
        self.label = self._inner.label
        self.redact = self._inner.redact
        self.close = self._inner.close

    def post(self, body: bytes, timeout_s: float) -> Response:
        self.asked.append(body)
        for method in self._methods:
            body = body.replace(method, b"eth_unheardOf")
        return self._inner.post(body, timeout_s)


def test_simulate__node_without_the_method__by_call_from_then_on(world: World[Anvil]) -> None:
    transport = Without(world.node.url, "eth_simulateV1")
    spec = ChainSpec("world", world.node.chain_id, (world.node.url,))
    client = connect(spec, transports=[transport], patience=Patience(1, sleep=lambda _: None))
    head = client.head()
    who = checksum(actor("anybody"))
    for _ in range(2):
        found = simulate(client, head, [], asking(NativeBalance(who)), time=head.timestamp + 1)
        assert isinstance(found, Simulated), found
        assert found.way is Way.CALL
    assert sum(b"eth_simulateV1" in body for body in transport.asked) == 1


def test_simulate__node_with_neither__says_why(world: World[Anvil]) -> None:
    transport = Without(world.node.url, "eth_simulateV1", "eth_call")
    spec = ChainSpec("world", world.node.chain_id, (world.node.url,))
    client = connect(spec, transports=[transport], patience=Patience(0, sleep=lambda _: None))
    head = client.head()
    a = checksum(world.book.accounts[5])
    found = simulate(client, head, [Message(a, a)], nothing, time=head.timestamp + 1)
    assert isinstance(found, NotSimulated)
    assert "eth_simulateV1: " in found.reason
    assert "eth_call: " in found.reason


def test_simulate__quorum__of_two_that_agree(world: World[Anvil]) -> None:
    url = world.node.url
    spec = ChainSpec("world", world.node.chain_id, (url, url + "/"), quorum=2)
    patience = Patience(1, sleep=lambda _: None)
    other = Without(url, "eth_simulateV1")
    client = connect(spec, transports=[HttpTransport(url), other], patience=patience)
    head = client.head()
    a = checksum(world.book.accounts[5])
    read = asking(NativeBalance(a))
    found = simulate(client, head, [Message(a, a)], read, time=head.timestamp + 1)
    assert isinstance(found, Simulated), found
    deaf = Without(url, "eth_")
    client = connect(spec, transports=[HttpTransport(url), deaf], patience=patience)
    alone = simulate(client, head, [Message(a, a)], read, time=head.timestamp + 1)
    assert isinstance(alone, NotSimulated)
    assert "1 of 2" in alone.reason


def test_simulate__block_that_left_the_chain__reorged(world: World[Anvil]) -> None:
    client = client_of(world)
    head = replace(client.head(), hash="0x" + "ab" * 32)
    with pytest.raises(Reorged):
        simulate(client, head, [], nothing, time=head.timestamp + 1)
