"""Both Aave markets stand, lend and liquidate."""

from __future__ import annotations

import pytest
from world.actors import aave, feeds
from world.anvil import Anvil
from world.world import World, actor

MARKETS = ("aave-3.0", "aave-3.6")


@pytest.mark.parametrize("market", MARKETS)
def test_liquidation__below_the_threshold__seizes(world: World[Anvil], market: str) -> None:
    user, liquidator = actor("borrower"), actor("liquidator")
    world.node.fund([user, liquidator])
    aave.supply(world, market, user, "WETH", 10)
    aave.borrow(world, market, user, "USDC", 20_000)
    refused = aave.liquidation_tx(world, market, liquidator, user, "WETH", "USDC", 10**9)
    aave.prepare_liquidator(world, market, liquidator, "USDC", 10**10)
    assert aave.account_data(world, market, user).health > aave.HEALTHY
    assert world.node.simulate(refused) is not None

    feeds.crash(world, "WETH", -0.25)
    assert aave.account_data(world, market, user).health < aave.HEALTHY
    before = aave.account_data(world, market, user).debt
    aave.liquidation_call(world, market, liquidator, user, "WETH", "USDC", 10**9)
    assert aave.account_data(world, market, user).debt < before
