"""Compound v2: pooled lending behind a Comptroller, and the forks that answer alike."""

from protocols.compound_v2.adapter import CompoundV2

__all__ = ["CompoundV2"]
