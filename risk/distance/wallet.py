"""Which position of a wallet falls first, and under what joint move of all prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from risk.distance.joint import Joint, joint
from risk.distance.linear import Array, Margin
from risk.market.types import DAY_S, Covariance

FARTHEST: Final = 16.0
"""Multiples of the first shock up to which others are looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Fall:
    """One position, alone and in the shock that takes the first."""

    name: str
    joint: Joint | None
    """Its own nearest boundary; None where none is in reach."""
    multiple: float | None
    """Of the first shock's log moves, at which this one falls too; None up to `FARTHEST`."""


@dataclass(frozen=True, slots=True, eq=False)
class Wallet:
    """The joint move that liquidates any position, and the order of all."""

    factors: tuple[str, ...]
    log: Array
    """[n]: the likeliest log moves of all factors that take the first position."""
    order: tuple[Fall, ...]
    """By β, the first to fall first; those without one last."""
    missing: Mapping[str, tuple[str, ...]]
    """Positions that could not be measured, and the factors whose covariance is not known."""

    @property
    def shock(self) -> Array:
        """Return the move as simple returns, [n]."""
        moved: Array = np.expm1(self.log)
        return moved

    @property
    def beta(self) -> float | None:
        """Return how many sigmas away the first liquidation is; None where none is in reach."""
        first = self.order[0].joint if self.order else None
        return None if first is None else first.beta


def covariance_of(factors: tuple[str, ...], known: Covariance, horizon_s: float) -> Array | None:
    """Return Σ over a horizon in the order of `factors`; None where one is not known."""
    place = {name: i for i, name in enumerate(known.factors)}
    if any(name not in place for name in factors):
        return None
    chosen = [place[name] for name in factors]
    picked: Array = known.daily[np.ix_(chosen, chosen)] * (horizon_s / DAY_S)
    return picked


def first_to_fall(margins: Mapping[str, Margin], known: Covariance, horizon_s: float) -> Wallet:
    """Return who falls first: a union of boundaries is nearest where its nearest member is.

    Factors that the first position does not hang on take their likeliest values given those that
    it does. A position with a factor of unknown covariance, or numbers beyond all bounds, is listed
    as missing, never as safe.
    """
    found: list[tuple[str, Joint | None]] = []
    missing: dict[str, tuple[str, ...]] = {}
    for name, margin in margins.items():
        sigma = covariance_of(margin.factors, known, horizon_s)
        if sigma is None:
            missing[name] = tuple(f for f in margin.factors if f not in known.factors)
        elif not (np.isfinite(sigma).all() and np.isfinite(margin.h0)):
            missing[name] = margin.factors
        else:
            found.append((name, joint(margin, sigma)))
    found.sort(key=lambda one: np.inf if one[1] is None else one[1].beta)
    held = {f for name, _ in found for f in margins[name].factors}
    factors = tuple(sorted(held))
    first = found[0][1] if found else None
    log = np.zeros(len(factors)) if first is None else _spread(first, factors, known)
    order = tuple(
        Fall(name, one, None if first is None else _multiple(margins[name], factors, log))
        for name, one in found
    )
    return Wallet(factors, log, order, missing)


def _spread(first: Joint, factors: tuple[str, ...], known: Covariance) -> Array:
    """Return the likeliest move of all factors given that of the first position's own."""
    place = {name: i for i, name in enumerate(known.factors)}
    own, every = [place[f] for f in first.factors], [place[f] for f in factors]
    within = known.daily[np.ix_(own, own)]
    spread: Array = known.daily[np.ix_(every, own)] @ np.linalg.lstsq(within, first.log)[0]
    exact = dict(zip(first.factors, first.log, strict=True))
    return np.array([exact.get(f, moved) for f, moved in zip(factors, spread, strict=True)])


def _multiple(margin: Margin, factors: tuple[str, ...], log: Array) -> float | None:
    """Return the first multiple of a move at which a margin is gone."""
    place = {name: i for i, name in enumerate(factors)}
    own = log[[place[f] for f in margin.factors]]
    if margin.h0 <= 0:
        return 0.0
    grid = np.linspace(0.0, FARTHEST, 4 * int(FARTHEST) * 16 + 1)
    gone = margin.value(grid[:, None] * own) <= 1e-12 * margin.debt
    if not gone.any():
        return None
    k = int(gone.argmax())
    low, high = float(grid[k - 1]), float(grid[k])
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if float(margin.value(middle * own)) <= 0 else (middle, high)
    return high
