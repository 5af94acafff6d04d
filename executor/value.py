"""What a rescue is worth: chance of liquidation, loss, the repayment that restores, act or wait.

Pure formulas in floats: chances and money of one account, in whatever currency `debt` is in.
Only `executor.fees` turns them into bounds in wei, which round against spending.
"""

import math
from dataclasses import dataclass
from typing import Final

YEAR_S: Final = 31_536_000


@dataclass(frozen=True, slots=True)
class Hazard:
    """How a health factor may move within one decision.

    `jumps_per_year` jumps of exponential size with mean `mean_jump` (in logarithms) come on top of
    a diffusion with yearly volatility `sigma` of collateral against debt.
    """

    sigma: float
    horizon_s: float
    """Time to the next decision, and the delay until its transaction is included."""
    deviation: float = 0.0
    """How far the price may move before the feed says so: 0.005 for 0.5 %."""
    oracle_over_spot: float = 1.0
    """The oracle's collateral price over the market's: above 1, the oracle is late on a fall."""
    jumps_per_year: float = 0.0
    mean_jump: float = 0.0

    def distance(self, health: float) -> float:
        """Return how far ln of the health is from zero once the feed has caught up."""
        lag = max(0.0, math.log(self.oracle_over_spot))
        return math.log(health) - self.deviation - lag

    def chance(self, health: float) -> float:
        """Return the probability that the account is liquidatable before the next decision."""
        if health <= 0:
            return 1.0
        x, years = self.distance(health), self.horizon_s / YEAR_S
        if x <= 0:
            return 1.0
        spread = self.sigma * math.sqrt(years)
        touch = math.erfc(x / (spread * math.sqrt(2))) if spread > 0 else 0.0  # 2Φ(−x/spread)
        beyond = math.exp(-x / self.mean_jump) if self.mean_jump > 0 else 0.0
        return min(1.0, touch + self.jumps_per_year * years * beyond)


def loss(debt: float, bonus: float, close_factor: float) -> float:
    """Return what a liquidation costs: bonus × close factor × debt, of the worst pair."""
    return bonus * close_factor * debt


def repayment(debt: float, health: float, target: float, liquidation_threshold: float) -> float:
    """Return the repayment from collateral that lifts the health to `target`; 0 if it is there.

    (H1·D − LT·C)/(H1 − LT), where LT·C is health × debt. At most the debt.
    """
    if target <= liquidation_threshold:
        return debt
    amount = (target - health) * debt / (target - liquidation_threshold)
    return min(max(amount, 0.0), debt)


def avoided(hazard: Hazard, health: float, target: float, at_stake: float) -> float:
    """Return the expected loss that acting now avoids: V = (p(HF) − p(H1))·L, never below 0."""
    return max(0.0, hazard.chance(health) - hazard.chance(target)) * at_stake


@dataclass(frozen=True, slots=True)
class Costs:
    """What acting costs, in the same unit as the value."""

    gas: float
    swap: float = 0.0
    flash: float = 0.0
    reentry: float = 0.0

    @property
    def total(self) -> float:
        """Return the sum."""
        return self.gas + self.swap + self.flash + self.reentry


MARGIN: Final = 1.5
"""How many times the cost a rescue has to be worth, normally."""
RED_MARGIN: Final = 1.0
"""The same in the red zone."""


def worth_it(value: float, costs: Costs, *, red_zone: bool = False) -> bool:
    """Return whether to act: V > m·(gas + swap + φR + re-entry)."""
    return value > (RED_MARGIN if red_zone else MARGIN) * costs.total
