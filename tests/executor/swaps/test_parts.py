"""The parts beneath: curves and shares, cost, and what venues make of broken answers."""

from collections.abc import Sequence
from typing import Any

import pytest
from eth_abi.abi import encode

from chain.calls import Ok, Reads, Result, Unknown
from chain.types import ZERO_ADDRESS
from executor.swaps import Route, Side, Venue, split
from executor.swaps import balancer_v2 as b2
from executor.swaps import uniswap_v2 as v2
from executor.swaps import uniswap_v3 as v3
from executor.swaps import uniswap_v4 as v4
from executor.swaps.cost import cost
from executor.swaps.routes import find
from executor.swaps.types import Found, Hop, Pool
from executor.swaps.uniswap_v2 import UniswapV2
from protocols.types import Unpriced
from protocols.uniswap_v3 import contracts as pools_v3
from tests.executor.swaps import scene
from tests.executor.swaps.scene import ETH, ETH_PRICE, USD, USD_PRICE
from tests.support.fake_chain import FakeChain, address

DOWN = Unknown("the node is down")
ROOT, QUOTER, ROUTER, POOL = address(1), address(2), address(3), address(4)
PAIR = (ETH.address, USD.address)


def route(n: int) -> Route:
    venue = UniswapV2(f"venue {n}", ROOT, ROUTER)
    return Route(venue, (Hop(Pool(address(100 + n), PAIR, 1), *PAIR),))


def curve(n: int, reserve: int, amount: int) -> split.Curve:
    rungs = [(x, scene.amount_out(x, reserve, reserve)) for x in split.ladder(amount)]
    made = split.curve(route(n), Side.EXACT_IN, rungs)
    assert made is not None
    return made


def run(program: Reads[Found], chain: FakeChain) -> Found:
    batch: Sequence[Any] = next(program)
    results: list[Result] = chain.answer_all(batch)
    with pytest.raises(StopIteration) as stop:
        program.send(results)
    found: Found = stop.value.value
    return found


def test_curve__of_constant_product__is_exact_between_the_rungs() -> None:
    made = curve(0, 10**24, 10**23)
    for size in (10**20, 3 * 10**21, 10**22, 9 * 10**22):
        assert made.worth(size) == pytest.approx(scene.amount_out(size, 10**24, 10**24), rel=1e-9)


def test_curve__one_rung_or_none__is_one_price_or_nothing() -> None:
    made = split.curve(route(0), Side.EXACT_IN, [(4, 8), (8, DOWN), (16, 30)])
    assert made is not None
    assert made.capacity == 4
    assert made.prices() == [2.0, 2.0]
    assert split.curve(route(0), Side.EXACT_IN, [(4, DOWN), (8, 16)]) is None


@pytest.mark.parametrize("side", list(Side))
def test_curve__noise_of_tiny_amounts__has_sound_prices(side: Side) -> None:
    made = split.curve(route(0), side, [(1, 1), (2, 1), (3, 9), (4, 9), (8, 1)])
    assert made is not None
    sign = 1 if side is Side.EXACT_IN else -1
    assert all(price * sign > 0 for price in made.prices())
    assert all(0 <= made.size(price) <= 8 for price in made.prices())


def test_share__flat_prices__are_filled_in_order_and_lose_nothing() -> None:
    flat = [split.curve(route(n), Side.EXACT_IN, [(50, 100), (100, 200)]) for n in range(3)]
    curves = [one for one in flat if one is not None]
    shares = split.share(curves, 170)
    assert shares == pytest.approx((100, 70, 0))
    assert split.share(curves, 301) is None


def test_whole__adds_up_and_the_largest_takes_the_dust() -> None:
    assert split.whole((3.9, 5.9, 0.2), 10) == (3, 7, 0)


def test_propose__more_routes_than_are_looked_at__takes_the_deepest() -> None:
    amount = 10**22
    curves = [curve(n, (n + 1) * 10**23, amount) for n in range(12)]
    best = split.propose(curves, amount, 3, 0)[0]
    assert [chosen.key for chosen, _ in best] == [route(n).key for n in (11, 10, 9)]
    assert len(split.propose(curves, amount, 3, 0)) == split.PROPOSALS


def test_promising__all_together_cannot_take_it__goes_by_price() -> None:
    curves = [curve(n, (n + 1) * 10**23, 10**18) for n in range(12)]
    assert split.propose(curves, 10**22, 3, 0) == ()


