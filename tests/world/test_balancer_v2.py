"""Balancer's weighted pools stand at the feeds' prices and pay what BalancerQueries says."""

from __future__ import annotations

import pytest
from world.actors import balancer, feeds
from world.anvil import Anvil
from world.world import World, actor

POOLS = ("80WETH-20USDC", "50WBTC-25WETH-25DAI")
WAD = 10**18


def test_pools__the_book_and_this_file__name_the_same(world: World[Anvil]) -> None:
    assert set(world.book["balancer-v2"]["pools"]) == set(POOLS)


@pytest.mark.parametrize("name", POOLS)
def test_pool__its_tokens__are_worth_their_weights(world: World[Anvil], name: str) -> None:
    page = balancer.page(world, name)
    assert list(balancer.pool(world, name).call("getNormalizedWeights")) == page["weights"]
    assert sum(page["weights"]) == WAD
    values = [
        held / world.book.tokens[symbol].unit * feeds.price(world, symbol)
        for symbol, held in zip(page["tokens"], balancer.balances(world, name), strict=True)
    ]
    for value, weight in zip(values, page["weights"], strict=True):
        assert value / sum(values) == pytest.approx(weight / WAD, rel=1e-6)


def test_swap__real_one__pays_the_query_and_the_formula(world: World[Anvil]) -> None:
    user, name = actor("swapper"), POOLS[0]
    world.node.fund([user])
    page = balancer.page(world, name)
    held = dict(zip(page["tokens"], balancer.balances(world, name), strict=True))
    weight = dict(zip(page["tokens"], page["weights"], strict=True))
    amount = world.amount("WETH", 20)
    params = balancer.swap_params(world, name, user, "WETH", "USDC", amount)
    quoted = balancer.queries(world).call("querySwap", *params)
    assert balancer.swap(world, name, user, "WETH", "USDC", amount) == quoted
    counted = amount * (1 - balancer.pool(world, name).call("getSwapFeePercentage") / WAD)
    ratio = (held["WETH"] / (held["WETH"] + counted)) ** (weight["WETH"] / weight["USDC"])
    assert quoted == pytest.approx(held["USDC"] * (1 - ratio), rel=1e-6)


@pytest.mark.parametrize("name", POOLS)
def test_join_and_leave__in_proportion__gives_back_what_was_put_in(
    world: World[Anvil], name: str
) -> None:
    user = actor("provider")
    world.node.fund([user])
    amounts = [held // 100 for held in balancer.balances(world, name)]
    supply = balancer.pool(world, name).call("getActualSupply")
    minted = balancer.join(world, name, user, amounts)
    assert minted == pytest.approx(supply / 100, rel=1e-6)
    request = balancer.exit_request(world, name, minted)
    pool_id = balancer.pool_id(world, name)
    _, previewed = balancer.queries(world).call("queryExit", pool_id, user, user, request)
    paid = balancer.leave(world, name, user, minted)
    assert paid == list(previewed)
    assert balancer.pool(world, name).call("balanceOf", user) == 0
    for got, put in zip(paid, amounts, strict=True):
        assert got <= put
        assert got == pytest.approx(put, rel=1e-6)


def test_protocol__after_a_swap_and_a_join__has_its_share_of_the_fee(
    world: World[Anvil],
) -> None:
    user, name = actor("swapper"), POOLS[0]
    world.node.fund([user])
    collector = world.book["balancer-v2"]["fees_collector"]
    before = balancer.pool(world, name).call("balanceOf", collector)
    balancer.swap(world, name, user, "WETH", "USDC", world.amount("WETH", 100))
    balancer.join(world, name, user, [held // 1000 for held in balancer.balances(world, name)])
    assert balancer.pool(world, name).call("balanceOf", collector) > before
