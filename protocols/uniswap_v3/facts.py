"""What is known of an NFT, its pool and its range, by whatever way it was learned."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from chain.calls import ReadFailed
from chain.types import Address
from protocols.prices.twap import WINDOW_S, PoolCheck, mean_tick
from protocols.types import Token
from protocols.uniswap_v3 import math as maths

PoolKey = tuple[Address, Address, int]
Place = tuple[int, int]
"""An NFT by the place of its owner among the accounts and its index there; −1: the owner."""


class Nft(NamedTuple):
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
    def pool(self) -> PoolKey:
        """What identifies the pool at its factory."""
        return self.token0, self.token1, self.fee

    @property
    def live(self) -> bool:
        """Whether it holds liquidity or is owed anything."""
        return bool(self.liquidity or self.owed0 or self.owed1)


class Range(NamedTuple):
    """What the pool keeps of a range: the manager's account, and the growth outside of its ends."""

    held: int
    inside0_last: int
    inside1_last: int
    owed0: int
    owed1: int
    lower0: int
    lower1: int
    lower_set: int
    """Whether the tick is initialized."""
    upper0: int
    upper1: int
    upper_set: int


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool at the block."""

    address: Address
    token0: Token
    token1: Token
    unknown: tuple[str, ...]
    """What could not be learned about its tokens."""
    sqrt_price: int
    tick: int
    growth: tuple[int, int] | ReadFailed
    liquidity: int | None
    twap: PoolCheck | None


def priced(
    address: Address,
    token0: tuple[Token, tuple[str, ...]],
    token1: tuple[Token, tuple[str, ...]],
    price: tuple[int, int],
    growth: tuple[int, int] | ReadFailed,
    liquidity: int | None,
    cumulatives: tuple[int, ...] | None,
) -> Pool:
    """Return a pool; raises `ReadFailed` where its price is none.

    `price` is the square-root price and the tick, `cumulatives` the tick's then and now.
    """
    sqrt_price, tick = price
    if not maths.MIN_SQRT_RATIO <= sqrt_price < maths.MAX_SQRT_RATIO:
        raise ReadFailed(f"slot0: {sqrt_price} is not a price")
    (one, unknown0), (other, unknown1) = token0, token1
    check = None
    if (
        cumulatives is not None
        and len(cumulatives) == 2
        and liquidity is not None
        and one.decimals is not None
        and other.decimals is not None
    ):
        check = PoolCheck(
            pool=address,
            token0=one.address,
            token1=other.address,
            tick=mean_tick(cumulatives, WINDOW_S),
            window_s=WINDOW_S,
            decimals0=one.decimals,
            decimals1=other.decimals,
            depth1=liquidity * sqrt_price // maths.Q96 // 200,
        )
    unknown = (*unknown0, *unknown1)
    return Pool(address, one, other, unknown, sqrt_price, tick, growth, liquidity, check)
