"""Real Chainlink proxies and aggregators."""

from dataclasses import replace
from itertools import pairwise

import pytest
from world.actors import feeds
from world.anvil import Anvil
from world.contract import Interface
from world.world import World

from chain.types import ZERO_ADDRESS, Address, checksum
from protocols.prices import expr
from protocols.prices.book import PriceBook
from protocols.prices.configured import PriceRow, read_prices
from protocols.prices.rounds import read_rounds
from protocols.types import Price, Unpriced
from protocols.uniswap_v3 import pool_checks
from tests.protocols.uniswap_v3 import setting
from tests.support import referee

ETH = "ETH / USD"


def proxy(world: World[Anvil], name: str) -> Address:
    """Return a feed's address."""
    return checksum(world.book.feeds[name].proxy)


def row(world: World[Anvil], name: str = ETH, heartbeat_s: int | None = None) -> PriceRow:
    """Return a configured price of the native coin."""
    return PriceRow(ZERO_ADDRESS, expr.Feed(proxy(world, name)), "USD", heartbeat_s)


def read(
    world: World[Anvil], *rows: PriceRow, sequencer: Address | None = None
) -> list[Price | Unpriced]:
    """Read at the head, call by call."""
    rpc = world.node.rpc
    at = referee.head(rpc)
    return list(referee.run(read_prices(rows, at, sequencer), rpc, at))


def test_read_prices__fresh_round__is_the_answer_with_its_age(world: World[Anvil]) -> None:
    feeds.set_price(world, ETH, 2345.678)
    then = world.node.timestamp()
    world.node.mine_at(then + 77)
    (found,) = read(world, row(world, heartbeat_s=3600))
    assert isinstance(found, Price)
    assert (found.raw, found.decimals, found.label) == (234567800000, 8, ETH)
    assert (found.updated_at, found.problems) == (then, ())
    assert found.factor == proxy(world, ETH)


@pytest.mark.parametrize("answer", [0, -1])
def test_read_prices__answer_not_positive__is_unpriced(world: World[Anvil], answer: int) -> None:
    feeds.set_price_raw(world, ETH, answer)
    (found,) = read(world, row(world))
    assert isinstance(found, Unpriced)
    assert f"answers {answer}" in found.cause


def test_read_prices__silence_beyond_the_heartbeat__is_stale(world: World[Anvil]) -> None:
    feeds.set_price(world, ETH, 2345.678)
    then = world.node.timestamp()
    world.node.mine_at(then + 3600)
    (sound,) = read(world, row(world, heartbeat_s=3600))
    world.node.mine_at(then + 3601)
    (stale,) = read(world, row(world, heartbeat_s=3600))
    assert isinstance(sound, Price)
    assert isinstance(stale, Price)
    assert sound.problems == ()
    assert stale.problems == ("stale: 3601 s old, promised every 3600 s",)


def test_read_prices__sequencer__is_down_then_in_grace_then_well(world: World[Anvil]) -> None:
    name = "L2 Sequencer Uptime Status"
    uptime = proxy(world, name)
    said = []
    for answer, wait in ((1, 10), (0, 3600), (0, 3601)):
        with world.node.rollback():
            feeds.set_price_raw(world, name, 1 - answer)
            feeds.set_price_raw(world, name, answer)
            then = world.node.timestamp()
            world.node.mine_at(then + wait)
            (found,) = read(world, row(world), sequencer=uptime)
            assert isinstance(found, Price)
            said.append(found.problems)
    assert "the sequencer is down since" in said[0][0]
    assert "within the grace period" in said[1][0]
    assert said[2] == ()


GET_ROUND = Interface(
    [
        {
            "type": "function",
            "name": "getRoundData",
            "inputs": [{"type": "uint80"}],
            "outputs": [{"type": kind} for kind in ("uint80", "int256", *["uint256"] * 3)],
        }
    ]
)


def test_read_rounds__all_phases_of_a_real_feed__each_is_what_the_proxy_says(
    world: World[Anvil],
) -> None:
    rpc = world.node.rpc
    found = referee.run(read_rounds(proxy(world, ETH), 100), rpc, referee.head(rpc))
    assert {r.phase for r in found} == {1, 2, 3}
    assert [r.id for r in found] == sorted((r.id for r in found), reverse=True)
    assert all(a.updated_at >= b.updated_at for a, b in pairwise(found))
    bound = world.node.at(proxy(world, ETH), GET_ROUND)
    for past in found:
        assert bound.call("getRoundData", past.id)[1:4:2] == (past.answer, past.updated_at)
    newest = referee.run(read_rounds(proxy(world, ETH), 2), rpc, referee.head(rpc))
    assert newest == found[:2]


def test_price_book__real_pool_against_a_crashed_feed__is_flagged(world: World[Anvil]) -> None:
    pool = checksum(world.book["uniswap-v3"]["pools"]["WETH/USDC/500"])
    tokens = {symbol: checksum(world.book.tokens[symbol].address) for symbol in ("WETH", "USDC")}
    rows = [
        PriceRow(tokens["WETH"], expr.Feed(proxy(world, ETH)), "USD"),
        PriceRow(tokens["USDC"], expr.Feed(proxy(world, "USDC / USD")), "USD"),
    ]
    owner = setting.users(1, world)[0]
    tick = setting.tick_of(world, "WETH/USDC/500") // 10 * 10
    setting.mint(world, "WETH/USDC/500", owner, tick - 100, tick + 100, (10**12, 10**12))
    (position,) = setting.read(world, [owner]).positions
    checks = pool_checks([position])
    assert [check.pool for check in checks] == [pool]

    sound = PriceBook(configured=read(world, *rows), checks=checks).usd(tokens["WETH"])
    feeds.crash(world, ETH, -0.2)
    crashed = PriceBook(configured=read(world, *rows), checks=checks).usd(tokens["WETH"])
    assert isinstance(sound, Price)
    assert isinstance(crashed, Price)
    assert sound.problems == ()
    assert f"from twap({pool}, 1800)" in crashed.problems[0]


def test_read_prices__share_of_a_real_vault__is_its_worth(world: World[Anvil]) -> None:
    vault = checksum(world.book["erc4626"]["pvUSDC"])
    bare = row(world, "USDC / USD")
    share = replace(bare, feed=expr.Product((bare.feed, expr.Ratio(vault))))
    (coin, found) = read(world, bare, share)
    assert isinstance(coin, Price)
    assert isinstance(found, Price)
    bound = world.contract("erc4626/PlainVault", vault)
    assets = bound.call("convertToAssets", 10**18)  # base units of both, 6 decimals
    assert found.raw == coin.raw * assets * 10 ** (18 - 8) // 10**18
