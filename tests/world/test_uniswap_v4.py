"""Uniswap v4 pools stand at the feeds' prices; Permit2 is the canonical one; hostile tokens are."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak
from world.actors import feeds, tokens
from world.anvil import Anvil
from world.contract import ERC20
from world.node import Reverted
from world.recipes.uniswap_v4 import POOLS
from world.world import World, actor

QUOTE = (((500, 10), "WETH", "USDC"), ((3000, 60), "WBTC", "WETH"))
PERMIT2_DOMAIN = "Permit2"


def test_pools__the_book_and_the_recipe__name_the_same(world: World[Anvil]) -> None:
    assert set(world.book["uniswap-v4"]["pools"]) == {spec.name for spec in POOLS}


@pytest.mark.parametrize(("key", "a", "b"), QUOTE, ids=["WETH-USDC", "WBTC-WETH"])
def test_pool__small_quote__is_the_feeds_quotient_less_the_fee(
    world: World[Anvil], key: tuple[int, int], a: str, b: str
) -> None:
    quoter = world.contract("uniswap-v4/V4Quoter", world.book["uniswap-v4"]["quoter"])
    address = {symbol: world.book.tokens[symbol].address for symbol in (a, b)}
    first, second = sorted((a, b), key=lambda symbol: int(address[symbol], 16))
    pool = (address[first], address[second], *key, "0x" + "00" * 20)
    amount = world.amount(a, 0.01)
    out, _ = quoter.call("quoteExactInputSingle", (pool, a == first, amount, b""))
    fed = feeds.price(world, a) / feeds.price(world, b)
    whole = out / world.book.tokens[b].unit / 0.01
    assert whole == pytest.approx(fed * (1 - key[0] / 10**6), rel=1e-4)


def test_permit2__has_its_domain_of_this_chain(world: World[Anvil]) -> None:
    """Its code reckons the domain anew on a chain other than the one it was made on."""
    at = world.book["uniswap-v4"]["permit2"]
    told = world.node.call(at, "0x" + keccak(text="DOMAIN_SEPARATOR()")[:4].hex())
    kind = keccak(text="EIP712Domain(string name,uint256 chainId,address verifyingContract)")
    words = (kind, keccak(text=PERMIT2_DOMAIN), world.node.chain_id.to_bytes(32, "big"))
    mine = keccak(b"".join(words) + bytes(12) + bytes.fromhex(at[2:]))
    assert told == "0x" + mine.hex()


def test_hostile_tokens__skim_and_hang(world: World[Anvil]) -> None:
    user, friend = actor("holder"), actor("friend")
    world.node.fund([user])
    page = world.book["hostile"]
    skimming, hanging = (
        world.node.at(page[name]["token"], ERC20) for name in ("skimming", "hanging")
    )
    for token in (skimming, hanging):
        token.send(user, "mint", user, 1_000)
        token.send(user, "transfer", friend, 500)
    assert skimming.call("balanceOf", friend) == 495
    assert hanging.call("balanceOf", friend) == 500
    armed = world.contract("hostile/HangingToken", hanging.address)
    armed.send(user, "arm")
    with pytest.raises(Reverted):
        hanging.send(user, "transfer", friend, 500)
    assert tokens.balance(world, "USDC", page["hanging"]["pair"]) > 0
