"""Repay from the position's own collateral in one transaction, through the owner's guard.

In the guard: borrow by flash loan, repay, withdraw, swap for exactly what the lender is due, put
back what the swap left. The guard holds the owner's floor, loss and trigger; here the repayment is
sized so that the health afterwards is the target, by trying it on the real contracts.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from chain.calls import ReadFailed
from chain.types import ZERO_ADDRESS, Address
from chain.units import BPS, WAD, div_up
from executor.guard import (
    ALL_NATIVE,
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
from executor.plan.candidate import (
    Candidate,
    Goal,
    No,
    amount_text,
    falling_short,
    health_condition,
)
from executor.plan.health import Proposals, guess_repayment
from executor.plan.lab import Draft, Lab
from executor.plan.lenders import Loan, loan_of
from executor.plan.sizing import Unsized, least
from executor.plan.trading import Trade, quote, resized, swap_cost, tradable
from executor.plan.types import Action
from executor.plan.unwinding import pairs
from executor.swaps import Side, orders
from executor.swaps.types import Venue
from protocols.aave_v3 import actions as aave
from protocols.compound_v2 import actions as compound
from protocols.compound_v2.state import CompoundAccount
from protocols.effects import Effect
from protocols.morpho_blue import actions as morpho
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Leg, Token
from protocols.wallet import actions as wallet

ACTION: Final = Action.DELEVERAGE
NAMES: Final = {
    Protocol.AAVE_V3: "aave-v3",
    Protocol.MORPHO_BLUE: "morpho-blue",
    Protocol.COMPOUND_V2: "compound-v2",
}
"""What the adapters call the protocols of guards."""


@dataclass(frozen=True, slots=True)
class Job:
    """One pair to unwind through a guard."""

    lab: Lab
    goal: Goal
    guard: GuardState
    address: Address
    collateral: Leg
    debt: Leg
    sold: Token
    """The collateral, of the native coin its wrapped form."""
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
    now = falling_short(lab, goal)
    if isinstance(now, str):
        return [No(ACTION, now)]
    found: Proposals = []
    for collateral, debt in pairs(goal):
        guess = guess_repayment(goal, debt, now, from_collateral=True)
        loan = loan_of(lab, state, debt.token, min(guess, debt.amount))
        if isinstance(loan, str):
            found.append(No(ACTION, loan))
            continue
        sold = tradable(lab, collateral.token)
        if sold is None or debt.token.address == ZERO_ADDRESS:
            found.append(No(ACTION, "the native coin has no wrapped form that is known here"))
            continue
        job = Job(lab, goal, state, lab.guard, collateral, debt, sold, loan)
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
        (goal.position.protocol != NAMES[policy.protocol], "the guard is of another protocol"),
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
    base = quote(lab, job.sold, debt.token, Side.EXACT_OUT, due, job.address, venues)
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
        lab, job.sold, debt.token, Side.EXACT_OUT, job.loan.due(sized.amount),
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
    sold = job.sold.address
    swaps = (
        step(order.call.to, order.call.data, token=sold, amount=order.max_in)
        for order in orders(trade.swap, job.address, job.lab.time)
    )
    repay, out, back = PARTS[job.guard.policy.protocol](job, amount, takes)
    paid = step(repay.to, repay.data, token=job.debt.token.address, amount=amount)
    return (paid, *out, *swaps, *back)


Parts = tuple[Effect, tuple[Step, ...], tuple[Step, ...]]
"""How to repay, how collateral gets out, how what the swap left is put back."""


def _aave(job: Job, amount: int, takes: int) -> Parts:
    owner, pool = job.lab.account, job.guard.policy.market
    asset, debt = job.collateral.token.address, job.debt
    mode = aave.STABLE if debt.name == "stable" else aave.VARIABLE
    repay = aave.repay(pool, debt.token.address, amount, owner, mode)
    withdraw = aave.withdraw(pool, asset, takes, job.address)
    supply = aave.supply(pool, asset, 0, owner)
    out = (*_pulled(job, takes), step(withdraw.to, withdraw.data))
    return repay, out, (step(supply.to, supply.data, token=asset, fill=1),)


def _morpho(job: Job, amount: int, takes: int) -> Parts:
    state, owner, contract = job.goal.position.state, job.lab.account, job.guard.policy.market
    assert isinstance(state, MorphoPosition)
    asset = job.collateral.token.address
    repay = morpho.repay(contract, state.params, owner, assets=amount)
    withdraw = morpho.withdraw_collateral(contract, state.params, takes, owner, job.address)
    supply = morpho.supply_collateral(contract, state.params, 0, owner)
    back = step(supply.to, supply.data, token=asset, fill=5)  # after the five of the market
    return repay, (step(withdraw.to, withdraw.data),), (back,)


def _compound(job: Job, amount: int, takes: int) -> Parts:
    state, asset = job.goal.position.state, job.collateral.token.address
    assert isinstance(state, CompoundAccount)
    markets = {one.market.underlying.address: one.market for one in state.holdings}
    held, owed = markets[asset], markets[job.debt.token.address]
    if job.address == job.lab.account:
        repay = compound.repay(owed, amount)
        redeem = compound.redeem_underlying(held, takes)
        pulled: tuple[Step, ...] = ()
    else:
        repay = compound.repay_for(owed, amount, job.lab.account)
        tokens = div_up(takes * WAD, held.rate)
        redeem = compound.redeem(held, tokens)
        pulled = _pulled(job, tokens)
    out = (*pulled, step(redeem.to, redeem.data))
    if not held.native:
        mint = compound.supply(held, 0)
        return repay, out, (step(mint.to, mint.data, token=asset, fill=0),)
    wrapped = job.sold.address
    wrap, unwrap = wallet.wrap(wrapped, 0), wallet.unwrap(wrapped, 0)
    mint = compound.supply(held, 0)
    back = (
        step(unwrap.to, unwrap.data, token=wrapped, fill=0),
        step(mint.to, mint.data, value=ALL_NATIVE),
    )
    return repay, (*out, step(wrap.to, wrap.data, value=ALL_NATIVE)), back


PARTS: Final[Mapping[Protocol, Callable[[Job, int, int], Parts]]] = {
    Protocol.AAVE_V3: _aave,
    Protocol.MORPHO_BLUE: _morpho,
    Protocol.COMPOUND_V2: _compound,
}


def _pulled(job: Job, amount: int) -> tuple[Step, ...]:
    """Return how a module gets the owner's aTokens or cTokens; a delegate is the owner."""
    if job.address == job.lab.account:
        return ()
    kept = next(
        (a for a in job.guard.assets if a.token == job.collateral.token.address and a.position),
        None,
    )
    if kept is None:
        return ()  # the guard will say that it does not watch the token
    return (pull(kept.source, job.lab.account, job.address, amount),)


__all__ = ["flash_deleverage", "intent_key"]
