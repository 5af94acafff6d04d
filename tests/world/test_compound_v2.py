"""Compound v2 lends against the feeds' prices, refuses by code, and liquidates for real."""

from __future__ import annotations

import pytest
from world.actors import compound, feeds
from world.anvil import Anvil
from world.world import World, actor

WAD = 10**18


@pytest.mark.parametrize("name", sorted(compound.CONTRACTS))
def test_market__listed__has_the_feeds_price_and_a_rate(world: World[Anvil], name: str) -> None:
    symbol, bound = compound.underlying(world, name), compound.ctoken(world, name)
    decimals = world.book.tokens[symbol].decimals or 0
    assert compound.price(world, name) == feeds.price(world, symbol) * 10 ** (36 - decimals - 8)
    listed, factor, _ = compound.comptroller(world).call("markets", bound.address)
    assert listed
    assert 0 < factor < WAD
    assert bound.call("borrowRatePerBlock") > 0
    assert bound.call("supplyRatePerBlock") > 0
    assert bound.call("exchangeRateCurrent") >= bound.call("exchangeRateStored") > 0


def test_interest__with_every_block__accrues(world: World[Anvil]) -> None:
    borrower, bound = world.book["compound-v2"]["borrower"], compound.ctoken(world, "cUSDC")
    before = bound.call("borrowBalanceCurrent", borrower)
    world.node.mine(50)
    assert bound.call("borrowBalanceCurrent", borrower) > before


@pytest.mark.parametrize(
    ("collateral", "supplied", "debt", "borrowed"),
    [
        ("cETH", 10, "cDAI", 20_000),
        ("cUSDC", 40_000, "cETH", 10),
        ("cDAI", 30_000, "cUSDC", 20_000),
    ],
)
def test_liquidity__of_a_fresh_borrower__is_the_rounded_sum_of_the_contract(
    world: World[Anvil], collateral: str, supplied: float, debt: str, borrowed: float
) -> None:
    user = actor("compound borrower")
    world.node.fund([user])
    compound.supply(world, collateral, user, supplied)
    bound = compound.ctoken(world, collateral)
    _, factor, _ = compound.comptroller(world).call("markets", bound.address)

    def capacity() -> int:
        rate, held = bound.call("exchangeRateStored"), bound.call("balanceOf", user)
        weighted = factor * rate // WAD * compound.price(world, collateral) // WAD
        return int(weighted * held // WAD)

    assert compound.liquidity(world, user) == (capacity(), 0)
    owed = compound.borrow(world, debt, user, borrowed)
    assert compound.ctoken(world, debt).call("borrowBalanceStored", user) == owed
    spare = capacity() - owed * compound.price(world, debt) // WAD
    assert compound.liquidity(world, user) == (spare, 0)
    with pytest.raises(compound.Refused, match="borrow answers error 3"):
        compound.borrow(world, debt, user, borrowed)


def test_liquidation__before_and_after_a_crash(world: World[Anvil]) -> None:
    borrower, liquidator = world.book["compound-v2"]["borrower"], actor("compound liquidator")
    world.node.fund([liquidator])
    repaid = world.amount("USDC", 50_000)
    assert compound.liquidity(world, borrower)[1] == 0
    with pytest.raises(compound.Refused, match="liquidateBorrow answers error 3"):
        compound.liquidate(world, "cUSDC", "cETH", liquidator, borrower, repaid)

    feeds.crash(world, "WETH", -0.25)
    before = compound.liquidity(world, borrower)[1]
    assert before > 0
    ceth = compound.ctoken(world, "cETH")
    held = ceth.call("balanceOf", borrower)
    code, seized = compound.comptroller(world).call(
        "liquidateCalculateSeizeTokens",
        *(compound.ctoken(world, "cUSDC").address, ceth.address, repaid),
    )
    assert code == 0
    compound.liquidate(world, "cUSDC", "cETH", liquidator, borrower, repaid)
    taken = held - ceth.call("balanceOf", borrower)
    # Interest of the blocks in between makes a cToken worth a little more.
    assert taken == pytest.approx(seized, rel=1e-6)
    assert 0 < ceth.call("balanceOf", liquidator) <= taken
    assert compound.liquidity(world, borrower)[1] < before


def test_oracle__an_answer_that_is_not_positive__stops_the_market(world: World[Anvil]) -> None:
    feeds.set_price_raw(world, "ETH / USD", 0)
    assert compound.price(world, "cETH") == 0
    with pytest.raises(compound.Refused, match="error 13"):
        compound.liquidity(world, world.book["compound-v2"]["borrower"])
