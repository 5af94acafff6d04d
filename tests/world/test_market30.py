"""The market that bulk reading is measured on."""

from world.actors import aave, market30
from world.anvil import Anvil
from world.world import World

RAY = 10**27


def test_extend__thirty_reserves__are_listed_priced_and_accrue(world: World[Anvil]) -> None:
    market = market30.extend(world, 30)
    pool = aave.pool(world, "aave-3.0")
    assert [str(a).lower() for a in pool.call("getReservesList")] == [
        listed.asset.lower() for listed in market.reserves
    ]
    assert len({listed.asset for listed in market.reserves}) == 30
    oracle = world.contract("aave-3.0/AaveOracle", market.oracle)
    assert all(oracle.call("getAssetPrice", listed.asset) > 0 for listed in market.reserves)
    grown = market.reserves[9:]
    assert all(pool.call("getReserveNormalizedIncome", r.asset) > RAY for r in grown)
    assert all(pool.call("getReserveNormalizedVariableDebt", r.asset) > RAY for r in grown)
    assert aave.account_data(world, "aave-3.0", world.book.whale).health > aave.HEALTHY


def test_extend__fewer_than_there_are__adds_none(world: World[Anvil]) -> None:
    assert len(market30.extend(world, 5).reserves) == 9
