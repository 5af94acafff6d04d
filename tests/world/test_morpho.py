"""Morpho Blue and the vaults on it lend, liquidate and pay out."""

from __future__ import annotations

import pytest
from world.actors import feeds, morpho, vaults
from world.anvil import Anvil
from world.node import Reverted
from world.world import World, actor


def test_markets__every_one__has_an_id_and_a_price(world: World[Anvil]) -> None:
    markets = world.book["morpho"]["markets"]
    assert len(markets) >= 6
    for name in markets:
        stored = morpho.morpho(world).call("idToMarketParams", morpho.market_id(world, name))
        assert [str(part) for part in stored] == [
            str(part).lower() if isinstance(part, str) else str(part)
            for part in morpho.params(world, name)
        ]
        if not name.startswith("idle/"):
            assert morpho.oracle_price(world, name) > 0


def test_oracle__weth_in_usdc__is_the_feeds_quotient(world: World[Anvil]) -> None:
    eth, usdc = feeds.price(world, "WETH"), feeds.price(world, "USDC")
    assert morpho.oracle_price(world, "WETH/USDC") == 10 ** (36 + 6 - 18) * eth // usdc


def test_liquidation__before_and_after_a_crash(world: World[Anvil]) -> None:
    user, liquidator = actor("morpho borrower"), actor("morpho liquidator")
    world.node.fund([user, liquidator])
    morpho.supply_collateral(world, "WETH/USDC", user, 10)
    morpho.borrow(world, "WETH/USDC", user, 24_000)
    with pytest.raises(Reverted, match="position is healthy"):
        morpho.morpho_liquidate(world, "WETH/USDC", liquidator, user, seized=10**18)
    feeds.crash(world, "WETH", -0.2)
    morpho.morpho_liquidate(world, "WETH/USDC", liquidator, user, seized=10**18)
    assert morpho.position(world, "WETH/USDC", user).collateral == 9 * 10**18


@pytest.mark.parametrize("name", sorted(vaults.ASSETS))
def test_vault__redeem__pays_about_the_deposit(world: World[Anvil], name: str) -> None:
    user = actor("saver")
    world.node.fund([user])
    shares = vaults.deposit(world, name, user, 1_000)
    paid = vaults.redeem(world, name, user, shares)
    # Rounding costs a few base units, never a gain.
    put_in = world.amount(vaults.ASSETS[name], 1_000)
    assert put_in - 10 <= paid <= put_in + 10
