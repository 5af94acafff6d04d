"""Make a plan of a candidate: run it, read everything afterwards, check what it promised."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from chain.calls import Unknown
from chain.types import ZERO_ADDRESS
from executor.plan.candidate import Candidate
from executor.plan.cost import cost_of
from executor.plan.lab import After, Draft, Failed, Lab
from executor.plan.types import Lost, Plan, PositionView, Step
from executor.plan.view import view
from executor.types import Call, Condition, Trigger

GAS_SLACK = 20_000


@dataclass(frozen=True, slots=True)
class Request:
    """What every plan of one run has in common."""

    name: str
    why: str
    trigger: Trigger | None
    expires_at: int
    gas_price: int | str
    """Wei per gas, or why that is not known."""
    notes: tuple[str, ...] = field(default=())


def build(lab: Lab, candidate: Candidate, request: Request) -> Plan | Lost:
    """Return the plan, or why the candidate does not do what it is for."""
    after = lab.try_all(candidate.drafts)
    if isinstance(after, Failed):
        return Lost(candidate.action, after.reason)
    if after.unknown:
        return Lost(candidate.action, "afterwards unknown: " + "; ".join(after.unknown))
    views = tuple(view(p, lab.book) for p in after.positions)
    broken = [text for c in candidate.conditions if (text := breach(c, views))]
    broken += [f"{v.market}: {u}" for v in views for u in v.unknown]
    if broken:
        return Lost(candidate.action, "; ".join(broken))
    why = _unpaid(lab, candidate, [o.gas_used for o in after.outcomes], request.gas_price)
    if why is not None:
        return Lost(candidate.action, why)
    cost, unknown = cost_of(
        lab, candidate, sum(o.gas_used for o in after.outcomes), request.gas_price
    )
    return Plan(
        name=request.name,
        action=candidate.action,
        chain_id=lab.at.chain_id,
        block=lab.at,
        time=lab.time,
        expires_at=request.expires_at,
        account=lab.account,
        wallet=lab.wallet,
        what=candidate.what,
        why=request.why,
        trigger=request.trigger,
        conditions=candidate.conditions,
        steps=_steps(lab, candidate, after),
        before=tuple(view(p, lab.book) for p in lab.positions),
        after=views,
        cost=cost,
        simulated_by=after.way,
        notes=(*request.notes, *candidate.notes, *unknown),
    )


def _unpaid(lab: Lab, candidate: Candidate, used: Sequence[int], price: int | str) -> str | None:
    """Say how the wallet lacks the native coin for gas and values; None where it has enough."""
    if isinstance(price, str):
        return None
    has = lab.balance(ZERO_ADDRESS)
    if isinstance(has, Unknown):
        return f"what the wallet holds of the native coin is not known: {has.reason}"
    gas = sum(map(gas_limit, used)) * price
    # of what goes along with calls, all but what steps before brought in is known to be there
    if has < gas:
        return f"the wallet has {has} wei, and gas may take {gas}"
    return None


def breach(condition: Condition, views: Sequence[PositionView]) -> str | None:
    """Say how positions do not meet a condition; None where they do.

    A position that is gone, or owes nothing any more, is as healthy as can be.
    """
    found = next((v for v in views if v.id == condition.subject), None)
    if condition.name == "health_factor":
        health = found.health_raw if found is not None else None
        least = condition.at_least
        if health is not None and least is not None and health < least:
            return f"{condition.subject}: health {health} is below {least}"
        return None
    if condition.name == "position_gone":
        return f"{condition.subject} is still there" if found is not None else None
    amount = _amount(condition, found)
    if condition.at_least is not None and amount < condition.at_least:
        return f"{condition.name} of {condition.subject}: {amount} is below {condition.at_least}"
    if condition.at_most is not None and amount > condition.at_most:
        return f"{condition.name} of {condition.subject}: {amount} is above {condition.at_most}"
    return None


def _amount(condition: Condition, found: PositionView | None) -> int:
    """Return what a condition is about: allowances, or what is held of `side:asset`."""
    if condition.name == "allowances":
        return found.allowances if found is not None else 0
    side, _, asset = condition.name.partition(":")
    legs = found.legs if found is not None else ()
    return sum(leg.amount for leg in legs if leg.side == side and leg.asset == asset)


def _steps(lab: Lab, candidate: Candidate, after: After) -> tuple[Step, ...]:
    return tuple(
        Step(
            id=draft.id or intent_id(lab, draft, i),
            what=draft.what,
            sender=draft.sender,
            call=Call(draft.effect.to, draft.effect.value, draft.effect.data),
            gas_used=outcome.gas_used,
            gas_limit=gas_limit(outcome.gas_used),
            guard=draft.guard,
            until=draft.until,
            deadline=draft.deadline,
            zero=draft.effect.zero,
        )
        for i, (draft, outcome) in enumerate(zip(candidate.drafts, after.outcomes, strict=True))
    )


def gas_limit(used: int) -> int:
    """Return a limit for what used so much: refunds of a fifth are not in it, and states move."""
    return used * 3 // 2 + GAS_SLACK


def intent_id(lab: Lab, draft: Draft, index: int) -> str:
    """Return the intent's id: the same where the same is planned of the same block."""
    parts = (
        "underkeel.intent/1", str(lab.at.chain_id), lab.at.hash, lab.account, draft.sender,
        draft.effect.to, str(draft.effect.value), draft.effect.data.hex(), str(index),
    )  # fmt: skip
    return "0x" + hashlib.sha256("\n".join(parts).encode()).hexdigest()


def with_lost(plan: Plan, lost: Sequence[Lost]) -> Plan:
    """Return the plan with what it was chosen over."""
    return replace(plan, lost=tuple(lost))
