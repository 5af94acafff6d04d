"""The functions of Uniswap v3 that are read; forks answer the same ones.

`slot0` differs between forks only in the width of the protocol fee, so the wider type is used.
"""

from typing import Final

from eth_utils.crypto import keccak

from chain.abi import Function
from chain.types import Address

FACTORY: Final = Function("factory()(address)")
NAME: Final = Function("name()(string)")
BALANCE_OF: Final = Function("balanceOf(address)(uint256)")
TOKEN_OF_OWNER: Final = Function("tokenOfOwnerByIndex(address,uint256)(uint256)")
POSITIONS: Final = Function(
    "positions(uint256)(uint96,address,address,address,uint24,int24,int24,uint128,"
    "uint256,uint256,uint128,uint128)"
)
GET_POOL: Final = Function("getPool(address,address,uint24)(address)")
SLOT0: Final = Function("slot0()(uint160,int24,uint16,uint16,uint16,uint32,bool)")
GROWTH0: Final = Function("feeGrowthGlobal0X128()(uint256)")
GROWTH1: Final = Function("feeGrowthGlobal1X128()(uint256)")
LIQUIDITY: Final = Function("liquidity()(uint128)")
TICKS: Final = Function("ticks(int24)(uint128,int128,uint256,uint256,int56,uint160,uint32,bool)")
POOL_POSITIONS: Final = Function("positions(bytes32)(uint128,uint256,uint256,uint128,uint128)")


def position_key(owner: Address, lower: int, upper: int) -> bytes:
    """Return the key under which a pool keeps what `owner` holds in one range."""
    return keccak(bytes.fromhex(owner[2:]) + _int24(lower) + _int24(upper))


def _int24(value: int) -> bytes:
    return value.to_bytes(3, "big", signed=True)
