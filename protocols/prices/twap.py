"""A pool's time-weighted price, as a cross-check of an oracle: never as a price by itself."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from chain.abi import Function
from chain.types import Address

OBSERVE: Final = Function("observe(uint32[])(int56[],uint160[])")
WINDOW_S: Final = 1800
"""Half an hour: moving it costs an attacker more than a block's worth of arbitrage."""


@dataclass(frozen=True, slots=True)
class PoolCheck:
    """What one pool has to say about the price between its two tokens."""

    pool: Address
    token0: Address
    token1: Address
    tick: int
    """Mean tick over the window: 1.0001^tick base units of token1 per base unit of token0."""
    window_s: int
    decimals0: int
    decimals1: int
    depth1: int
    """Base units of token1 that move the price by 1 % now; 0 in an empty range."""

    @property
    def ratio(self) -> Fraction:
        """Whole token1 per whole token0, exact for the tick."""
        return whole_ratio(self.tick, self.decimals0, self.decimals1)

    @property
    def source(self) -> str:
        """The expression of this price."""
        return f"twap({self.pool}, {self.window_s})"


def whole_ratio(tick: int, decimals0: int, decimals1: int) -> Fraction:
    """Return 1.0001^tick scaled to whole tokens, to about 1e-15 relative."""
    return Fraction(1.0001**tick) * Fraction(10) ** (decimals0 - decimals1)


def mean_tick(cumulatives: tuple[int, ...], window_s: int) -> int:
    """Return the mean tick between two cumulatives, then and now, rounded to −∞."""
    return (cumulatives[1] - cumulatives[0]) // window_s
