"""Repay from the position's own collateral in one transaction, through the owner's guard.

In the guard: borrow by flash loan, repay, withdraw, swap for exactly what the lender is due, put
back what the swap left. The guard holds the owner's floor, loss and trigger; here the repayment is
sized so that the health afterwards is the target, by trying it on the real contracts.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from chain.calls import ReadFailed
from chain.types import Address
from chain.units import BPS
from executor.guard import (
    GuardIntent,
    GuardState,
    Protocol,
    Step,
    Unset,
    encode_execute,
    pull,
    read_guard,
    step,
)
from executor.plan.candidate import Candidate, Goal, No, amount_text, health_condition
from executor.plan.health import Proposals, guess_repayment
from executor.plan.lab import Draft, Failed, Lab
from executor.plan.lenders import Loan, loan_of
from executor.plan.lending import verbs_of
from executor.plan.sizing import Unsized, least
from executor.plan.trading import Trade, quote, resized, swap_cost
from executor.plan.types import Action
from executor.plan.unwinding import pairs
from executor.swaps import Side, orders
from executor.swaps.types import Venue
from protocols.aave_v3 import actions as aave
from protocols.effects import Effect
from protocols.morpho_blue import actions as morpho
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Leg

ACTION = Action.DELEVERAGE
PUT_BACK = {Protocol.AAVE_V3: 1, Protocol.MORPHO_BLUE: 5}
"""Which word of the supplying call is its amount: what the swap left is filled in there."""


@dataclass(frozen=True, slots=True)
class Job:
    """One pair to unwind through a guard."""

    lab: Lab
    goal: Goal
    guard: GuardState
    address: Address
    market: Address
    """The pool, or Morpho."""
    collateral: Leg
    debt: Leg
    loan: Loan


def flash_deleverage(lab: Lab, goal: Goal) -> Proposals:
    """Unwind through the guard, for each pair of collateral and debt."""
    if lab.guard is None:
        return [No(ACTION, "no guard is configured")]
    try:
        state = lab.read(read_guard(lab.guard))
    except ReadFailed as failure:
        return [No(ACTION, f"the guard: {failure.cause}")]
    why = _unusable(lab, goal, state)
    if why is not None:
        return [No(ACTION, why)]
    assert isinstance(state, GuardState)
    verbs = verbs_of(lab, goal.position)
    if isinstance(verbs, str):
        return [No(ACTION, verbs)]
    now = lab.health_now(goal.position)
    if isinstance(now, Failed) or now is None:
        return [No(ACTION, now.reason if now else "there is no debt")]
    found: Proposals = []
    for collateral, debt in pairs(goal):
        guess = guess_repayment(goal, debt, now, from_collateral=True)
        loan = loan_of(lab, state, debt.token, min(guess, debt.amount))
        if isinstance(loan, str):
            found.append(No(ACTION, loan))
            continue
        job = Job(lab, goal, state, lab.guard, verbs.spender, collateral, debt, loan)
        found.append(_sized(job, now))
    return found or [No(ACTION, "no collateral is of another token than the debt")]


def _unusable(lab: Lab, goal: Goal, state: GuardState | Unset) -> str | None:
    """Say why this guard cannot do it now; None where it may."""
    if isinstance(state, Unset):
        return "the guard is not configured: it refuses everyone"
    policy = state.policy
    checks = (
        (state.paused, "the guard is paused"),
        (state.account != lab.account, f"the guard is of {state.account}"),
        (policy.executor != lab.wallet, f"the guard takes orders of {policy.executor} only"),
        (policy.valid_until < lab.time, "the guard's policy has expired"),
        (policy.protocol not in PUT_BACK, f"{policy.protocol.name} is not done by flash loan yet"),
        (goal.target_raw > policy.ceiling, "the target is above the guard's ceiling"),
        (goal.target_raw < policy.floor, "the target is below the guard's floor"),
    )
    return next((why for wrong, why in checks if wrong), None)


def _sized(job: Job, now: int) -> Candidate | No:
    """Find the least repayment; where the guard refuses the best venues, try each alone."""
    lab = job.lab
    choices: list[Sequence[Venue]] = [lab.venues, *([v] for v in lab.venues)]
    reasons: list[str] = []
    for venues in choices[: 1 if len(lab.venues) < 2 else None]:
        found = _over(job, now, venues)
        if isinstance(found, Candidate):
            return found
        if found not in reasons:
            reasons.append(found)
        if "CallNotAllowed" not in found:
            break
    pair = f"{job.collateral.token.symbol} → {job.debt.token.symbol}"
    return No(ACTION, f"{pair}: " + "; ".join(reasons))


def _over(job: Job, now: int, venues: Sequence[Venue]) -> Candidate | str:
    lab, goal, debt, collateral = job.lab, job.goal, job.debt, job.collateral
    guess = max(1, min(guess_repayment(goal, debt, now, from_collateral=True), debt.amount))
    due = job.loan.due(guess)
    base = quote(lab, collateral.token, debt.token, Side.EXACT_OUT, due, job.address, venues)
    if isinstance(base, str):
        return base
    rate = Fraction(base.max_in, due)

    def draft(amount: int, floor: int) -> Draft:
        owed = job.loan.due(amount)
        takes = min(collateral.amount, -(-owed * rate.numerator // rate.denominator))
        return _draft(job, amount, takes, resized(base, owed, takes), floor)

    sized = least(
        lambda amount: lab.health_after([draft(amount, job.guard.policy.floor)], goal.position),
        goal.target_raw,
        now,
        guess,
        min(debt.amount, collateral.amount * rate.denominator // rate.numerator),
    )
    if isinstance(sized, Unsized):
        return sized.reason
    told = quote(
        lab, collateral.token, debt.token, Side.EXACT_OUT, job.loan.due(sized.amount),
        job.address, venues,
    )  # fmt: skip
    if isinstance(told, str):
        return told
    final = draft(sized.amount, _floor(job))
    return Candidate(
        ACTION,
        final.what,
        (final,),
        (health_condition(goal),),
        swaps=(swap_cost(told.swap),),
        loan_fee=job.loan.fee(sized.amount),
        loan_token=debt.token,
        notes=(f"flash loan of {job.loan.name}",),
    )


def _draft(job: Job, amount: int, takes: int, trade: Trade, floor: int) -> Draft:
    lab, policy = job.lab, job.guard.policy
    key = intent_key(lab, job.goal)
    intent = GuardIntent(
        id=key,
        deadline=lab.time,
        max_base_fee=policy.max_base_fee,
        min_health_factor_after=floor,
        max_loss_bps=policy.max_loss_bps,
        flash_token=job.debt.token.address,
        flash_amount=amount,
        calls=_steps(job, amount, takes, trade),
    )
    what = (
        f"repay {amount_text(amount, job.debt.token)} with {job.collateral.token.symbol} "
        "by flash loan"
    )
    return Draft(
        what,
        Effect(job.address, encode_execute(intent)),
        lab.wallet,
        guard=job.address,
        deadline=lab.time,
        id="0x" + key.hex(),
    )


def _floor(job: Job) -> int:
    """Return the health that the guard holds the intent to: the target, less what prices and
    slippage may take of it between planning and mining; the owner's floor at least."""
    own = job.goal.target_raw * (BPS - job.lab.limits.slippage_bps) // BPS
    return max(own, job.guard.policy.floor)


