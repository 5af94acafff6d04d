"""Quotes against real swaps on the venues' own bytecode: to the wei."""

from dataclasses import replace
from itertools import combinations
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world.anvil import Anvil
from world.node import Reverted
from world.world import World

from chain.abi import Function
from chain.calls import Unknown
from chain.client import ChainSpec, connect
from chain.networks import by_id
from chain.types import ZERO_ADDRESS, checksum
from executor.swaps import (
    Leg,
    NoSwap,
    Question,
    Route,
    Side,
    Swap,
    Venue,
    Why,
    best_swap,
    orders,
)
from executor.swaps.balancer_v2 import BalancerV2
from executor.swaps.quotes import quote
from executor.swaps.routes import find
from executor.swaps.rows import shipped
from executor.swaps.uniswap_v3 import UniswapV3
from executor.swaps.uniswap_v4 import UniswapV4
from executor.types import Call
from protocols.types import Token
from tests.executor.swaps.bench import (
    FAR,
    LAX,
    OWNER,
    RECIPIENT,
    SIDES,
    Bench,
    terms,
    venues_of,
    venues_once,
)

PAIRS = (("WETH", "USDC"), ("USDC", "WETH"), ("USDC", "WBTC"))
DOLLARS = {"WETH": 3_000, "USDC": 1, "WBTC": 60_000}
"""What one is worth, roughly: sizes are drawn in dollars."""
VENUES = ("v2", "v3", "v3-02", "v4", "balancer")


