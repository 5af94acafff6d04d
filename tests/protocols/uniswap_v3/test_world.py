"""Positions on Uniswap's own bytecode: to the wei."""

import random

import pytest
from world.actors import tokens, uniswap
from world.anvil import Anvil
from world.node import Bound
from world.world import World

from chain.calls import ReadFailed
from chain.types import Address
from protocols.types import Position, Side
from protocols.uniswap_v3 import UniswapV3
from tests.protocols.uniswap_v3 import setting
from tests.support import referee

POOL = "WETH/USDC/500"


def positions(world: World[Anvil], owners: list[Address]) -> list[Position]:
    """Read, and require that everything could be read."""
    found = [p for p in setting.read(world, owners).positions if isinstance(p, Position)]
    assert len(found) == len(setting.read(world, owners).positions)
    assert not [p.unknown for p in found if p.unknown]
    return found


def agree(world: World[Anvil], found: list[Position]) -> None:
    """Require that each position says what the contracts pay, to the wei."""
    for position in found:
        assert setting.said(position) == setting.pays(world, position), position.id


def test_read__random_positions_after_swaps__amounts_and_fees_are_what_an_exit_pays(
    world: World[Anvil],
) -> None:
    rng = random.Random(20_260_101)
    owners = setting.users(8, world)
    pools = {POOL: 110, "WETH/USDC/3000": 60, "USDC/USDT/100": 40}
    for pool, count in pools.items():
        setting.provide(world, rng, pool, owners, count)
    for pool in pools:
        setting.trade(world, rng, pool, 8)
    found = positions(world, owners)
    assert len(found) == sum(pools.values())
    agree(world, found)

    _take_parts_out(world, rng, found)
    for pool in pools:
        setting.trade(world, rng, pool, 4)
    found = positions(world, owners)
    assert len(found) >= 200
    agree(world, found)

    states = [setting.state_of(p) for p in found]
    for place in (
        [s for s in states if s.in_range],
        [s for s in states if s.tick < s.tick_lower],
        [s for s in states if s.tick >= s.tick_upper],
        [s for s in states if s.liquidity == 0],
    ):
        assert len(place) >= 5
    fees = [leg.amount for p in found for leg in p.legs if leg.side is Side.FEE]
    assert sum(fee > 0 for fee in fees) > 100


def _take_parts_out(world: World[Anvil], rng: random.Random, found: list[Position]) -> None:
    """Decrease some, some to nothing, collect from some; closed ones are positions no more."""
    txs = []
    for position in found:
        state = setting.state_of(position)
        match rng.randrange(6):
            case 0:
                part = rng.randrange(1, state.liquidity + 1)
                txs.append(uniswap.decrease_tx(world, position.owner, state.token_id, part))
            case 1 if rng.random() < 0.4:
                whole = state.liquidity
                txs.append(uniswap.decrease_tx(world, position.owner, state.token_id, whole))
            case 2:
                txs.append(uniswap.collect_tx(world, position.owner, state.token_id))
    world.node.send_many(txs)


def test_read__real_exit__pays_what_was_said_and_leaves_no_position(world: World[Anvil]) -> None:
    rng = random.Random(7)
    owners = setting.users(2, world)
    setting.provide(world, rng, POOL, owners, 12)
    setting.trade(world, rng, POOL, 5)
    for n, position in enumerate(positions(world, owners)):
        (now,) = [p for p in positions(world, [position.owner]) if p.id == position.id]
        state, owner = setting.state_of(now), now.owner
        symbols = setting.pool_of(world, POOL).key[:2]
        before = [tokens.balance(world, symbol, owner) for symbol in symbols]
        world.node.send(uniswap.decrease_tx(world, owner, state.token_id, state.liquidity))
        world.node.send(uniswap.collect_tx(world, owner, state.token_id))
        after = [tokens.balance(world, symbol, owner) for symbol in symbols]
        assert (after[0] - before[0], after[1] - before[1]) == setting.said(now)[1], n
    assert setting.read(world, owners).positions == ()