def intent_key(lab: Lab, goal: Goal) -> bytes:
    """Return the intent's id, which the call itself holds: one for a position and a block."""
    parts = (
        "underkeel.deleverage/1", str(lab.at.chain_id), lab.at.hash, goal.position.id, lab.wallet,
        str(goal.target_raw),
    )  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).digest()


def _steps(job: Job, amount: int, takes: int, trade: Trade) -> tuple[Step, ...]:
    """Return what the guard does with the loan in hand."""
    lab, debt, collateral = job.lab, job.debt, job.collateral
    swaps = tuple(
        step(order.call.to, order.call.data, token=collateral.token.address, amount=order.max_in)
        for order in orders(trade.swap, job.address, lab.time)
    )
    parts = _morpho if job.guard.policy.protocol is Protocol.MORPHO_BLUE else _aave
    before, put_back = parts(job, amount, takes)
    fill = PUT_BACK[job.guard.policy.protocol]
    last = step(put_back.to, put_back.data, token=collateral.token.address, fill=fill)
    repay = step(before[0].to, before[0].data, token=debt.token.address, amount=amount)
    pulled = _pulled(job, takes)
    return (repay, *pulled, *(step(e.to, e.data) for e in before[1:]), *swaps, last)


def _pulled(job: Job, takes: int) -> tuple[Step, ...]:
    """Return how a module gets the owner's aTokens; a delegate is the owner."""
    if job.address == job.lab.account or job.guard.policy.protocol is not Protocol.AAVE_V3:
        return ()
    kept = next(
        (a for a in job.guard.assets if a.token == job.collateral.token.address and a.position),
        None,
    )
    if kept is None:
        return ()  # the guard will say that it does not watch the token
    return (pull(kept.source, job.lab.account, job.address, takes),)


def _aave(job: Job, amount: int, takes: int) -> tuple[tuple[Effect, ...], Effect]:
    owner, pool = job.lab.account, job.market
    asset, debt = job.collateral.token.address, job.debt
    mode = aave.STABLE if debt.name == "stable" else aave.VARIABLE
    repay = aave.repay(pool, debt.token.address, amount, owner, mode)
    withdraw = aave.withdraw(pool, asset, takes, job.address)
    return (repay, withdraw), aave.supply(pool, asset, 0, owner)


def _morpho(job: Job, amount: int, takes: int) -> tuple[tuple[Effect, ...], Effect]:
    state, owner, contract = job.goal.position.state, job.lab.account, job.market
    assert isinstance(state, MorphoPosition)
    repay = morpho.repay(contract, state.params, owner, assets=amount)
    withdraw = morpho.withdraw_collateral(contract, state.params, takes, owner, job.address)
    return (repay, withdraw), morpho.supply_collateral(contract, state.params, 0, owner)


__all__ = ["flash_deleverage", "intent_key"]
