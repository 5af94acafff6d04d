"""A plan's steps as intents of the executor."""

from executor.plan.types import Plan
from executor.types import Intent, State
from underkeel.errors import UsageError


def intents_of(plan: Plan, fee_cap: int) -> tuple[Intent, ...]:
    """Return one intent per step, each after the one before it; `fee_cap` is wei per gas.

    Ids are the plan's own, so that carrying out a plan twice does everything once. Raises
    `UsageError` where a step is another wallet's.
    """
    found: list[Intent] = []
    for index, step in enumerate(plan.steps):
        if step.sender != plan.wallet:
            raise UsageError(
                f"step {index + 1} is {step.sender}'s to send, and the plan's wallet is "
                f"{plan.wallet}: make a plan per wallet"
            )
        before = plan.steps[index - 1] if index else None
        deadline = plan.expires_at if step.deadline is None else step.deadline
        found.append(
            Intent(
                id=step.id,
                chain_id=plan.chain_id,
                account=plan.account,
                wallet=plan.wallet,
                call=step.call,
                gas_limit=step.gas_limit,
                deadline=min(plan.expires_at, deadline),
                fee_cap_abs=fee_cap,
                guard=step.guard,
                conditions=plan.conditions if index == len(plan.steps) - 1 else (),
                trigger=plan.trigger,
                value_wei=plan.value_wei,
                other_cost_wei=plan.other_cost_wei + _others(plan, index),
                plan=plan.hash,
                step=index,
                after=before.id if before else None,
                after_state=before.until if before else State.DONE,
                state=State.APPROVED,
            )
        )
    return tuple(found)


def _others(plan: Plan, index: int) -> int:
    """Return what the other steps' gas costs: each step's fee bound leaves room for theirs."""
    gas = sum(step.gas_used for i, step in enumerate(plan.steps) if i != index)
    return gas * plan.cost.gas_price
