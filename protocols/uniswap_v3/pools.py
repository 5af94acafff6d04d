"""Ask the pools behind a set of NFTs, each thing once, and say what they answer."""

from collections.abc import Hashable, Sequence

from chain.calls import Read, ReadFailed, Result, Unknown
from chain.types import ZERO_ADDRESS, Address
from protocols import tokens
from protocols.prices.twap import OBSERVE, WINDOW_S
from protocols.types import Token
from protocols.uniswap_v3.contracts import (
    GET_POOL,
    GROWTH0,
    GROWTH1,
    LIQUIDITY,
    POOL_POSITIONS,
    SLOT0,
    TICKS,
    position_key,
)
from protocols.uniswap_v3.facts import Nft, Pool, PoolKey, Range, priced


class Wanted:
    """The reads about the pools of some NFTs, and an index of them."""

    def __init__(self, manager: Address, factory: Address, nfts: Sequence[Nft]) -> None:
        self.reads: list[Read] = []
        self.where: dict[Hashable, int] = {}
        for key in dict.fromkeys(nft.pool for nft in nfts):
            address = GET_POOL.at(factory, *key)
            pool = GET_POOL.pointer(factory, *key)
            self._want((key, "address"), address)
            self._want((key, "slot0"), SLOT0.at(pool))
            self._want((key, "growth0"), GROWTH0.at(pool))
            self._want((key, "growth1"), GROWTH1.at(pool))
            self._want((key, "liquidity"), LIQUIDITY.at(pool))
            self._want((key, "observe"), OBSERVE.at(pool, [WINDOW_S, 0]))
            for token in key[:2]:
                self._want(token, *tokens.reads(token))
        for key, lower, upper in dict.fromkeys((n.pool, n.lower, n.upper) for n in nfts):
            pool = GET_POOL.pointer(factory, *key)
            for tick in (lower, upper):
                self._want((key, tick), TICKS.at(pool, tick))
            account = position_key(manager, lower, upper)
            self._want((key, lower, upper), POOL_POSITIONS.at(pool, account))

    def _want(self, key: Hashable, *reads: Read) -> None:
        if key not in self.where:
            self.where[key] = len(self.reads)
            self.reads += reads


class PoolAnswers:
    """The answers to `Wanted`."""

    def __init__(self, wanted: Wanted, results: Sequence[Result]) -> None:
        self._where, self._results = wanted.where, results
        self._pools: dict[PoolKey, Pool | ReadFailed] = {}

    def pool(self, key: PoolKey) -> Pool:
        """Return a pool; raises `ReadFailed` where its price cannot be known."""
        if key not in self._pools:
            try:
                self._pools[key] = self._pool(key)
            except ReadFailed as failure:
                self._pools[key] = failure
        found = self._pools[key]
        if isinstance(found, ReadFailed):
            raise found
        return found

    def _pool(self, key: PoolKey) -> Pool:
        address: Address = GET_POOL.decode(self._of(key, "address"))
        if address == ZERO_ADDRESS:
            raise ReadFailed("the factory knows no such pool")
        sqrt_price, tick, *_ = SLOT0.decode(self._of(key, "slot0"))
        growth: tuple[int, int] | ReadFailed
        try:
            growth = (
                GROWTH0.decode(self._of(key, "growth0")),
                GROWTH1.decode(self._of(key, "growth1")),
            )
        except ReadFailed as failure:
            growth = failure
        depth = LIQUIDITY.known(self._of(key, "liquidity"))
        observed = OBSERVE.known(self._of(key, "observe"))
        return priced(
            address,
            self._token(key[0]),
            self._token(key[1]),
            (sqrt_price, tick),
            growth,
            None if isinstance(depth, Unknown) else depth,
            None if isinstance(observed, Unknown) else observed[0],
        )

    def range(self, nft: Nft) -> Range | ReadFailed:
        """Return what the pool keeps of an NFT's range, or why that is not known."""
        try:
            account = POOL_POSITIONS.decode(self._of(nft.pool, nft.lower, nft.upper))
            if nft.liquidity == 0:
                return Range._make((*account, 0, 0, 0, 0, 0, 0))
            lower = TICKS.decode(self._of(nft.pool, nft.lower))
            upper = TICKS.decode(self._of(nft.pool, nft.upper))
        except ReadFailed as failure:
            return failure
        return Range._make((*account, *lower[2:4], lower[-1], *upper[2:4], upper[-1]))

    def _of(self, *key: Hashable) -> Result:
        return self._results[self._where[key]]

    def _token(self, address: Address) -> tuple[Token, tuple[str, ...]]:
        start = self._where[address]
        return tokens.describe(address, self._results[start : start + tokens.READS])
