"""What real pools say, now and as far back as they remember."""

from dataclasses import replace

import pytest
from world.actors import uniswap
from world.anvil import Anvil
from world.world import World

from chain.calls import Ok, Read, ReadFailed, Result, Unknown
from chain.types import checksum
from protocols.prices import pools
from protocols.prices.configured import DECIMALS, TOKEN0, TOKEN1
from protocols.prices.pools import Observations, read_observations, read_quotes
from protocols.prices.twap import OBSERVE
from tests.protocols.prices.build import AT, NO, NOW, address, words
from tests.protocols.uniswap_v3 import setting
from tests.support import referee

POOL = address(0xAB)
NAME = "WETH/USDC/500"


def grown(world: World[Anvil], steps: int, wait: int) -> None:
    """Let a pool remember, and trade in it for some time."""
    user = setting.users(1, world)[0]
    tick = setting.tick_of(world, NAME) // 10 * 10
    setting.mint(world, NAME, user, tick - 2000, tick + 2000, (10**14, 10**20))
    setting.contract(world, NAME).send(user, "increaseObservationCardinalityNext", steps + 2)
    for i in range(steps):
        world.node.travel(wait)
        sold, amount = ("WETH", 10**17) if i % 3 else ("USDC", 10**9)
        bought = "USDC" if sold == "WETH" else "WETH"
        uniswap.swap(world, user, sold, bought, 500, amount)
    world.node.travel(100)


def test_read_observations__real_pool__are_the_means_it_would_give_then(
    world: World[Anvil],
) -> None:
    grown(world, 12, 700)
    rpc = world.node.rpc
    at = referee.head(rpc)
    pool = checksum(world.book["uniswap-v3"]["pools"][NAME])
    found = referee.run(read_observations(pool, at, 600, 0), rpc, at)
    assert len(found.ends) >= 12
    assert all(
        b - a == 600 and a % 600 == 0 for a, b in zip(found.ends, found.ends[1:], strict=False)
    )
    assert found.ends[-1] <= at.timestamp
    assert len(set(found.ticks)) > 5
    bound = setting.contract(world, NAME)
    for end, tick in zip(found.ends, found.ticks, strict=True):
        ago = at.timestamp - end
        then, now = bound.call("observe", [ago + 600, ago])[0]
        assert tick == (now - then) // 600
    since = found.ends[4]
    later = referee.run(read_observations(pool, at, 600, since), rpc, at)
    assert later == replace(found, ends=found.ends[5:], ticks=found.ticks[5:])


def test_read_quotes__real_factory__every_pool_with_an_opinion(world: World[Anvil]) -> None:
    grown(world, 4, 900)
    rpc = world.node.rpc
    at = referee.head(rpc)
    book = world.book
    tokens = [
        (checksum(book.tokens[symbol].address), book.tokens[symbol].decimals or 0)
        for symbol in ("WETH", "USDC", "DAI", "LINK")
    ]
    factory = checksum(book["uniswap-v3"]["factory"])
    found = referee.run(read_quotes(factory, tokens), rpc, at)
    pool = checksum(book["uniswap-v3"]["pools"][NAME])
    quote = next(q for q in found if q.check.pool == pool)
    slot0 = setting.contract(world, NAME).call("slot0")
    assert (quote.spot_tick, quote.fee) == (slot0[1], 500)
    side0, side1 = (dict(tokens)[t] for t in (quote.check.token0, quote.check.token1))
    assert (quote.check.decimals0, quote.check.decimals1) == (side0, side1)
    price = float(quote.check.ratio)
    assert 2_000 < max(price, 1 / price) < 4_000
    assert quote.check.depth1 > 0


def run(answers: dict[Read, Result], since: int = 0) -> Observations:
    """Run on a dictionary."""
    return referee.drive(
        read_observations(POOL, AT, 60, since),
        lambda batch: [answers.get(read, NO) for read in batch],
    )


def pool(cardinality: int, oldest: int, *, initialised: bool = True) -> dict[Read, Result]:
    """Return what a pool answers whose ring began at `oldest`."""
    return {
        pools.SLOT0.at(POOL): words(2**96, 0, 0, cardinality, cardinality, 0, 1),
        DECIMALS.at(TOKEN0.pointer(POOL)): words(18),
        DECIMALS.at(TOKEN1.pointer(POOL)): words(6),
        pools.OBSERVATION.at(POOL, 1 % max(cardinality, 1)): words(oldest, 0, 0, int(initialised)),
        pools.OBSERVATION.at(POOL, 0): words(oldest, 0, 0, 1),
    }


@pytest.mark.parametrize("given", [pool(0, NOW), pool(5, NOW - 30)])
def test_read_observations__nothing_remembered__fails_and_says_so(
    given: dict[Read, Result],
) -> None:
    with pytest.raises(ReadFailed, match="observations: the pool"):
        run(given)


def test_read_observations__ring_not_full__begins_at_its_first() -> None:
    last = NOW // 60 * 60
    observe = OBSERVE.at(POOL, [NOW - t for t in (last - 60, last)])
    answer = words(64, 160, 2, 0, 600, 2, 0, 0)
    given = pool(9, 0, initialised=False) | {
        pools.OBSERVATION.at(POOL, 0): words(last - 60, 0, 0, 1),
        observe: answer,
    }
    found = run(given)
    assert (found.ends, found.ticks) == ((last,), (10,))


@pytest.mark.parametrize("bad", [Unknown("down"), Ok(b""), words(64, 128, 1, 0, 1, 0)])
def test_read_observations__a_batch_not_answered__fails(bad: Result) -> None:
    last = NOW // 60 * 60
    observe = OBSERVE.at(POOL, [NOW - t for t in (last - 60, last)])
    with pytest.raises(ReadFailed):
        run(pool(5, last - 60) | {observe: bad})


def test_read_quotes__factory_not_learned__fails() -> None:
    program = read_quotes(address(1), [(address(2), 18), (address(3), 6)])
    with pytest.raises(ReadFailed, match="getPool"):
        referee.drive(program, lambda batch: [Unknown("down")] * len(batch))
