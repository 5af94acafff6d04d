"""Choose the cheapest action that works, and say why each other one was not chosen."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from executor.plan import deleverage, health, unwinding
from executor.plan.build import Request, build, with_lost
from executor.plan.candidate import Candidate, Goal, No
from executor.plan.lab import Lab
from executor.plan.types import Action, Infeasible, Lost, Plan

Strategy = Callable[[Lab, Goal], "list[Candidate | No]"]

RESTORING: Final[Mapping[Action, Strategy]] = {
    Action.REPAY: health.repay,
    Action.REPAY_WITH_ATOKENS: health.repay_with_atokens,
    Action.TOP_UP: health.top_up,
    Action.WITHDRAW_AND_REPAY: unwinding.withdraw_and_repay,
    Action.DELEVERAGE: deleverage.flash_deleverage,
}
"""What can restore a health, in the order of the ladder: of equally cheap ones the first wins."""


def restore(lab: Lab, goal: Goal, actions: Sequence[Action], request: Request) -> Plan | Infeasible:
    """Return the cheapest plan that reaches the goal."""
    proposals: list[Candidate | No] = []
    for action in RESTORING:
        if action in actions:
            proposals += RESTORING[action](lab, goal)
    return cheapest(lab, proposals, request)


def cheapest(lab: Lab, proposals: Sequence[Candidate | No], request: Request) -> Plan | Infeasible:
    """Try every candidate; return the cheapest plan, with why the others lost."""
    plans: list[Plan] = []
    lost: list[Lost] = []
    for proposal in proposals:
        if isinstance(proposal, No):
            lost.append(Lost(proposal.action, proposal.reason))
            continue
        built = build(lab, proposal, request)
        if isinstance(built, Plan):
            plans.append(built)
        else:
            lost.append(built)
    if not plans:
        return Infeasible(request.name, "nothing that may be done works", tuple(lost))
    best = min(plans, key=_price)  # the first of equals
    others = (plan for plan in plans if plan is not best)
    lost += [Lost(p.action, _dearer(p, best), p.cost.total_usd) for p in others]
    return with_lost(best, lost)


def _price(plan: Plan) -> tuple[bool, Decimal, int]:
    """Return a key that sorts cheap plans first; what is not known in dollars comes last."""
    dollars = plan.cost.total_usd
    return dollars is None, Decimal(dollars or 0), plan.cost.fee_wei


def _dearer(plan: Plan, best: Plan) -> str:
    if plan.cost.total_usd is None:
        return f"would work ({plan.what}), at a cost that is not known in dollars"
    if plan.cost.total_usd == best.cost.total_usd:
        return f"would work ({plan.what}) and is not cheaper"
    return f"would work ({plan.what}), and costs {plan.cost.total_usd} USD"
