"""Feeds against pools and each other."""

from dataclasses import replace
from math import inf

import pytest

from chain.types import Address
from protocols.prices.pools import PoolQuote
from protocols.prices.state import Upkeep
from protocols.prices.twap import PoolCheck
from tests.protocols.prices.build import address
from underkeel.oracles.gaps import Neighbours, Priced, pair_of

WETH, USDC, LST = address(1), address(2), address(3)
ETH_USD, USDC_USD, LST_ETH, LST_USD = (address(n) for n in (11, 12, 13, 14))


def feed(at: Address, label: str, price: float | None) -> Upkeep:
    """Return a feed of eight decimals."""
    return Upkeep(at, label, 8, answer=None if price is None else round(price * 1e8))


ETH = feed(ETH_USD, "ETH / USD", 3_000)
FEEDS = (
    ETH,
    feed(USDC_USD, "USDC / USD", 1),
    feed(LST_ETH, "wstETH / ETH", 1.2),
    feed(LST_USD, "wstETH / USD", 3_636),
)
TOKENS = {
    WETH: Priced("WETH", 3_000, frozenset({ETH_USD})),
    USDC: Priced("USDC", 1, frozenset({USDC_USD})),
    LST: Priced("wstETH", 3_600, frozenset({LST_ETH, ETH_USD})),
}


def tick(ratio: float) -> int:
    """Return the tick of token1 per token0, in base units."""
    from math import floor, log

    return floor(log(ratio) / log(1.0001))


def pool(
    token0: Address,
    token1: Address,
    mean: float,
    spot: float,
    depth1: int,
    decimals: tuple[int, int],
) -> PoolQuote:
    """Return a pool; prices are whole token1 per whole token0."""
    scale = 10.0 ** (decimals[1] - decimals[0])
    check = PoolCheck(address(99), token0, token1, tick(mean * scale), 1800, *decimals, depth1)
    return PoolQuote(check, tick(spot * scale), 500)


WETH_USDC = pool(WETH, USDC, 3_030, 2_970, 10**12, (18, 6))
LST_WETH = pool(WETH, LST, 1 / 1.17, 1 / 1.18, 10**20, (18, 18))


def test_market__pool_of_its_token__is_priced_by_the_other_side() -> None:
    found = Neighbours(FEEDS, TOKENS, [WETH_USDC]).market(ETH)
    assert found is not None
    assert found.against == "USDC"
    assert found.mean_frac == pytest.approx(0.01, abs=2e-4)
    assert found.spot_frac == pytest.approx(-0.01, abs=2e-4)
    assert found.depth_usd == pytest.approx(1e6)
    assert found.fee_frac == 0.0005


def test_market__token_is_token1__the_ratio_is_turned() -> None:
    found = Neighbours(FEEDS, TOKENS, [LST_WETH]).market(FEEDS[2])
    assert found is not None
    assert found.against == "WETH"
    assert found.mean_frac == pytest.approx(1.17 / 1.2 - 1, abs=2e-4)
    assert found.depth_usd == pytest.approx(100 * 3_600)


def test_market__other_side_hangs_on_the_same_feed__says_nothing() -> None:
    assert Neighbours(FEEDS, TOKENS, [LST_WETH]).market(ETH) is None


def test_market__several_pools__the_deepest_speaks() -> None:
    deep = pool(WETH, USDC, 3_000, 3_000, 10**14, (18, 6))
    found = Neighbours(FEEDS, TOKENS, [WETH_USDC, deep, WETH_USDC]).market(ETH)
    assert found is not None
    assert found.depth_usd == pytest.approx(1e8)


def test_market__other_side_crashed__a_pool_that_agrees_clears_the_feed() -> None:
    dai = address(4)
    tokens = {**TOKENS, dai: Priced("DAI", 1, frozenset({address(15)}))}
    # ether fell to 3,000 on its feed, and the pool of both still says 4,000
    crashed = pool(WETH, USDC, 4_000, 4_000, 10**13, (18, 6))
    calm = pool(USDC, dai, 1.0001, 1.0001, 10**23, (6, 18))
    dollar = FEEDS[1]
    alone = Neighbours(FEEDS, tokens, [crashed]).market(dollar)
    assert alone is not None
    assert alone.mean_frac == pytest.approx(3 / 4 - 1, abs=1e-3)
    assert alone.least_elsewhere == inf
    cleared = Neighbours(FEEDS, tokens, [crashed, calm]).market(dollar)
    assert cleared is not None
    assert cleared.least_elsewhere < 1e-3
    # a pool too thin to move anybody clears nobody, and neither does one of the same two tokens
    thin = pool(USDC, dai, 1.0001, 1.0001, 10**21, (6, 18))
    twin = pool(WETH, USDC, 3_000, 3_000, 10**12, (18, 6))
    for others in ([crashed, thin], [crashed, twin]):
        still = Neighbours(FEEDS, tokens, others).market(dollar)
        assert still is not None
        assert (still.against, still.least_elsewhere) == ("WETH", inf)
    guilty = Neighbours(FEEDS, tokens, [crashed, calm]).market(ETH)
    assert guilty is not None
    assert guilty.mean_frac == pytest.approx(1 / 3, abs=1e-3)
    assert guilty.least_elsewhere == inf


@pytest.mark.parametrize(
    "other",
    [replace(ETH, label=""), replace(ETH, label="Something"), feed(address(7), "ETH / USD", 3)],
)
def test_market__feed_that_prices_no_such_token__has_none(other: Upkeep) -> None:
    assert Neighbours(FEEDS, TOKENS, [WETH_USDC]).market(other) is None


def test_market__side_without_a_price__is_passed_over() -> None:
    assert Neighbours(FEEDS, {WETH: TOKENS[WETH]}, [WETH_USDC]).market(ETH) is None


def test_others__same_pair_and_triangle__are_both_compared() -> None:
    second = feed(address(15), "WETH / USD", 3_060)
    neighbours = Neighbours((*FEEDS, second), TOKENS, [])
    (gap,) = neighbours.others(ETH)
    assert gap.source == f"feed({address(15)})"
    assert gap.frac == pytest.approx(0.02)
    gaps = {gap.label: gap.frac for gap in neighbours.others(FEEDS[3])}
    assert gaps == {
        "wstETH / ETH × ETH / USD": pytest.approx(3_600 / 3_636 - 1),
        "wstETH / ETH × WETH / USD": pytest.approx(1.2 * 3_060 / 3_636 - 1),
    }


@pytest.mark.parametrize("price", [None, 0, -1])
def test_others__feed_without_a_price__compares_with_nothing(price: int | None) -> None:
    assert Neighbours(FEEDS, TOKENS, []).others(replace(ETH, answer=price)) == ()


@pytest.mark.parametrize(
    ("label", "pair"),
    [
        ("ETH / USD", ("ETH", "USD")),
        ("Capped wstETH / stETH(ETH) / USD", ("wstETH", "USD")),
        ("BTC/USD", ("BTC", "USD")),
        ("L2 Sequencer Uptime Status", None),
        ("ETH / ", None),
        ("", None),
    ],
)
def test_pair_of__labels__are_base_and_quote(label: str, pair: tuple[str, str] | None) -> None:
    assert pair_of(label) == pair
