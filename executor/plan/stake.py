"""What acting is worth: the expected loss that it avoids, against what it costs.

V = (p(health now) − p(health after)) · L, where L is what a liquidation would take beyond the debt,
and p the chance of one within the next hour at the owner's volatility (`executor.value`). Without a
volatility nothing is said, and the owner's caps are the only bound on fees.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from chain.types import ZERO_ADDRESS
from executor.plan.lab import Lab
from executor.plan.types import Nothing, Plan, PositionView
from executor.value import Costs, Hazard, avoided, worth_it
from protocols.types import Token
from risk.types import Liquidation

HORIZON_S: Final = 3_600
"""Until one looks again and a transaction is in: an hour."""
DEVIATION: Final = 0.005
"""How far a price moves before its feed says so, where that is not known."""
RED: Final = 0.1
"""A chance of liquidation from which on acting need only be worth its bare cost."""
NATIVE: Final = Token(ZERO_ADDRESS, "native", 18)


@dataclass(frozen=True, slots=True)
class Stake:
    """What is at stake in one position."""

    loss_usd: float
    """What a liquidation would take beyond the debt."""
    health: float
    hazard: Hazard

    @property
    def chance(self) -> float:
        """Return the chance of a liquidation within the hour if nothing is done."""
        return self.hazard.chance(self.health)

    def value(self, after: float) -> float:
        """Return the expected loss avoided by a health of `after`, in dollars."""
        return avoided(self.hazard, self.health, after, self.loss_usd)


def stake_of(found: Liquidation, volatility: Decimal | None) -> Stake | None:
    """Return what is at stake; None without a volatility, a health or a loss in dollars."""
    if volatility is None or found.health_raw is None or found.expected_loss_usd is None:
        return None
    hazard = Hazard(float(volatility), HORIZON_S, DEVIATION)
    return Stake(found.expected_loss_usd, found.health_raw / found.health_scale, hazard)


def weighed(lab: Lab, plan: Plan, position_id: str, stake: Stake) -> Plan | Nothing:
    """Return the plan with what it is worth; nothing where waiting is cheaper.

    A plan whose costs are not known in dollars is neither weighed nor held back.
    """
    after = next((v for v in plan.after if v.id == position_id), None)
    value = stake.value(_health(after))
    fee, total = plan.cost.fee_usd, plan.cost.total_usd
    said = (
        f"{stake.loss_usd:,.2f} USD are at stake; the chance within an hour is "
        f"{stake.chance:.2%} at {stake.hazard.sigma:.0%} a year: acting is worth {value:,.2f} USD"
    )
    if fee is None or total is None:
        return replace(plan, notes=(*plan.notes, said))
    costs = Costs(gas=float(fee), swap=max(0.0, float(total) - float(fee)))
    if not worth_it(value, costs, red_zone=stake.chance >= RED):
        return Nothing(plan.name, f"{said}, and costs {total} USD: {plan.what} can wait")
    in_wei = _wei(lab)
    worth, other = in_wei(value), in_wei(costs.swap)
    if worth is None or other is None:
        return replace(plan, notes=(*plan.notes, said))
    return replace(plan, value_wei=worth, other_cost_wei=other, notes=(*plan.notes, said))


def _health(view: PositionView | None) -> float:
    """Return the health afterwards; without a debt none is higher."""
    if view is None or view.health_raw is None:
        return 1e6
    return view.health_raw / view.health_scale


def _wei(lab: Lab) -> Callable[[float], int | None]:
    """Return what turns dollars into wei, rounded down."""
    one = lab.usd(NATIVE, 10**18)

    def convert(dollars: float) -> int | None:
        return None if not one else int(Decimal(repr(dollars)) * 10**18 / one)

    return convert
