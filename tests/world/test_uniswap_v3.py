"""Uniswap v3 pools stand at the feeds' prices, remember, and pay what the contracts promise."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from world.actors import feeds, tokens, uniswap
from world.anvil import Anvil
from world.node import Reverted
from world.world import World, actor

POOLS = (
    ("WETH", "USDC", 3000),
    ("WETH", "USDC", 500),
    ("wstETH", "WETH", 500),
    ("WBTC", "WETH", 3000),
    ("LINK", "WETH", 10000),
    ("USDC", "USDT", 100),
)
HALF_HOUR = 30 * 60
# The hash of the pool's creation code that the position manager and the routers compute with.
INIT_CODE_HASH = "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"


def test_pools__the_book_and_this_file__name_the_same(world: World[Anvil]) -> None:
    assert set(world.book["uniswap-v3"]["pools"]) == {f"{a}/{b}/{fee}" for a, b, fee in POOLS}
    for a, b, fee in POOLS:
        named = world.book["uniswap-v3"]["pools"][f"{a}/{b}/{fee}"]
        assert uniswap.pool(world, b, a, fee).address == named.lower()


@pytest.mark.parametrize(("a", "b", "fee"), POOLS)
def test_pool__address__follows_from_the_canonical_creation_code(
    world: World[Anvil], a: str, b: str, fee: int
) -> None:
    pair = [world.book.tokens[symbol].address for symbol in uniswap.in_order(world, a, b)]
    salt = keccak(encode(["address", "address", "uint24"], [*pair, fee]))
    factory = bytes.fromhex(world.book["uniswap-v3"]["factory"][2:])
    made = keccak(b"\xff" + factory + salt + bytes.fromhex(INIT_CODE_HASH))[-20:]
    assert uniswap.pool(world, a, b, fee).address == "0x" + made.hex()


@pytest.mark.parametrize(("a", "b", "fee"), POOLS)
def test_pool__price__is_the_feeds_quotient(world: World[Anvil], a: str, b: str, fee: int) -> None:
    first, second = (world.book.tokens[symbol] for symbol in uniswap.in_order(world, a, b))
    sqrt_price, _ = uniswap.sqrt_price_and_tick(world, a, b, fee)
    pool_price = sqrt_price**2 / 2**192 * first.unit / second.unit
    fed = feeds.price(world, first.symbol) / feeds.price(world, second.symbol)
    assert pool_price == pytest.approx(fed, rel=1e-6)


@pytest.mark.parametrize(("a", "b", "fee"), POOLS)
def test_pool__swap_history__left_fees_on_both_sides_and_crossed_ticks(
    world: World[Anvil], a: str, b: str, fee: int
) -> None:
    pool = uniswap.pool(world, a, b, fee)
    assert pool.call("feeGrowthGlobal0X128") > 0
    assert pool.call("feeGrowthGlobal1X128") > 0
    # The narrow range is the whale's second position of the pool; swaps went through its ends.
    manager = uniswap.manager(world)
    held = [
        uniswap.position(world, manager.call("tokenOfOwnerByIndex", world.book.whale, index))
        for index in range(manager.call("balanceOf", world.book.whale))
    ]
    pair = [world.book.tokens[symbol].address for symbol in uniswap.in_order(world, a, b)]
    narrow = [
        position
        for position in held
        if [position.token0, position.token1, position.fee] == [*map(str.lower, pair), fee]
    ][1]
    outside = [pool.call("ticks", tick)[2:4] for tick in (narrow.lower, narrow.upper)]
    assert all(any(growth) for growth in outside)


def test_pool__half_an_hour_ago__is_remembered(world: World[Anvil]) -> None:
    pool = uniswap.pool(world, "WETH", "USDC", 3000)
    _, tick, index, cardinality, *_ = pool.call("slot0")
    assert cardinality >= 10
    written = [pool.call("observations", slot) for slot in range(index + 1)]
    assert len(written) >= 10
    assert all(initialized for *_, initialized in written)
    times = [observed for observed, *_ in written]
    assert times[-1] - times[0] >= HALF_HOUR
    (then, now), _ = pool.call("observe", [HALF_HOUR, 0])
    assert (now - then) // HALF_HOUR == tick


def test_swap__real_one__pays_the_quote_and_moves_the_mean_price(world: World[Anvil]) -> None:
    user = actor("swapper")
    world.node.fund([user])
    pool = uniswap.pool(world, "WETH", "USDC", 3000)
    _, before = uniswap.sqrt_price_and_tick(world, "WETH", "USDC", 3000)
    amount = world.amount("WETH", 500)
    quoted = uniswap.quote(world, "WETH", "USDC", 3000, amount)
    assert uniswap.swap(world, user, "WETH", "USDC", 3000, amount) == quoted
    assert tokens.balance(world, "USDC", user) == quoted
    _, after = uniswap.sqrt_price_and_tick(world, "WETH", "USDC", 3000)
    world.node.travel(HALF_HOUR // 2)
    (then, now), _ = pool.call("observe", [HALF_HOUR, 0])
    low, high = sorted((before, after))
    assert low < (now - then) // HALF_HOUR < high


@pytest.mark.parametrize(("lower", "upper"), [(-196500, -196000), (-195960, -195480)])
def test_position__in_and_out_of_range__leaves_with_what_was_previewed(
    world: World[Anvil], lower: int, upper: int
) -> None:
    user, trader = actor("provider"), actor("trader")
    world.node.fund([user, trader])
    lower, upper = lower // 60 * 60, upper // 60 * 60
    first, second = uniswap.in_order(world, "WETH", "USDC")
    amounts = (world.amount(first, 50), world.amount(second, 150_000))
    token_id = uniswap.mint(world, user, first, second, 3000, lower, upper, *amounts)
    assert uniswap.manager(world).call("ownerOf", token_id) == user.lower()
    held = uniswap.position(world, token_id)
    assert (held.lower, held.upper) == (lower, upper)
    assert held.liquidity > 0

    sold = uniswap.swap(world, trader, "USDC", "WETH", 3000, world.amount("USDC", 900_000))
    uniswap.swap(world, trader, "WETH", "USDC", 3000, sold)
    fees = uniswap.preview_collect(world, user, token_id)
    assert all(fee > 0 for fee in fees)
    pays = uniswap.preview_exit(world, user, token_id)
    assert all(paid >= fee for paid, fee in zip(pays, fees, strict=True))

    uniswap.decrease_liquidity(world, user, token_id, held.liquidity)
    assert uniswap.collect(world, user, token_id) == pays
    assert uniswap.preview_exit(world, user, token_id) == (0, 0)


def test_mint__tokens_out_of_order__is_refused(world: World[Anvil]) -> None:
    first, second = uniswap.in_order(world, "WETH", "USDC")
    with pytest.raises(ValueError, match="mind the ticks"):
        uniswap.mint(world, actor("provider"), second, first, 3000, -60, 60, 1, 1)


def test_decrease__of_another_ones_position__reverts(world: World[Anvil]) -> None:
    token_id = uniswap.manager(world).call("tokenOfOwnerByIndex", world.book.whale, 0)
    stranger = actor("stranger")
    world.node.fund([stranger])
    with pytest.raises(Reverted, match="Not approved"):
        uniswap.decrease_liquidity(world, stranger, token_id, 1)
