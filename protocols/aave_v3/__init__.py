"""Aave v3 and its forks."""

from protocols.aave_v3.adapter import AaveV3

__all__ = ["AaveV3"]
