"""Read what Uniswap v3 pools say of prices: now, on average, and as far back as they remember.

Reads of `read_quotes`, two rounds: `getPool` of the factory for every pair and fee; then of each
pool `slot0`, `liquidity`, `observe`. Of `read_observations`, three: `slot0`, `token0`, `token1`
with their decimals; the oldest observation; `observe` in batches.
Scales: 1.0001^tick base units of token1 per base unit of token0.
Rounds: mean ticks round to −∞, as the pool's own library does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final

from chain.abi import Function
from chain.calls import ReadFailed, Reads, Result, Unknown
from chain.types import Address, BlockRef
from protocols.prices.configured import DECIMALS, TOKEN0, TOKEN1
from protocols.prices.twap import OBSERVE, WINDOW_S, PoolCheck, mean_tick

FACTORY: Final = Function("factory()(address)")
GET_POOL: Final = Function("getPool(address,address,uint24)(address)")
SLOT0: Final = Function("slot0()(uint160,int24,uint16,uint16,uint16,uint32,bool)")
LIQUIDITY: Final = Function("liquidity()(uint128)")
OBSERVATION: Final = Function("observations(uint256)(uint32,int56,uint160,bool)")
FEES: Final = (100, 500, 3_000, 10_000)
MOST_POINTS: Final = 2_000
BATCH: Final = 50
"""Points per `observe`: each costs the node a search."""


@dataclass(frozen=True, slots=True)
class PoolQuote:
    """A pool's opinion, on average and at this instant."""

    check: PoolCheck
    spot_tick: int
    fee: int


@dataclass(frozen=True, slots=True)
class Observations:
    """Mean ticks of one pool over consecutive steps."""

    pool: Address
    step_s: int
    ends: tuple[int, ...]
    """When each step ended, increasing: its mean was not known before."""
    ticks: tuple[int, ...]
    decimals0: int
    decimals1: int


def read_quotes(
    factory: Address, tokens: Sequence[tuple[Address, int]], window_s: int = WINDOW_S
) -> Reads[tuple[PoolQuote, ...]]:
    """Return the pools between any two of some tokens (address, decimals) that have an answer.

    A pool that is too young to average over the window, or empty, says nothing. Raises
    `ReadFailed` where the factory itself did not answer.
    """
    scales = dict(tokens)
    sides = sorted(scales, key=lambda token: int(token, 16))
    keys = [(a, b, fee) for a, b in combinations(sides, 2) for fee in FEES]
    named = yield [GET_POOL.at(factory, *key) for key in keys]
    pools = [
        (key, address)
        for key, result in zip(keys, named, strict=True)
        if int(address := GET_POOL.decode(result), 16)
    ]
    results = yield [
        read
        for _, pool in pools
        for read in (SLOT0.at(pool), LIQUIDITY.at(pool), OBSERVE.at(pool, [window_s, 0]))
    ]
    found = []
    for i, ((token0, token1, fee), pool) in enumerate(pools):
        answered = _answers(results[3 * i : 3 * i + 3])
        if answered is None:
            continue
        (root, tick, *_), liquidity, (cumulatives, _) = answered
        check = PoolCheck(
            pool=pool,
            token0=token0,
            token1=token1,
            tick=mean_tick(cumulatives, window_s),
            window_s=window_s,
            decimals0=scales[token0],
            decimals1=scales[token1],
            depth1=liquidity * root // 2**96 // 200,  # of 1 % in price, half in its root
        )
        found.append(PoolQuote(check, tick, fee))
    return tuple(found)


def _answers(
    results: Sequence[Result],
) -> tuple[tuple[int, ...], int, tuple[tuple[int, ...], ...]] | None:
    slot0, liquidity, observed = (
        function.known(result)
        for function, result in zip((SLOT0, LIQUIDITY, OBSERVE), results, strict=True)
    )
    for value in (slot0, liquidity, observed):
        if isinstance(value, Unknown):
            return None
    return slot0, liquidity, observed


def read_observations(
    pool: Address, at: BlockRef, step_s: int, since: int, most: int = MOST_POINTS
) -> Reads[Observations]:
    """Return the mean tick of every step that the pool still remembers, no earlier than `since`.

    Steps end at multiples of `step_s`. Raises `ReadFailed`, also where the pool remembers less
    than one step: anyone may pay to make it remember more.
    """
    results = yield [
        SLOT0.at(pool),
        DECIMALS.at(TOKEN0.pointer(pool)),
        DECIMALS.at(TOKEN1.pointer(pool)),
    ]
    _, _, index, cardinality, *_ = SLOT0.decode(results[0])
    decimals0, decimals1 = (DECIMALS.decode(result) for result in results[1:])
    if cardinality == 0:
        raise ReadFailed("observations: the pool has none")
    results = yield [OBSERVATION.at(pool, (index + 1) % cardinality), OBSERVATION.at(pool, 0)]
    oldest = OBSERVATION.decode(results[0])
    begun = oldest[0] if oldest[3] else OBSERVATION.decode(results[1])[0]
    last = at.timestamp // step_s * step_s
    first = -(-max(begun, since) // step_s) * step_s
    times = range(max(first, last - most * step_s), last + 1, step_s)
    if len(times) < 2:
        raise ReadFailed(f"observations: the pool remembers {at.timestamp - begun} s")
    batches = [times[i : i + BATCH] for i in range(0, len(times), BATCH)]
    results = yield [OBSERVE.at(pool, [at.timestamp - t for t in batch]) for batch in batches]
    cumulatives: list[int] = []
    for batch, result in zip(batches, results, strict=True):
        values, _ = OBSERVE.decode(result)
        if len(values) != len(batch):
            raise ReadFailed("observe: answered another number of times than asked")
        cumulatives += values
    ticks = (mean_tick((a, b), step_s) for a, b in pairwise(cumulatives))
    return Observations(pool, step_s, tuple(times[1:]), tuple(ticks), decimals0, decimals1)
