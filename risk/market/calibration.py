"""Levels of value at risk that learn from their own violations, online and without a setting.

Gibbs and Candès, "Conformal inference for online prediction with arbitrary distribution shifts"
(JMLR 2024): each of several experts moves its level after every step, down after a violation and
up a little after none, at a rate of its own; the level used is their mean, weighted by how well
each would have done of late. Over a long stretch the share of violations goes to what it should be,
whatever prices do, as far as the worst of the forecast's losses reaches. Rates, weights' memory and
learning rate are the paper's own.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

RATES: Final = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128)
STRETCH: Final = 500
"""Steps over which the weights do about as well as the best rate."""
MOST: Final = 0.3
"""Share of violations that no expert goes above: a level below 70 % is no tail."""


class Calibration:
    """The levels of k portfolios at l levels; begins at the levels themselves."""

    def __init__(self, portfolios: int, levels: tuple[float, ...]) -> None:
        wanted = 1 - np.array(levels)[None, :, None]
        shape = (portfolios, len(levels), len(RATES))
        self._wanted = wanted
        self._experts = np.broadcast_to(wanted, shape).copy()
        self._weights = np.full(shape, 1 / len(RATES))
        scale = (1 - wanted) ** 2 * wanted**3 + wanted**2 * (1 - wanted) ** 3
        self._eta = np.sqrt(3 / STRETCH * (np.log(len(RATES) * STRETCH) + 2) / scale)

    @property
    def levels(self) -> F64:
        """Return the levels to ask for now, [k, l]."""
        found: F64 = 1 - (self._weights * self._experts).sum(axis=2)
        return found

    def learn(self, beyond: F64) -> None:
        """Take what came, [k]: the share of the forecast's losses that were as great or greater."""
        seen = beyond[:, None, None]
        off = seen - self._experts
        cost = self._wanted * off - np.minimum(0.0, off)
        weights = self._weights * np.exp(-self._eta * cost)
        weights /= weights.sum(axis=2, keepdims=True)
        mixed = 1 / (2 * STRETCH)
        self._weights = (1 - mixed) * weights + mixed / len(RATES)
        broken = self._experts > seen
        moved = self._experts + np.array(RATES) * (self._wanted - broken)
        self._experts = np.clip(moved, 0.0, MOST)
