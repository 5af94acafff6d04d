"""What to ask of the pools behind a set of NFTs, each thing once, and where its answer is."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from chain.calls import Read, Result
from chain.types import Address
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


@dataclass(frozen=True, slots=True)
class Nft:
    """What the position manager says about one token."""

    owner: Address
    token_id: int
    token0: Address
    token1: Address
    fee: int
    lower: int
    upper: int
    liquidity: int
    inside0_last: int
    inside1_last: int
    owed0: int
    owed1: int

    @classmethod
    def of(cls, owner: Address, token_id: int, answer: tuple[Any, ...]) -> "Nft":
        """Take the decoded answer of `positions(token_id)`."""
        return cls(owner, token_id, *answer[2:])

    @property
    def pool(self) -> "PoolKey":
        """What identifies the pool at its factory."""
        return self.token0, self.token1, self.fee


PoolKey = tuple[Address, Address, int]


class Wanted:
    """The reads of round 3, and an index of them."""

    def __init__(self, manager: Address, factory: Address, nfts: Sequence[Nft]) -> None:
        self.reads: list[Read] = []
        self.where: dict[Hashable, int] = {}
        for nft in nfts:
            pool = GET_POOL.pointer(factory, *nft.pool)
            self._want((nft.pool, "address"), GET_POOL.at(factory, *nft.pool))
            self._want((nft.pool, "slot0"), SLOT0.at(pool))
            self._want((nft.pool, "growth0"), GROWTH0.at(pool))
            self._want((nft.pool, "growth1"), GROWTH1.at(pool))
            self._want((nft.pool, "liquidity"), LIQUIDITY.at(pool))
            self._want((nft.pool, "observe"), OBSERVE.at(pool, [WINDOW_S, 0]))
            for tick in (nft.lower, nft.upper):
                self._want((nft.pool, tick), TICKS.at(pool, tick))
            key = position_key(manager, nft.lower, nft.upper)
            self._want((nft.pool, nft.lower, nft.upper), POOL_POSITIONS.at(pool, key))
            for token in (nft.token0, nft.token1):
                self._want(token, *tokens.reads(token))

    def _want(self, key: Hashable, *reads: Read) -> None:
        if key not in self.where:
            self.where[key] = len(self.reads)
            self.reads += reads


class PoolAnswers:
    """The answers of round 3, by what was asked."""

    def __init__(self, wanted: Wanted, results: Sequence[Result]) -> None:
        self._where, self._results = wanted.where, results

    def of(self, nft: Nft, what: str | int) -> Result:
        """Return the pool's answer: `address`, `slot0`, `growth0` …, or a tick."""
        return self._results[self._where[nft.pool, what]]

    def account(self, nft: Nft) -> Result:
        """Return the manager's own account in the NFT's range."""
        return self._results[self._where[nft.pool, nft.lower, nft.upper]]

    def token(self, address: Address) -> tuple[Token, tuple[str, ...]]:
        """Return a token of the pool, and what is unknown about it."""
        start = self._where[address]
        return tokens.describe(address, self._results[start : start + tokens.READS])