def test_read__fee_growth_wraps__fees_stay_exact(world: World[Anvil]) -> None:
    owner, pool = setting.users(1, world)[0], _new_pool(world)
    # The pool keeps its two fee growths in slots 1 and 2; so close to 2^256, any fee wraps them.
    for slot in (1, 2):
        world.node.set_storage(pool.address, slot, 2**256 - 2**70 * slot)
    rng = random.Random(3)
    for lower, upper in ((-600, 600), (-60, 60), (60, 600), (-1200, -60)):
        setting.mint(world, NEW_POOL, owner, lower, upper, (10**20, 10**20))
    for sell in ("LINK", "AAVE", "AAVE", "LINK"):
        setting.swap(world, NEW_POOL, owner, sell, 10 * rng.random() + 1)
    growth = (pool.call("feeGrowthGlobal0X128"), pool.call("feeGrowthGlobal1X128"))
    assert max(growth) < 2**200, "the growths did not wrap"
    found = positions(world, [owner])
    agree(world, found)
    assert all(min(leg.amount for leg in p.legs[2:]) > 0 for p in found[:2])


NEW_POOL = "LINK/AAVE/3000"


def _new_pool(world: World[Anvil]) -> Bound:
    """Make a pool of equal amounts, and put it into the book for the actors."""
    symbols = setting.pool_of(world, NEW_POOL).key[:2]
    addresses = [world.book.tokens[symbol].address for symbol in symbols]
    manager = uniswap.manager(world)
    manager.send(world.book.admin, "createAndInitializePoolIfNecessary", *addresses, 3000, 2**96)
    return setting.contract(world, NEW_POOL)


def test_read__two_nfts_share_a_range__the_manager_pays_only_what_it_has(
    world: World[Anvil],
) -> None:
    alice, bob = setting.users(2, world)
    tick = setting.tick_of(world, POOL) // 10 * 10
    for owner, size in ((alice, 10**12), (bob, 10**9)):
        setting.mint(world, POOL, owner, tick - 100, tick + 100, (size * 10**6, size))
    (bobs,) = positions(world, [bob])
    token = setting.state_of(bobs).token_id
    # Each touch rounds the range's fees down in the pool, and the NFTs' share of it too, but
    # not by the same dust: in the end the pool may owe the manager less than the NFTs are due.
    for n in range(30):
        setting.swap(world, POOL, alice, "USDC", 0.000_9 + n / 10**6)
        world.node.send(uniswap.decrease_tx(world, bob, token, 1))
    agree(world, positions(world, [alice, bob]))


def test_read__more_nfts_than_asked_for_at_first__finds_all_in_one_more_round(
    world: World[Anvil],
) -> None:
    owner = setting.users(1, world)[0]
    tick = setting.tick_of(world, POOL) // 10 * 10
    txs = [
        tx
        for n in range(67)
        for tx in setting.mint_txs(
            world, POOL, owner, tick - 10 * n - 10, tick + 10, (10**12, 10**6)
        )
    ]
    setting.send(world, txs)
    rpc = world.node.rpc
    at = referee.head(rpc)
    reading, recording = referee.record(
        UniswapV3().read(setting.market(world), [owner], at), rpc, at
    )
    assert len(reading.positions) == 67
    assert len(recording.rounds) == 4


def test_read__empty_nft__is_no_position(world: World[Anvil]) -> None:
    owner = setting.users(1, world)[0]
    tick = setting.tick_of(world, POOL) // 10 * 10
    token = setting.mint(world, POOL, owner, tick, tick + 10, (10**18, 10**12))
    (position,) = positions(world, [owner])
    state = setting.state_of(position)
    world.node.send(uniswap.decrease_tx(world, owner, token, state.liquidity))
    assert len(positions(world, [owner])) == 1, "what is owed is still there"
    world.node.send(uniswap.collect_tx(world, owner, token))
    assert setting.read(world, [owner]).positions == ()


def test_read__twap__is_what_the_pool_observes(world: World[Anvil]) -> None:
    owner = setting.users(1, world)[0]
    tick = setting.tick_of(world, POOL) // 10 * 10
    setting.mint(world, POOL, owner, tick - 100, tick + 100, (10**18, 10**10))
    setting.swap(world, POOL, owner, "WETH", 50.0)
    world.node.travel(600)
    (position,) = positions(world, [owner])
    check = setting.state_of(position).twap
    assert check is not None
    then, now = setting.contract(world, POOL).call("observe", [1800, 0])[0]
    assert check.tick == (now - then) // 1800
    assert check.tick != setting.state_of(position).tick


def test_read__address_without_a_manager__is_a_cause(world: World[Anvil]) -> None:
    market = setting.market(world)
    wrong = type(market)(market.adapter, market.name, Address(world.book.admin), {})
    rpc = world.node.rpc
    at = referee.head(rpc)
    with pytest.raises(
        ReadFailed, match=r"no position manager at 0x.*: no contract at that address"
    ):
        referee.run(UniswapV3().read(wrong, [], at), rpc, at)
