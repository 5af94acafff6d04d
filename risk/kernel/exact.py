"""Count in float64, and in rationals where float64 cannot tell: the referee of every kernel.

**The bound.** With u = 2⁻⁵³, the float64 sum of n rounded products is off by at most
γₙ·Σ|w|·p, γₙ = n·u/(1 − n·u), whatever the order; `(n + 1)·u` is above γₙ for n below 2²⁶. A sum
farther from zero has its true sign. One that is not is computed anew from the same floats as
rationals, so every count is that of the numbers given, without error.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from risk.kernel.accounts import F64, I64

UNIT: float = 2.0**-53


class BadPrices(ValueError):
    """A scenario holds a price that is negative, infinite or not a number."""

    def __init__(self, factor: int, scenario: int, price: float) -> None:
        super().__init__(f"factor {factor} has the price {price} in scenario {scenario}")
        self.factor = factor
        self.scenario = scenario
        self.price = price


def check(prices: NDArray[np.floating], first: int = 0) -> None:
    """Raise `BadPrices` unless every price [F, S] is finite and not negative."""
    sound = np.isfinite(prices) & (prices >= 0)
    if not sound.all():
        factor, scenario = (int(i) for i in np.argwhere(~sound)[0])
        raise BadPrices(factor, first + scenario, float(prices[factor, scenario]))


def margins(factor: I64, weight: F64, prices: NDArray[np.floating]) -> tuple[F64, F64]:
    """Return one account's margin in each scenario [S], and the greatest error of each."""
    moved = np.asarray(prices[factor], np.float64)
    bound = (len(factor) + 1) * UNIT * (np.abs(weight) @ moved) + 5e-324 * len(factor)
    return np.asarray(weight @ moved), np.asarray(bound)


def tally_account(factor: I64, weight: F64, prices: NDArray[np.floating]) -> tuple[int, float, int]:
    """Return (scenarios below zero, sum of shortfalls, decided by rationals) of one account."""
    margin, bound = margins(factor, weight, prices)
    below = margin < 0
    open_ = np.flatnonzero((np.abs(margin) <= bound) & (bound > 0)).tolist()
    exact = [Fraction(w) for w in weight.tolist()] if open_ else []
    for scenario in open_:
        true = sum(
            (w * Fraction(float(prices[f, scenario])) for f, w in zip(factor, exact, strict=True)),
            Fraction(0),
        )
        below[scenario], margin[scenario] = true < 0, float(true)
    return int(below.sum()), float(-margin[below].sum()), len(open_)
