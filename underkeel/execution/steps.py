"""A plan's steps as intents of the executor."""

from chain.types import Address
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
                plan=plan.hash,
                step=index,
                after=before.id if before else None,
                after_state=before.until if before else State.DONE,
                state=State.APPROVED,
            )
        )
    return tuple(found)


def wallet_name(names: dict[Address, str], address: Address) -> str:
    """Return what the config calls a wallet; raises `UsageError` if it does not know it."""
    if address not in names:
        raise UsageError(f"the plan is for {address}, which is no wallet of the config; add it")
    return names[address]
