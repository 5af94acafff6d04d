"""Morpho Blue: isolated lending markets in one contract."""

from protocols.morpho_blue.adapter import MorphoBlue

__all__ = ["MorphoBlue"]