@pytest.fixture
def bench(world: World[Anvil]) -> Bench:
    world.node.fund([OWNER])
    return Bench(world)


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("side", SIDES)
def test_quote__any_size_one_pool_or_two__is_what_the_real_swap_gives(
    anvil: World[Anvil], name: str, side: Side
) -> None:
    """At a bound of the very quote: had the swap given one unit less, it would have reverted."""
    bench = Bench(anvil)
    venue = venues_of(anvil)[name]
    routes: list[tuple[Route, float]] = []
    for pair in PAIRS:
        question = bench.question(pair, side, 1)
        found, unknown = bench.run(find(question, [venue]))
        assert unknown == ()
        counted = question.token_in if side is Side.EXACT_IN else question.token_out
        unit = anvil.book.tokens[counted.symbol].unit
        routes += [(route, unit / DOLLARS[counted.symbol]) for route in found]
    assert {len(route.hops) for route, _ in routes} == {1, 2}
    swapped = [0] * len(routes)
    sizes = st.lists(st.floats(0, 6.5), min_size=len(routes), max_size=len(routes))

    @settings(max_examples=max(3, 16 // len(routes)), deadline=None, derandomize=True)
    @given(sizes)
    def agree(magnitudes: list[float]) -> None:
        for n, ((route, dollar), magnitude) in enumerate(zip(routes, magnitudes, strict=True)):
            amount = max(int(10**magnitude * dollar), 1)
            with anvil.node.rollback():
                anvil.node.fund([OWNER])
                quoted = bench.quote(route, side, amount)
                if isinstance(quoted, Unknown):
                    continue  # more than a pool holds, or too little to be paid anything
                swapped[n] += 1
                taken, paid = (amount, quoted) if side is Side.EXACT_IN else (quoted, amount)
                order = venue.order(Leg(route, taken, paid), terms(side, amount, quoted))
                assert bench.execute(order) == (taken, paid)
                assert bench.allowances(order.approval) == [0] * (1 + (name == "v4"))

    agree()
    assert all(swapped)


@pytest.mark.parametrize("side", SIDES)
def test_best__all_venues__splits_and_gets_what_was_quoted(bench: Bench, side: Side) -> None:
    amount = bench.world.amount(*(("WETH", 600) if side is Side.EXACT_IN else ("USDC", 1_500_000)))
    swap = bench.swap(bench.question(("WETH", "USDC"), side, amount), venues_once(bench))
    assert len(swap.legs) == 3
    single = swap.considered[0].amount
    assert isinstance(single, int)
    got = [bench.execute(order) for order in orders(swap, RECIPIENT, FAR)]
    assert got == [(leg.amount_in, leg.amount_out) for leg in swap.legs]
    if side is Side.EXACT_IN:
        assert swap.amount_in == amount
        assert swap.amount_out > single
    else:
        assert swap.amount_out == amount
        assert swap.amount_in < single
    assert 0 < swap.cost.bps < 1_000
    assert swap.unknown == ()
    assert {c.route.venue.name for c in swap.considered} == {
        "Uniswap v2", "Uniswap v3", "Uniswap v4", "Balancer v2"
    }  # fmt: skip


def test_best__routes_through_one_pool__are_not_split_between(bench: Bench) -> None:
    """Both of v3's routes end in its only pool of WBTC: their quotes do not add up."""
    amount = bench.world.amount("USDC", 3_000_000)
    asked = bench.question(("USDC", "WBTC"), Side.EXACT_IN, amount)
    right = venues_of(bench.world)
    swap = bench.swap(asked, [right["v3"]])
    assert len(swap.considered) >= 2
    assert len(swap.legs) == 1
    swap = bench.swap(asked, venues_once(bench))
    used = [hop.pool.id for leg in swap.legs for hop in leg.route.hops]
    assert len(swap.legs) == 3
    assert len(set(used)) == len(used)
    got = [bench.execute(order) for order in orders(swap, RECIPIENT, FAR)]
    assert got == [(leg.amount_in, leg.amount_out) for leg in swap.legs]


def test_best__all_venues__takes_three_requests(bench: Bench) -> None:
    asked = bench.question(("USDC", "WBTC"), Side.EXACT_IN, bench.world.amount("USDC", 900_000))
    node = bench.world.node
    with connect(ChainSpec("world", node.chain_id, (node.url,))) as client:
        snapshot = client.snapshot(client.head())
        snapshot.run(best_swap(asked, venues_once(bench), LAX, snapshot.at))
    assert snapshot.stats.posts <= 3


def test_best__one_pool_of_each_venue__is_near_the_best_of_a_grid(bench: Bench) -> None:
    """The grid is quoted by the venues too: twenty parts over every three of the routes."""
    amount, parts = bench.world.amount("WETH", 500), 20
    asked = bench.question(("WETH", "USDC"), Side.EXACT_IN, amount)
    swap = bench.swap(asked, venues_once(bench))
    routes = [one.route for one in swap.considered[:5]]
    sizes = [amount * n // parts for n in range(1, parts + 1)]
    quotes = bench.run(quote([(r, s) for r in routes for s in sizes], asked.side, OWNER))

    def paid(route: Route, n: int) -> int:
        quoted = quotes[route, sizes[n - 1]] if n else 0
        assert isinstance(quoted, int)
        return quoted

    best = max(
        paid(one, i) + paid(two, j) + paid(three, parts - i - j)
        for one, two, three in combinations(routes, 3)
        for i in range(parts + 1)
        for j in range(parts + 1 - i)
    )
    assert swap.amount_out >= best - best // 20_000


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("side", SIDES)
def test_bounds__the_price_moved_against_the_order__the_real_swap_reverts(
    bench: Bench, name: str, side: Side
) -> None:
    venue = venues_of(bench.world)[name]
    amount = bench.world.amount(*(("WETH", 5) if side is Side.EXACT_IN else ("USDC", 10_000)))
    swap = bench.swap(bench.question(("WETH", "USDC"), side, amount), [venue])
    (*_, order) = orders(swap, RECIPIENT, FAR)
    # Somebody sells the same token there first, so much that it costs more than the slippage.
    first = venue.order(
        Leg(order.leg.route, bench.world.amount("WETH", 60), 0),
        replace(terms(Side.EXACT_IN, bench.world.amount("WETH", 60), 1)),
    )
    bench.execute(first)
    with pytest.raises(Reverted):
        bench.execute(order)


@pytest.mark.parametrize("name", VENUES)
def test_deadline__passed__the_real_swap_reverts(bench: Bench, name: str) -> None:
    venue = venues_of(bench.world)[name]
    asked = bench.question(("WETH", "USDC"), Side.EXACT_IN, bench.world.amount("WETH", 1))
    swap = bench.swap(asked, [venue], replace(LAX, routes=1))
    (order,) = orders(swap, RECIPIENT, swap.at.timestamp + 60)
    bench.world.node.travel(3600)
    with pytest.raises(Reverted):
        bench.execute(order)


@pytest.mark.parametrize("name", VENUES)
def test_exact_out__what_is_left_of_the_allowance__is_revoked(bench: Bench, name: str) -> None:
    venue = venues_of(bench.world)[name]
    amount = bench.world.amount("USDC", 5_000)
    asked = bench.question(("WETH", "USDC"), Side.EXACT_OUT, amount)
    (order,) = orders(bench.swap(asked, [venue], replace(LAX, routes=1)), RECIPIENT, FAR)
    assert bench.execute(order) == (order.leg.amount_in, amount)
    assert all(left > 0 for left in bench.allowances(order.approval))
    for call in order.approval.revoke:
        bench.send(call)
    assert not any(bench.allowances(order.approval))


def test_pool__thin__is_refused_for_its_cost(bench: Bench) -> None:
    thin = replace(
        cast(UniswapV4, venues_of(bench.world)["v4"]), keys=((10000, 200, ZERO_ADDRESS),)
    )
    asked = bench.question(("WETH", "USDC"), Side.EXACT_IN, bench.world.amount("WETH", 10))
    refused = bench.best(asked, [thin], replace(LAX, max_cost_bps=200))
    assert isinstance(refused, NoSwap)
    assert refused.why is Why.TOO_DEAR
    assert refused.best is not None
    assert refused.best.cost.bps > 7_000


def test_pool__that_runs_dry__is_unknown_and_not_swapped_in_part(bench: Bench) -> None:
    """QuoterV2 itself answers with what a part of the amount gives."""
    venue = venues_of(bench.world)["v3"]
    asked = bench.question(("WETH", "USDC"), Side.EXACT_IN, 2**140)
    routes, _ = bench.run(find(asked, [venue]))
    direct = [route for route in routes if len(route.hops) == 1]
    quotes = [bench.quote(route, Side.EXACT_IN, 2**140) for route in direct]
    assert quotes == [Unknown("the pool does not hold enough")] * len(direct)


@pytest.mark.parametrize("side", SIDES)
def test_amount__more_than_pools_can_count__is_unknown(bench: Bench, side: Side) -> None:
    asked = bench.question(("WETH", "USDC"), side, 2**256 - 1)
    refused = bench.best(asked, venues_once(bench))
    assert isinstance(refused, NoSwap)
    assert refused.why is Why.NO_ROUTE
    assert all(isinstance(one.amount, Unknown) for one in refused.considered)


def test_token__that_hangs__is_unknown_where_it_is_moved_and_others_are_quoted(
    bench: Bench,
) -> None:
    page = bench.world.book["hostile"]["hanging"]
    hanging = Token(checksum(page["token"]), "HANG", 18)
    usdc = bench.token("USDC")
    price = replace(bench.price("USDC"), token=hanging.address)
    asked = Question(usdc, hanging, Side.EXACT_IN, 1_000 * 10**6, OWNER, bench.price("USDC"), price)
    venues = [venues_of(bench.world)[name] for name in ("v2", "v3")]
    quoted = bench.swap(asked, venues)
    assert all(isinstance(one.amount, int) for one in quoted.considered)
    bench.send(Call(hanging.address, 0, Function("arm()").encode()))
    armed = bench.swap(asked, venues)
    known = {c.route.venue.name: c.amount for c in armed.considered}
    assert isinstance(known["Uniswap v2"], int)  # its router asks no token
    assert isinstance(known["Uniswap v3"], Unknown)


def test_token__that_skims__reverts_at_the_bound(bench: Bench) -> None:
    page = bench.world.book["hostile"]["skimming"]
    skimming = Token(checksum(page["token"]), "SKIM", 18)
    price = replace(bench.price("USDC"), token=skimming.address)
    asked = Question(
        bench.token("USDC"), skimming, Side.EXACT_IN, 1_000 * 10**6, OWNER,
        bench.price("USDC"), price,
    )  # fmt: skip
    swap = bench.swap(asked, [venues_of(bench.world)["v2"]])
    (order,) = orders(swap, RECIPIENT, FAR)
    with pytest.raises(Reverted, match=b"INSUFFICIENT_OUTPUT_AMOUNT".hex()):
        bench.execute(order)


def test_venue__whose_helpers_are_of_another_root__is_unknown(bench: Bench) -> None:
    right = venues_of(bench.world)
    v3, v4 = cast(UniswapV3, right["v3"]), cast(UniswapV4, right["v4"])
    wrong: list[Venue] = [
        replace(v3, quoter=v4.quoter),
        replace(v3, router=v4.router),
        replace(v4, quoter=v3.quoter),
        replace(v4, router=v3.router),
        replace(cast(BalancerV2, right["balancer"]), pool_ids=("0x" + "12" * 32,)),
        replace(cast(BalancerV2, right["balancer"]), vault=v3.router),
    ]
    asked = bench.question(("WETH", "USDC"), Side.EXACT_IN, 10**18)
    for venue in wrong:
        refused = bench.best(asked, [venue])
        assert isinstance(refused, NoSwap)
        assert refused.unknown
    assert isinstance(bench.best(asked, [*wrong, right["v2"]]), Swap)


@pytest.mark.parametrize("recipient", ["0x" + "00" * 20, "0x" + "00" * 19 + "02"])
def test_orders__recipient_that_a_router_takes_for_another__is_refused(
    bench: Bench, recipient: str
) -> None:
    asked = bench.question(("WETH", "USDC"), Side.EXACT_IN, 10**18)
    swap = bench.swap(asked, [venues_of(bench.world)["v2"]])
    with pytest.raises(ValueError, match="no recipient"):
        orders(swap, checksum(recipient), FAR)
    with pytest.raises(ValueError, match="deadline"):
        orders(swap, RECIPIENT, swap.at.timestamp - 1)


def test_rows__universal_routers__are_those_of_their_own_package(anvil: World[Anvil]) -> None:
    names = {1: "mainnet", 10: "optimism", 137: "polygon", 8453: "base", 42161: "arbitrum"}
    published = anvil.book["uniswap-v4"]["published"]
    ours = {chain: v.router for chain, v in shipped() if isinstance(v, UniswapV4)}
    assert ours == {chain: checksum("0x" + published[name]) for chain, name in names.items()}


def test_rows__wrapped_coins__are_those_of_the_networks() -> None:
    for chain, venue in shipped():
        if isinstance(venue, UniswapV4):
            network = by_id(chain)
            assert network is not None
            assert venue.wrapped == network.native.wrapped
