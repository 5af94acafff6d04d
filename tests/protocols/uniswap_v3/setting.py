"""Random liquidity on the world's real pools, which are named `WETH/USDC/500`."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from world.actors import uniswap
from world.anvil import Anvil
from world.node import Bound, Tx
from world.world import World, actor

from chain.types import Address, checksum
from protocols.adapter import Market
from protocols.types import Position, Reading
from protocols.uniswap_v3 import UniswapV3, UniswapV3State
from tests.support import referee

SPACING = {100: 1, 500: 10, 3000: 60}
Pair = tuple[int, int]


@dataclass(frozen=True)
class Pool:
    """A pool's symbols in its own order, and its fee."""

    token0: str
    token1: str
    fee: int

    @property
    def key(self) -> tuple[str, str, int]:
        """What names the pool to the actors."""
        return self.token0, self.token1, self.fee


def pool_of(world: World[Anvil], name: str) -> Pool:
    """Return a pool by its name."""
    a, b, fee = name.split("/")
    return Pool(*uniswap.in_order(world, a, b), int(fee))


def contract(world: World[Anvil], name: str) -> Bound:
    """Return a pool's contract."""
    return uniswap.pool(world, *pool_of(world, name).key)


def market(world: World[Anvil]) -> Market:
    """Return the world's Uniswap v3."""
    root = checksum(world.book["uniswap-v3"]["position_manager"])
    return Market("uniswap-v3", "Uniswap v3", root, {})


def read(world: World[Anvil], accounts: Sequence[Address]) -> Reading:
    """Read by single calls at the head."""
    rpc = world.node.rpc
    at = referee.head(rpc)
    return referee.run(UniswapV3().read(market(world), accounts, at), rpc, at)


def tick_of(world: World[Anvil], name: str) -> int:
    """Return a pool's tick."""
    tick: int = contract(world, name).call("slot0")[1]
    return tick


def users(count: int, world: World[Anvil]) -> list[Address]:
    """Return funded accounts."""
    found = [Address(actor(f"provider {n}")) for n in range(count)]
    world.node.fund(found)
    return found


def mint_txs(
    world: World[Anvil], name: str, user: str, lower: int, upper: int, amounts: Pair
) -> list[Tx]:
    """Provide at most so much of token0 and token1 in a range."""
    return uniswap.mint_position_txs(world, user, *pool_of(world, name).key, lower, upper, *amounts)


def mint(world: World[Anvil], name: str, user: str, lower: int, upper: int, amounts: Pair) -> int:
    """Provide liquidity, and return the NFT's id."""
    return uniswap.mint(world, user, *pool_of(world, name).key, lower, upper, *amounts)


def swap(world: World[Anvil], name: str, user: str, sell: str, whole: float) -> None:
    """Swap so many whole tokens."""
    pool = pool_of(world, name)
    buy = pool.token1 if sell == pool.token0 else pool.token0
    uniswap.swap(world, user, sell, buy, pool.fee, world.amount(sell, whole))


def send(world: World[Anvil], txs: Sequence[Tx]) -> None:
    """Send the admin's gifts first, then what the users do with them."""
    world.node.send_many(tx for tx in txs if tx.sender == world.book.admin)
    world.node.send_many(tx for tx in txs if tx.sender != world.book.admin)


def random_range(rng: random.Random, tick: int, spacing: int) -> Pair:
    """Return a range below, around or above a tick, from one spacing to thousands wide."""
    width = spacing * rng.choice([1, 2, 5, 20, 100, 500])
    centre = tick + rng.choice([0, 0, 0, -width, width, -3 * width, 3 * width])
    lower = (centre - rng.randrange(width + 1)) // spacing * spacing
    return lower, lower + width


def provide(
    world: World[Anvil], rng: random.Random, name: str, owners: Sequence[Address], count: int
) -> None:
    """Mint random positions; every fifth repeats a range, so that NFTs share it."""
    pool = pool_of(world, name)
    tick, spacing = tick_of(world, name), SPACING[pool.fee]
    units = [world.book.tokens[symbol].unit for symbol in (pool.token0, pool.token1)]
    ranges: list[Pair] = []
    txs: list[Tx] = []
    for n in range(count):
        if n % 5 or not ranges:
            ranges.append(random_range(rng, tick, spacing))
        lower, upper = ranges[-1] if n % 5 else rng.choice(ranges)
        size = 10 ** rng.uniform(-2, 4)
        amounts = (int(units[0] * size), int(units[1] * size))
        txs += mint_txs(world, name, rng.choice(owners), lower, upper, amounts)
    send(world, txs)


def trade(world: World[Anvil], rng: random.Random, name: str, count: int) -> None:
    """Swap to and fro, by amounts that cross ticks, and let time pass."""
    trader, pool = users(1, world)[0], pool_of(world, name)
    for _ in range(count):
        sell = rng.choice([pool.token0, pool.token1])
        units = {"WETH": 300.0, "USDC": 900_000.0, "USDT": 900_000.0}[sell]
        swap(world, name, trader, sell, units * rng.random())
        world.node.travel(rng.randrange(1, 900))


def state_of(position: Position) -> UniswapV3State:
    """Return the state that every liquidity position has."""
    assert isinstance(position.state, UniswapV3State)
    return position.state


def said(position: Position) -> tuple[Pair, Pair]:
    """Return (liquidity alone, with fees) per token, as the position says."""
    amount0, amount1, fee0, fee1 = (leg.amount for leg in position.legs)
    return (amount0, amount1), (amount0 + fee0, amount1 + fee1)


def pays(world: World[Anvil], position: Position) -> tuple[Pair, Pair]:
    """Return what burning all liquidity and then collecting pays, run as one call at its block."""
    bound, state, owner = uniswap.manager(world), state_of(position), position.owner
    steps = [uniswap.collect_tx(world, owner, state.token_id)]
    if state.liquidity:
        steps.insert(0, uniswap.decrease_tx(world, owner, state.token_id, state.liquidity))
    multicall, at = bound.interface["multicall"], {"blockHash": position.at.hash}
    data = multicall.encode([bytes.fromhex(step.data[2:]) for step in steps])
    answers = multicall.decode(world.node.call(bound.address, data, at, sender=owner))
    pairs = [bound.interface["collect"].decode("0x" + answer.hex()) for answer in answers]
    return (pairs[0] if state.liquidity else (0, 0)), pairs[-1]
