"""What a Uniswap v3 position is beyond its amounts."""

from collections.abc import Iterable
from dataclasses import dataclass

from chain.types import Address
from protocols.prices.twap import PoolCheck
from protocols.types import Position, State
from protocols.uniswap_v3.math import Greeks


@dataclass(frozen=True, slots=True)
class UniswapV3State(State):
    """One NFT's range, and the pool around it."""

    token_id: int
    pool: Address
    fee_pips: int
    """Swap fee in millionths."""
    tick_lower: int
    tick_upper: int
    liquidity: int
    tick: int
    sqrt_price_x96: int
    pool_liquidity: int | None
    in_range: bool
    """lower ≤ tick < upper."""
    twap: PoolCheck | None
    """None where the pool keeps too short a memory, or its decimals are unknown."""
    greeks: Greeks | None
    """None where a token does not say its decimals."""


def pool_checks(positions: Iterable[object]) -> tuple[PoolCheck, ...]:
    """Return the cross-checks that a snapshot's liquidity positions bring along, one per pool."""
    found = {
        p.state.twap.pool: p.state.twap
        for p in positions
        if isinstance(p, Position) and isinstance(p.state, UniswapV3State) and p.state.twap
    }
    return tuple(found.values())
