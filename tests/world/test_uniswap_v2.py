"""Uniswap v2 pairs stand at the feeds' prices, swap by the constant product and pay their fee."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak
from world.actors import feeds, uniswap
from world.anvil import Anvil
from world.world import World, actor

PAIRS = (("WETH", "USDC"), ("LINK", "WETH"), ("WBTC", "WETH"))
# The hash of the pair's creation code that the router computes with.
INIT_CODE_HASH = "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"


def reserves(world: World[Anvil], a: str, b: str) -> tuple[int, int]:
    """Reserves in the order asked for."""
    held = dict(
        zip(
            uniswap.in_order(world, a, b),
            uniswap.v2_pair(world, a, b).call("getReserves"),
            strict=False,
        )
    )
    return held[a], held[b]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_pair__price__is_the_feeds_quotient(world: World[Anvil], a: str, b: str) -> None:
    held_a, held_b = reserves(world, a, b)
    price = (held_b / world.book.tokens[b].unit) / (held_a / world.book.tokens[a].unit)
    fed = feeds.price(world, a) / feeds.price(world, b)
    assert price == pytest.approx(fed, rel=1e-6)
    named = world.book["uniswap-v2"]["pairs"][f"{a}/{b}"]
    assert uniswap.v2_pair(world, b, a).address == named.lower()


def test_pair__address__follows_from_the_canonical_creation_code(world: World[Anvil]) -> None:
    pair = [world.book.tokens[symbol].address for symbol in uniswap.in_order(world, "WETH", "USDC")]
    salt = keccak(b"".join(bytes.fromhex(token[2:]) for token in pair))
    factory = bytes.fromhex(world.book["uniswap-v2"]["factory"][2:])
    made = keccak(b"\xff" + factory + salt + bytes.fromhex(INIT_CODE_HASH))[-20:]
    assert uniswap.v2_pair(world, "WETH", "USDC").address == "0x" + made.hex()


def test_swap__real_one__pays_the_constant_product_less_the_fee(world: World[Anvil]) -> None:
    user = actor("swapper")
    world.node.fund([user])
    held_in, held_out = reserves(world, "WETH", "USDC")
    amount = world.amount("WETH", 25)
    counted = amount * 997
    expected = held_out * counted // (held_in * 1000 + counted)
    assert uniswap.v2_swap(world, user, "WETH", "USDC", amount) == expected
    assert reserves(world, "WETH", "USDC") == (held_in + amount, held_out - expected)


def test_liquidity__added_before_a_swap__is_worth_more_afterwards(world: World[Anvil]) -> None:
    user, trader = actor("provider"), actor("trader")
    world.node.fund([user, trader])
    held_in, held_out = reserves(world, "WETH", "USDC")
    pair = uniswap.v2_pair(world, "WETH", "USDC")
    supply = pair.call("totalSupply")
    whole = 10 * 10**18
    amounts = (whole, held_out * whole // held_in)
    minted = uniswap.v2_add_liquidity(world, user, "WETH", "USDC", *amounts)
    assert minted == min(
        amounts[0] * supply // held_in,
        amounts[1] * supply // held_out,
    )
    before = reserves(world, "WETH", "USDC")
    bought = uniswap.v2_swap(world, trader, "WETH", "USDC", 100 * 10**18)
    uniswap.v2_swap(world, trader, "USDC", "WETH", bought)
    after = reserves(world, "WETH", "USDC")
    assert pair.call("totalSupply") == supply + minted
    assert after[0] * after[1] > before[0] * before[1]
