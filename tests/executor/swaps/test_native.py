"""Uniswap v4 pools of the native coin, swapped as if they held the wrapped one."""

from dataclasses import replace
from math import isqrt

import pytest
from eth_abi.abi import encode
from world.actors import feeds
from world.actors import tokens as purse
from world.anvil import Anvil
from world.recipes.uniswap_v3 import MAX_TICK, SPACING
from world.world import World

from chain.calls import Unknown
from chain.types import ZERO_ADDRESS
from executor.swaps import Leg, Side
from executor.swaps.routes import find
from tests.executor.swaps.bench import FAR, OWNER, SIDES, Bench, terms, venues_of

MINT_POSITION, SETTLE_PAIR, SWEEP = b"\x02", b"\x0d", b"\x14"
KEY = "(address,address,uint24,int24,address)"


@pytest.fixture
def bench(world: World[Anvil]) -> Bench:
    world.node.fund([OWNER])
    return Bench(world)


def pool(world: World[Anvil], a: str, b: str, fee: int, whole: float) -> None:
    """Make a v4 pool at the feeds' prices; `a` may be ETH, the native coin."""
    book = world.book
    price = {x: feeds.price(world, "WETH" if x == "ETH" else x) for x in (a, b)}
    address = {x: ZERO_ADDRESS if x == "ETH" else book.tokens[x].address for x in (a, b)}
    amounts = {a: whole, b: whole * price[a] / price[b]}
    units = {x: 10**18 if x == "ETH" else book.tokens[x].unit for x in (a, b)}
    order = sorted((a, b), key=lambda x: int(address[x], 16))
    raw = [round(amounts[x] * units[x]) for x in order]
    key = (*(address[x] for x in order), fee, SPACING[fee], ZERO_ADDRESS)
    manager = world.contract("uniswap-v4/PositionManager", book["uniswap-v4"]["position_manager"])
    permit2 = world.contract("uniswap-v4/Permit2", book["uniswap-v4"]["permit2"])
    manager.send(book.admin, "initializePool", key, isqrt((raw[1] << 192) // raw[0]))
    for x, amount in zip(order, raw, strict=True):
        if x != "ETH":
            purse.mint(world, x, book.whale, amount * 2)
            purse.approve(world, x, book.whale, permit2.address)
            given = (address[x], manager.address, 2**160 - 1, FAR)
            permit2.send(book.whale, "approve", *given)
    widest = MAX_TICK // SPACING[fee] * SPACING[fee]
    kinds = [KEY, "int24", "int24", "uint256", "uint128", "uint128", "address", "bytes"]
    size = isqrt(raw[0] * raw[1])
    steps = [
        encode(kinds, [key, -widest, widest, size, 2**127, 2**127, book.whale, b""]),
        encode(["address", "address"], key[:2]),
        encode(["address", "address"], [ZERO_ADDRESS, book.whale]),
    ]
    plan = encode(["bytes", "bytes[]"], [MINT_POSITION + SETTLE_PAIR + SWEEP, steps])
    value = raw[0] * 2 if order[0] == "ETH" else 0
    manager.send(book.whale, "modifyLiquidities", plan, FAR, value=value)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("pair", "via"),
    [
        (("WETH", "USDC"), None),
        (("USDC", "WETH"), None),
        (("USDC", "WBTC"), "WETH"),
        (("WETH", "USDC"), "WBTC"),
        (("USDC", "WETH"), "WBTC"),
    ],
    ids=["in", "out", "between", "in-two", "out-two"],
)
def test_native_pool__as_the_wrapped_coins__is_quoted_and_swapped_to_the_wei(
    bench: Bench, side: Side, pair: tuple[str, str], via: str | None
) -> None:
    world = bench.world
    pool(world, "ETH", "USDC", 500, 5_000)
    pool(world, "ETH", "WBTC", 3000, 2_000)
    pool(world, "WBTC", "USDC", 500, 100)
    venue = venues_of(world)["v4"]
    amount = world.amount(pair[0 if side is Side.EXACT_IN else 1], 0.25)
    asked = bench.question(pair, side, amount)
    if via is not None:
        asked = replace(asked, via=(bench.token(via).address,))
    routes, _ = bench.run(find(asked, [venue]))
    hops = 1 if via is None else 2
    chosen = [r for r in routes if len(r.hops) == hops and any(h.pool.native for h in r.hops)]
    swapped = mixed = 0
    for route in chosen:
        quoted = bench.quote(route, side, amount)
        if via == "WETH" and len({hop.pool.native for hop in route.hops}) == 2:
            # The router cannot wrap between two pools: these two are no route.
            assert quoted == Unknown("one pool holds the native coin, the other one the wrapped")
            mixed += 1
            continue
        assert not isinstance(quoted, Unknown)
        swapped += 1
        taken, paid = (amount, quoted) if side is Side.EXACT_IN else (quoted, amount)
        # Exact-out may take one unit more, which the router then gives back.
        bound = quoted if side is Side.EXACT_IN else quoted + 1
        order = venue.order(Leg(route, taken, paid), terms(side, amount, bound))
        assert bench.execute(order) == (taken, paid)
        router = order.call.to
        assert int(world.node.rpc.request("eth_getBalance", router, "latest"), 16) == 0
        assert bench.held(bench.token("WETH").address, router) == 0
    assert swapped
    assert bool(mixed) == (via == "WETH")
