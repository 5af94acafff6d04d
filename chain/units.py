"""Fixed-point units as types, and the four ways integers are divided on chain.

A `NewType` costs nothing at run time and lets the type checker refuse a `Ray` for a `Wad`.
Solidity's unsigned `/` is Python's `//` for non-negative numbers; every function here is for
non-negative operands, as all amounts, prices and indexes on chain are.
"""

from typing import Final, NewType

Assets = NewType("Assets", int)
"""Base units of a token."""
Shares = NewType("Shares", int)
"""Base units of a vault, or of one side of a market."""
Wei = NewType("Wei", int)
"""Base units of the native coin."""
Wad = NewType("Wad", int)
"""1e18 fixed point."""
Ray = NewType("Ray", int)
"""1e27 fixed point."""
Bps = NewType("Bps", int)
"""1e4 fixed point."""

WAD: Final = 10**18
RAY: Final = 10**27
BPS: Final = 10**4
YEAR: Final = 31_536_000
"""Seconds in a year of 365 days, as every lending protocol counts them."""
UINT256_MAX: Final = 2**256 - 1


def mul_div_down(a: int, b: int, denominator: int) -> int:
    """Return ⌊a·b / denominator⌋."""
    return a * b // denominator


def mul_div_up(a: int, b: int, denominator: int) -> int:
    """Return ⌈a·b / denominator⌉."""
    return -(-a * b // denominator)


def mul_div_half_up(a: int, b: int, denominator: int) -> int:
    """Return a·b / denominator, halves rounded up, as Aave's WadRayMath and PercentageMath do."""
    return (a * b + denominator // 2) // denominator


def div_up(a: int, denominator: int) -> int:
    """Return ⌈a / denominator⌉."""
    return -(-a // denominator)
