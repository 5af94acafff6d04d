"""The in-process EVM holds the same world as anvil."""

from __future__ import annotations

import time

import pytest
from world.actors import aave, feeds, morpho, tokens
from world.install import NoAnvil
from world.recipes import RECIPES
from world.recipes.multicall3 import ADDRESS
from world.rpc import RpcError
from world.tester import InProcess, start_tester
from world.world import World


def test_tester__reads__every_protocol(tester: World[InProcess]) -> None:
    for market in ("aave-3.0", "aave-3.6"):
        assert aave.account_data(tester, market, tester.book.whale).debt > 0
    assert morpho.oracle_price(tester, "WETH/USDC") > 0
    assert tester.node.timestamp() == tester.book.timestamp


def test_tester__supply_borrow_and_crash__changes_health(tester: World[InProcess]) -> None:
    user = tester.book.accounts[3]
    aave.supply(tester, "aave-3.0", user, "WETH", 10)
    aave.borrow(tester, "aave-3.0", user, "USDC", 20_000)
    before = aave.account_data(tester, "aave-3.0", user)
    feeds.crash(tester, "WETH", -0.25)
    after = aave.account_data(tester, "aave-3.0", user)
    assert before.health > aave.HEALTHY > after.health


def test_tester__travel__moves_the_clock_and_accrues(tester: World[InProcess]) -> None:
    before = aave.account_data(tester, "aave-3.0", tester.book.whale).debt
    tester.node.travel(30 * 24 * 3600)
    assert tester.node.timestamp() == tester.book.timestamp + 30 * 24 * 3600
    assert aave.account_data(tester, "aave-3.0", tester.book.whale).debt > before


def test_tester__on_the_worlds_clock__ticks_a_second_a_block(tester: World[InProcess]) -> None:
    tokens.mint(tester, "USDC", tester.book.admin, 1)
    tokens.mint(tester, "USDC", tester.book.admin, 1)
    assert tester.node.timestamp() == tester.book.timestamp + 2


@pytest.mark.loopback
def test_tester__on_the_wall_clock__is_now_with_fresh_feeds() -> None:
    with start_tester(clock="wall") as world:
        assert abs(world.node.timestamp() - time.time()) < 60
        updated = feeds.proxy(world, "ETH / USD").call("latestRoundData")[3]
        assert world.node.timestamp() - updated < 60


def test_tester__call_at_a_hash__sees_that_block(tester: World[InProcess]) -> None:
    user, block = tester.book.accounts[3], tester.node.block()
    tokens.mint(tester, "USDC", user, 10**6)
    at = {"blockHash": block["hash"], "requireCanonical": True}
    assert tester.token("USDC").call("balanceOf", user, block=at) == 0
    assert tester.token("USDC").call("balanceOf", user) == 10**6
    with pytest.raises(RpcError, match="header not found"):
        tester.token("USDC").call("balanceOf", user, block={"blockHash": "0x" + "11" * 32})


def test_tester__revert__carries_its_data(tester: World[InProcess]) -> None:
    with pytest.raises(RpcError) as caught:
        tester.token("USDC").call("transfer", tester.book.admin, 1, sender=tester.book.oracle)
    assert caught.value.reason == "ERC20: transfer amount exceeds balance"


def test_tester__code_override_and_init_code__run(tester: World[InProcess]) -> None:
    # PUSH1 42, PUSH1 0, MSTORE, PUSH1 32, PUSH1 0, RETURN
    answer = "0x602a60005260206000f3"
    where = "0x" + "ab" * 20
    overridden = tester.node.rpc.request(
        "eth_call", {"to": where, "data": "0x"}, "latest", {where: {"code": answer}}
    )
    created = tester.node.rpc.request("eth_call", {"data": answer}, "latest")
    assert int(overridden, 16) == int(created, 16) == 42


def test_tester__unknown_method__is_an_error(tester: World[InProcess]) -> None:
    with pytest.raises(RpcError, match="Unknown RPC Endpoint"):
        tester.node.rpc.request("anvil_reset")


def test_tester__batch__answers_in_order(tester: World[InProcess]) -> None:
    chain, number = tester.node.rpc.batch([("eth_chainId", []), ("eth_blockNumber", [])])
    assert int(chain, 16) == tester.node.chain_id
    assert int(number, 16) == int(tester.node.block()["number"], 16)


def test_tester__revert__after_blocks_and_edits__is_exact(tester: World[InProcess]) -> None:
    request, user = tester.node.rpc.request, tester.book.accounts[4]
    tokens.mint(tester, "USDC", user, 7)
    request("anvil_setBalance", user, "0x5")
    tester.node.travel(1000)
    before, taken = tester.node.block(), request("evm_snapshot")
    for _ in range(3):
        tokens.mint(tester, "USDC", user, 1)
    tester.node.travel(1000)
    request("evm_revert", taken)
    assert tester.node.block() == before
    assert tokens.balance(tester, "USDC", user) == 7
    tokens.mint(tester, "USDC", user, 1)
    assert tokens.balance(tester, "USDC", user) == 8


def test_tester__edits_by_hand__are_seen(tester: World[InProcess]) -> None:
    at, request = tester.book.accounts[4], tester.node.rpc.request
    request("anvil_setBalance", at, "0x5")
    request("anvil_setStorageAt", at, "0x1", "0x7")
    where = "0x" + "ac" * 20
    request("anvil_setCode", where, "0x602a60005260206000f3")
    assert int(request("eth_getBalance", at, "latest"), 16) == 5
    assert int(request("eth_getStorageAt", at, "0x1", "latest"), 16) == 7
    assert int(request("eth_call", {"to": where}, "latest"), 16) == 42
    tester.node.travel(60)
    assert int(request("eth_getBalance", at, "latest"), 16) == 5


@pytest.mark.loopback
def test_start_tester__no_anvil_and_no_dump__deploys_in_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise NoAnvil("none here")

    # The first recipes stand for all: a whole world in process takes half a minute.
    monkeypatch.setattr("world.tester.build", refuse)
    monkeypatch.setattr("world.builder.RECIPES", RECIPES[:2])
    with start_tester() as world:
        assert list(world.book.protocols) == ["multicall3", "tokens"]
        tokens.mint(world, "WETH", world.book.admin, 3)
        assert tokens.balance(world, "WETH", world.book.admin) == 3
        assert world.node.rpc.request("eth_getCode", ADDRESS, "latest") != "0x"
