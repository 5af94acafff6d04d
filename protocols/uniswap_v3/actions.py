"""Encode what an owner does with an NFT of a Uniswap v3 position manager.

Scales: amounts are base units in the pool's own order. Source: `INonfungiblePositionManager`.
"""

from typing import Final

from chain.abi import Function
from chain.types import Address
from protocols.effects import Effect

DECREASE_LIQUIDITY: Final = Function(
    "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))(uint256,uint256)"
)
COLLECT: Final = Function("collect((uint256,address,uint128,uint128))(uint256,uint256)")
BURN: Final = Function("burn(uint256)()")
MULTICALL: Final = Function("multicall(bytes[])(bytes[])")

UINT128_MAX: Final = 2**128 - 1


def collect(manager: Address, token_id: int, to: Address) -> Effect:
    """Collect everything that is owed: fees, and liquidity taken out before."""
    return Effect(manager, COLLECT.encode((token_id, to, UINT128_MAX, UINT128_MAX)))


def close(
    manager: Address,
    token_id: int,
    liquidity: int,
    least: tuple[int, int],
    to: Address,
    deadline: int,
) -> Effect:
    """Take all liquidity out, collect it with the fees, and burn the NFT, in one call.

    `least` is what the liquidity must give at least, fees not counted.
    """
    calls = [
        DECREASE_LIQUIDITY.encode((token_id, liquidity, *least, deadline)),
        COLLECT.encode((token_id, to, UINT128_MAX, UINT128_MAX)),
        BURN.encode(token_id),
    ]
    return Effect(manager, MULTICALL.encode(calls if liquidity else calls[1:]))
