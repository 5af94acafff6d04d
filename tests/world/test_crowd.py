"""Crowds are large, varied and the same for the same seed."""

from __future__ import annotations

import pytest
from world.actors import aave, compound, morpho
from world.actors.crowd import MARKETS, random_accounts
from world.anvil import Anvil
from world.world import World


def holdings(world: World[Anvil], market: str, user: str) -> object:
    if market == "morpho":
        return [morpho.position(world, name, user) for name in world.book["morpho"]["markets"]]
    if market == "compound-v2":
        ctokens = [compound.ctoken(world, name) for name in compound.CONTRACTS]
        return [
            (one.call("balanceOf", user), one.call("borrowBalanceStored", user)) for one in ctokens
        ]
    return aave.account_data(world, market, user)


@pytest.mark.parametrize("market", MARKETS)
def test_random_accounts__same_seed__same_holdings(world: World[Anvil], market: str) -> None:
    with world.node.rollback():
        users = random_accounts(world, 7, 12, market)
        first = [holdings(world, market, user) for user in users]
    assert random_accounts(world, 7, 12, market) == users
    assert [holdings(world, market, user) for user in users] == first


@pytest.mark.parametrize("market", ["aave-3.0", "aave-3.6"])
def test_random_accounts__on_aave__shows_every_kind(world: World[Anvil], market: str) -> None:
    users = random_accounts(world, 1, 200, market)
    data = [aave.account_data(world, market, user) for user in users]
    # Some hold nothing but what cannot be collateral.
    assert 180 < sum(account.collateral > 0 for account in data) < 200
    assert 100 < sum(account.debt > 0 for account in data) < 200
    assert all(account.health >= aave.HEALTHY for account in data)
    pool = aave.pool(world, market)
    modes = {pool.call("getUserEMode", user) for user in users}
    assert modes == {0, *world.book[market]["emodes"].values()}


def test_random_accounts__on_morpho__lend_and_borrow(world: World[Anvil]) -> None:
    users = random_accounts(world, 1, 200, "morpho")
    markets = world.book["morpho"]["markets"]
    held = [morpho.position(world, name, user) for user in users for name in markets]
    assert sum(position.supply_shares > 0 for position in held) > 50
    assert sum(position.borrow_shares > 0 for position in held) > 100
