"""Uniswap v3 liquidity positions held as NFTs, and those of its forks."""

from protocols.uniswap_v3.adapter import UniswapV3
from protocols.uniswap_v3.state import UniswapV3State, pool_checks

__all__ = ["UniswapV3", "UniswapV3State", "pool_checks"]