def test_cost__is_exact_and_rounded_against_us() -> None:
    found = cost(ETH, ETH_PRICE, 10**18, USD, USD_PRICE, 2_999_999_999)
    assert not isinstance(found, Unknown)
    assert (found.bps, found.value, found.quote) == (1, 10**12, "USD")
    found = cost(ETH, ETH_PRICE, 10**18, USD, USD_PRICE, 3_030_000_001)
    assert not isinstance(found, Unknown)
    assert (found.bps, found.value) == (-100, -(30 * 10**18 + 10**12))


def test_cost__one_price_missing__is_unknown() -> None:
    gone = Unpriced(ETH.address, "feed", "reverted")
    for prices in ((gone, USD_PRICE), (ETH_PRICE, None)):
        assert isinstance(cost(ETH, prices[0], 1, USD, prices[1], 1), Unknown)


def rooted() -> FakeChain:
    """A chain whose helpers name their roots, and where nothing else answers."""
    chain = FakeChain()
    for helper in (QUOTER, ROUTER):
        chain.put(helper, v2.FACTORY, ROOT)
        chain.put(helper, v4.MANAGER, ROOT)
    return chain


def venues() -> list[Venue]:
    return [
        UniswapV2("v2", ROOT, ROUTER),
        v3.UniswapV3("v3", ROOT, QUOTER, ROUTER, fees=(500,)),
        v4.UniswapV4("v4", ROOT, QUOTER, ROUTER, POOL, keys=((500, 10, ZERO_ADDRESS),)),
        b2.BalancerV2("balancer", ROOT, ("0x" + "11" * 32,)),
    ]


@pytest.mark.parametrize("n", range(4))
def test_pools__that_do_not_answer__are_unknown(n: int) -> None:
    found = run(venues()[n].pools([PAIR]), rooted())
    assert found.pools == ()
    assert len(found.unknown) == 1


@pytest.mark.parametrize("n", range(2))
def test_pools__that_the_factory_does_not_have__are_not_there(n: int) -> None:
    chain = rooted()
    chain.put(ROOT, v2.GET_PAIR, ZERO_ADDRESS)
    chain.put(ROOT, pools_v3.GET_POOL, ZERO_ADDRESS)
    assert run(venues()[n].pools([PAIR]), chain) == Found(())


def test_pools__named_by_the_factory_but_silent__are_unknown() -> None:
    chain = rooted()
    chain.put(ROOT, v2.GET_PAIR, POOL)
    chain.put(ROOT, pools_v3.GET_POOL, POOL)
    for venue in venues()[:2]:
        assert "no contract" in run(venue.pools([PAIR]), chain).unknown[0]


def test_pools__empty__are_not_there() -> None:
    chain = rooted()
    chain.put(ROOT, v2.GET_PAIR, POOL)
    chain.put(POOL, v2.RESERVES, (0, 0, 0))
    chain.put(ROOT, pools_v3.GET_POOL, POOL)
    chain.put(POOL, pools_v3.SLOT0, (0, 0, 0, 0, 0, 0, False))
    chain.put(POOL, pools_v3.LIQUIDITY, 0)
    chain.put(ROOT, v4.EXTSLOAD, bytes(32))
    chain.put(ROOT, b2.POOL_TOKENS, (PAIR, (0, 5), 1))
    for venue in venues():
        assert run(venue.pools([PAIR]), chain) == Found(())


def test_find__pool_of_all_three_tokens__is_not_gone_through_twice() -> None:
    chain, mid = rooted(), scene.MID.address
    chain.put(ROOT, b2.POOL_TOKENS, ((*PAIR, mid), (5, 5, 5), 1))
    asked = scene.question(Side.EXACT_IN, 1, via=(mid,))
    program = find(asked, [venues()[3]])
    results = chain.answer_all(next(program))
    with pytest.raises(StopIteration) as stop:
        program.send(results)
    routes, _ = stop.value.value
    assert [len(one.hops) for one in routes] == [1]


@pytest.mark.parametrize("side", list(Side))
def test_balancer__answers_that_pay_nothing_or_too_few__are_unknown(side: Side) -> None:
    venue = venues()[3]
    there = Route(venue, (Hop(Pool("0x" + "11" * 32, PAIR, 1), *PAIR),))
    for deltas in ((0, 0), (-5, 5), (1,), (1, -1, 0)):
        answer = venue.answer(there, side, Ok(encode(["int256[]"], [deltas])))
        assert isinstance(answer, Unknown)
