"""Which swap is chosen, on pairs whose formula is known."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.calls import Ok, Read, Reverted, Unknown
from executor.swaps import Limits, NoSwap, Question, Side, Swap, Why
from executor.swaps import uniswap_v2 as v2
from protocols.types import Unpriced
from tests.executor.swaps import scene
from tests.executor.swaps.scene import ETH, ETH_PRICE, LIMITS, MID, USD, Venues, question
from tests.support.fake_chain import address

WAD = 10**18
LAX = Limits(slippage_bps=50, max_cost_bps=10_000, max_gain_bps=10**9)


def pools(*depths: int) -> Venues:
    """Venues of one ETH/USD pair each, at 3,000 USD, that hold so many ETH."""
    venues = Venues()
    for depth in depths:
        venues.add((ETH, depth * WAD, USD, depth * 3_000 * 10**6))
    return venues


depth = st.integers(10, 20_000)
deep = st.integers(1_000, 4_000)
reserves = st.lists(st.tuples(depth, st.integers(2_900, 3_100)), min_size=2, max_size=5)


def made(of: list[tuple[int, int]]) -> Venues:
    venues = Venues()
    for eth, rate in of:
        venues.add((ETH, eth * WAD, USD, eth * rate * 10**6))
    return venues


@settings(max_examples=30, deadline=None)
@given(reserves, st.integers(10**15, 3_000 * WAD))
def test_split__exact_in__pays_at_least_the_best_single_route(
    of: list[tuple[int, int]], amount: int
) -> None:
    swap = made(of).swap(question(Side.EXACT_IN, amount), LAX)
    singles = [scene.amount_out(amount, eth * WAD, eth * rate * 10**6) for eth, rate in of]
    assert swap.amount_out >= max(singles)
    assert swap.amount_in == amount
    assert len(swap.legs) <= 3
    assert swap.considered[0].amount == max(singles)


@settings(max_examples=30, deadline=None)
@given(reserves, st.integers(10**6, 100_000 * 10**6))
def test_split__exact_out__takes_at_most_the_best_single_route(
    of: list[tuple[int, int]], amount: int
) -> None:
    found = made(of).run(question(Side.EXACT_OUT, amount), LAX)
    taken = [scene.amount_in(amount, eth * WAD, eth * rate * 10**6) for eth, rate in of]
    singles = [one for one in taken if one is not None]
    if isinstance(found, NoSwap):
        best = found.best
        assert best is not None or not singles
        if best is None:
            return
        found = best
    assert found.amount_out == amount
    assert not singles or found.amount_in <= min(singles)


@settings(max_examples=25, deadline=None)
@given(st.tuples(depth, depth, depth), st.integers(1, 2_000))
def test_split__exact_in__is_near_the_best_of_a_grid(
    depths: tuple[int, int, int], whole: int
) -> None:
    amount = whole * WAD
    swap = pools(*depths).swap(question(Side.EXACT_IN, amount), LAX)
    parts = 40
    best = 0
    for i in range(parts + 1):
        for j in range(parts + 1 - i):
            sizes = (i, j, parts - i - j)
            best = max(best, sum(
                scene.amount_out(amount * size // parts, d * WAD, d * 3_000 * 10**6)
                for size, d in zip(sizes, depths, strict=True)
            ))  # fmt: skip
    # One part in ten thousand of what is paid out, at sizes up to ten times a pool.
    assert swap.amount_out >= best - best // 10_000


@settings(max_examples=25, deadline=None)
@given(st.tuples(deep, deep), st.integers(1, 25))
def test_split__exact_out__is_near_the_best_of_a_grid(
    depths: tuple[int, int], percent: int
) -> None:
    amount = sum(depths) * 3_000 * 10**6 * percent // 100
    swap = pools(*depths).swap(question(Side.EXACT_OUT, amount), LAX)
    parts = 200
    grid = []
    for i in range(parts + 1):
        sizes = (amount * i // parts, amount - amount * i // parts)
        taken = [
            scene.amount_in(size, d * WAD, d * 3_000 * 10**6) if size else 0
            for size, d in zip(sizes, depths, strict=True)
        ]
        if None not in taken:
            grid.append(sum(one for one in taken if one is not None))
    assert swap.amount_in <= min(grid) + min(grid) // 10_000


def test_split__equal_pools__share_and_lose_no_wei() -> None:
    swap = pools(1_000, 1_000, 1_000).swap(question(Side.EXACT_IN, 90 * WAD + 1))
    sizes = [leg.amount_in for leg in swap.legs]
    assert sum(sizes) == 90 * WAD + 1
    assert sizes == pytest.approx([30 * WAD] * 3, rel=1e-12)


def test_split__equal_everything__is_the_same_in_any_order() -> None:
    venues = pools(500, 500, 500, 500)
    asked = question(Side.EXACT_IN, 10 * WAD)
    first = venues.run(asked)
    venues.all.reverse()
    again = venues.run(asked)
    assert isinstance(first, Swap)
    assert isinstance(again, Swap)
    assert first.legs == again.legs


def test_split__pays_less_than_its_legs_cost__stays_whole() -> None:
    venues, asked = pools(1_000, 1_000), question(Side.EXACT_IN, WAD)
    assert len(venues.swap(asked).legs) == 2
    gas = Limits(slippage_bps=50, max_cost_bps=5_000, max_gain_bps=1_000, leg_cost=10 * 10**6)
    assert len(venues.swap(asked, gas).legs) == 1


def test_split__one_route_allowed__is_the_best_one() -> None:
    only = Limits(slippage_bps=50, max_cost_bps=5_000, max_gain_bps=1_000, routes=1)
    venues = pools(1_000, 2_000)
    swap = venues.swap(question(Side.EXACT_IN, 100 * WAD), only)
    assert [leg.route.venue.name for leg in swap.legs] == ["venue 1"]
    assert len(venues.chain.rounds) == 2


def test_batches__however_many_routes__are_three() -> None:
    venues = pools(*range(100, 1_100, 100))
    venues.swap(question(Side.EXACT_IN, 50 * WAD))
    assert len(venues.chain.rounds) == 3


def test_split__pool_in_two_routes__is_used_once() -> None:
    venues = Venues()
    venues.add(
        (ETH, 1_000 * WAD, USD, 3_000_000 * 10**6),
        (ETH, 1_000 * WAD, MID, 1_000 * WAD),
        (MID, 1_000 * WAD, USD, 3_000_000 * 10**6),
    )
    venues.add((ETH, 900 * WAD, USD, 2_700_000 * 10**6))
    swap = venues.swap(question(Side.EXACT_IN, 300 * WAD, via=(MID.address, ETH.address)))
    used = [hop.pool.id for leg in swap.legs for hop in leg.route.hops]
    assert len(used) == len(set(used)) == 4
    assert {len(leg.route.hops) for leg in swap.legs} == {1, 2}


def test_exact_out__more_than_one_pool_holds__is_shared() -> None:
    swap = pools(100, 100).swap(question(Side.EXACT_OUT, 400_000 * 10**6), LAX)
    assert swap.amount_out == 400_000 * 10**6
    assert len(swap.legs) == 2
    assert all(isinstance(one.amount, Unknown) for one in swap.considered)


@pytest.mark.parametrize("amount", [1, 2, 15, 17])
def test_amount__tiny__is_swapped_or_refused_but_never_a_zero(amount: int) -> None:
    venues = Venues()
    venues.add((ETH, 10**6, USD, 10**7))
    venues.add((ETH, 10**6, USD, 10**6 // 2))
    found = venues.run(question(Side.EXACT_IN, amount), LAX)
    swap = found if isinstance(found, Swap) else found.best
    assert swap is not None
    assert swap.amount_in == amount
    assert all(leg.amount_in and leg.amount_out for leg in swap.legs)


def test_amount__worth_nothing_in_the_pool__is_no_route() -> None:
    venues = Venues()
    venues.add((ETH, 10**18, USD, 10**6))
    refused = venues.refused(question(Side.EXACT_IN, 10))
    assert refused.why is Why.NO_ROUTE
    assert "quoted nothing" in refused.reason


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"price_in": None}, "no oracle price for ETH"),
        ({"price_out": Unpriced(USD.address, "feed", "reverted")}, "USD: reverted"),
        ({"price_in": scene.price(ETH, 3_000 * 10**8, problems=("stale",))}, "ETH: stale"),
        ({"price_in": scene.price(ETH, 0)}, "none above zero"),
        ({"price_in": scene.price(USD, 1)}, "not of ETH"),
    ],
)
def test_price__missing_or_unsound__nothing_is_read_and_nothing_swapped(
    change: dict[str, Any], said: str
) -> None:
    venues = pools(1_000)
    refused = venues.refused(question(Side.EXACT_IN, WAD, **change))
    assert refused.why is Why.NO_PRICE
    assert said in refused.reason
    assert venues.chain.rounds == []


def test_price__counted_otherwise__is_unknown() -> None:
    refused = pools(1_000).refused(
        question(Side.EXACT_IN, WAD, price_in=replace(ETH_PRICE, quote="EUR"))
    )
    assert refused.why is Why.NO_PRICE
    assert "EUR" in refused.reason


def test_cost__thin_pool__is_refused_with_its_figures() -> None:
    refused = pools(10).refused(
        question(Side.EXACT_IN, 5 * WAD),
        Limits(slippage_bps=50, max_cost_bps=100, max_gain_bps=100),
    )
    assert refused.why is Why.TOO_DEAR
    assert refused.best is not None
    paid = scene.amount_out(5 * WAD, 10 * WAD, 30_000 * 10**6)
    loss = 15_000 - paid / 10**6
    assert refused.best.cost.value == pytest.approx(loss * WAD, rel=1e-12)
    assert refused.best.cost.bps == pytest.approx(loss / 15_000 * 10_000, abs=1)
    assert str(refused.best.cost.bps) in refused.reason


def test_cost__pools_pay_far_more_than_the_oracle_says__is_not_believed() -> None:
    venues = Venues()
    venues.add((ETH, 1_000 * WAD, USD, 3_900_000 * 10**6))
    refused = venues.refused(question(Side.EXACT_IN, WAD))
    assert refused.why is Why.TOO_GOOD
    assert refused.best is not None
    assert refused.best.cost.bps < -2_900


def test_bounds__are_rounded_for_the_owner() -> None:
    swap = pools(1_000, 300).swap(question(Side.EXACT_IN, 77 * WAD + 7))
    assert swap.max_in == swap.amount_in
    kept = swap.amount_out * (10_000 - LIMITS.slippage_bps)
    assert 0 <= swap.min_out * 10_000 - kept < 10_000 * len(swap.legs)
    swap = pools(1_000, 300).swap(question(Side.EXACT_OUT, 200_000 * 10**6 + 7))
    assert swap.min_out == swap.amount_out
    kept = swap.amount_in * (10_000 + LIMITS.slippage_bps)
    assert 0 <= kept - swap.max_in * 10_000 < 10_000 * len(swap.legs)


def test_venue__whose_router_is_of_another_factory__is_unknown_and_the_rest_goes_on() -> None:
    venues = pools(1_000, 5_000)
    venues.chain.put(venues.all[1].router, v2.FACTORY, address(0xBAD))
    swap = venues.swap(question(Side.EXACT_IN, WAD))
    assert [leg.route.venue.name for leg in swap.legs] == ["venue 0"]
    assert len(swap.unknown) == 1
    assert "does not name" in swap.unknown[0]


@pytest.mark.parametrize(
    "answer",
    [
        Unknown("the node is down"),
        Reverted(b""),
        Ok(b""),
        Ok(b"\xff" * 96),
        Ok((32).to_bytes(32, "big") + (1).to_bytes(32, "big") + (5).to_bytes(32, "big")),
    ],
    ids=["unknown", "reverted", "empty", "garbage", "too-few"],
)
def test_venue__that_does_not_quote__is_unknown_and_the_rest_goes_on(answer: Any) -> None:
    venues = pools(1_000, 5_000)
    venues.chain.put(venues.all[1].router, v2.AMOUNTS_OUT, answer)
    swap = venues.swap(question(Side.EXACT_IN, WAD))
    assert [leg.route.venue.name for leg in swap.legs] == ["venue 0"]
    assert isinstance(swap.considered[-1].amount, Unknown)


def test_venue__that_pays_nothing_in_the_second_batch__its_split_is_dropped() -> None:
    venues = pools(1_000, 1_000)
    seen: list[int] = []

    def falter(read: Read) -> Any:
        seen.append(0)
        return Unknown("gone") if len(venues.chain.rounds) == 3 else None

    venues.chain.override = falter
    swap = venues.swap(question(Side.EXACT_IN, 90 * WAD))
    assert len(swap.legs) == 1
    assert len(venues.chain.rounds) == 3


def test_no_venue_at_all__is_no_route() -> None:
    refused = Venues().refused(question(Side.EXACT_IN, WAD))
    assert refused.why is Why.NO_ROUTE
    assert refused.reason == "no venue has a pool for it"


@pytest.mark.parametrize(
    ("asked", "limits", "said"),
    [
        (question(Side.EXACT_IN, 0), LIMITS, "nothing to swap"),
        (question(Side.EXACT_IN, 1), Limits(10_000, 1, 1), "slippage_bps"),
        (question(Side.EXACT_IN, 1), Limits(1, 1, 1, routes=4), "one to three"),
        (question(Side.EXACT_IN, 1), Limits(1, 1, 1, leg_cost=-1), "leg_cost"),
        (
            Question(ETH, ETH, Side.EXACT_IN, 1, scene.ACCOUNT, None, None),
            LIMITS,
            "for itself",
        ),
    ],
    ids=["nothing", "slippage", "routes", "leg-cost", "itself"],
)
def test_question__that_is_none__is_refused(asked: Question, limits: Limits, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Venues().run(asked, limits)
