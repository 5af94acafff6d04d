"""What can be done about a position's health."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from chain.types import Address


class Kind(StrEnum):
    """What one does."""

    REPAY = "repay"
    ADD = "add"
    """Supply more of what is collateral already."""


@dataclass(frozen=True, slots=True)
class Lever:
    """One amount that the owner may choose, and what the contract would make of it."""

    kind: Kind
    asset: Address
    symbol: str
    decimals: int | None
    name: str
    """Which debt: `variable`, `stable`, `debt`; `collateral`."""
    most: int
    """The largest amount that does anything: the whole debt, or the widest integer."""
    bounds: Callable[[int, int], tuple[int | None, int | None]]
    """(least, greatest) health over amounts lo..hi, exact on a single one; None without debt."""
    obstacles: tuple[str, ...] = ()
    """Why the contract would refuse any amount: frozen, paused, not active."""
    ceiling: int | None = None
    """A supply cap in base units, of all suppliers together; None where there is none."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """The least amount of one asset that brings a position to a health."""

    kind: Kind
    asset: Address
    symbol: str
    decimals: int | None
    name: str
    amount: int | None
    """Base units; None where no amount of this asset alone suffices."""
    health_raw: int | None
    """Exactly what the contract answers afterwards; of an amount that does not suffice, the best
    that it reaches. None where no debt is left."""
    whole: bool
    """All of this debt: on Aave any amount not below it, on Morpho its shares."""
    at: int
    """The block time that it holds at, seconds since 1970; interest goes on afterwards."""
    obstacles: tuple[str, ...]
    ceiling: int | None


@dataclass(frozen=True, slots=True)
class Remedies:
    """All that can be done, each alone."""

    target_raw: int
    already: bool
    """Health is there without doing anything."""
    each: tuple[Remedy, ...]
    unknown: tuple[str, ...] = ()
    """What could be done too, and why it cannot be computed."""
