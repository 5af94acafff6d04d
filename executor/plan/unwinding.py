"""Repay from the position's own collateral, without a loan: withdraw, swap, repay.

Works only while the position stays healthy between withdrawing and repaying; a flash loan has no
such need. What is withdrawn is what the swap may take at most; what it leaves stays in the wallet.
"""

from collections.abc import Iterator
from fractions import Fraction

from chain.types import ZERO_ADDRESS
from executor.plan.candidate import (
    Candidate,
    Goal,
    No,
    allowing,
    amount_text,
    falling_short,
    health_condition,
)
from executor.plan.health import Proposals, guess_repayment
from executor.plan.lab import Draft, Failed, Lab
from executor.plan.lending import Verbs, collaterals, debts, verbs_of
from executor.plan.sizing import Unsized, least
from executor.plan.trading import Trade, by_wallet, quote, resized, swap_cost, tradable
from executor.plan.types import Action
from executor.swaps import Side
from protocols.types import Leg
from protocols.wallet import actions as wallet

MOST_PAIRS = 4
"""Pairs of collateral and debt that are tried, the largest collateral first."""


def pairs(goal: Goal) -> Iterator[tuple[Leg, Leg]]:
    """Yield which collateral might pay for which debt, the largest collateral first."""
    found = [
        (collateral, debt)
        for collateral in collaterals(goal.position)
        for debt in debts(goal.position)
        if collateral.token.address != debt.token.address
    ]
    yield from found[:MOST_PAIRS]


def withdraw_and_repay(lab: Lab, goal: Goal) -> Proposals:
    """Withdraw collateral, swap it for what is owed, repay; for each pair."""
    action = Action.WITHDRAW_AND_REPAY
    if lab.wallet != lab.account:
        return [No(action, "only the owner can withdraw, and another wallet signs")]
    verbs = verbs_of(lab, goal.position)
    if isinstance(verbs, str):
        return [No(action, verbs)]
    now = falling_short(lab, goal)
    if isinstance(now, str):
        return [No(action, now)]
    found = [_pair(lab, goal, verbs, now, *pair) for pair in pairs(goal)]
    return found or [No(action, "no collateral is of another token than the debt")]


def _pair(
    lab: Lab, goal: Goal, verbs: Verbs, now: int, collateral: Leg, debt: Leg
) -> Candidate | No:
    action = Action.WITHDRAW_AND_REPAY
    guess = min(guess_repayment(goal, debt, now, from_collateral=True), debt.amount)
    sold = tradable(lab, collateral.token)
    if sold is None:
        return No(action, "the native coin has no wrapped form that is known here")
    base = quote(lab, sold, debt.token, Side.EXACT_OUT, max(guess, 1), lab.wallet)
    if isinstance(base, str):
        return No(action, base)
    rate = Fraction(base.max_in, guess or 1)

    def drafts(amount: int) -> tuple[Draft, ...] | Failed:
        takes = -(-amount * rate.numerator // rate.denominator)
        return _drafts(lab, verbs, collateral, debt, resized(base, amount, takes), takes)

    def health(amount: int) -> int | Failed | None:
        found = drafts(amount)
        return found if isinstance(found, Failed) else lab.health_after(found, goal.position)

    most = min(debt.amount, collateral.amount * rate.denominator // rate.numerator)
    sized = least(health, goal.target_raw, now, guess, most)
    if isinstance(sized, Unsized):
        return No(action, f"{collateral.token.symbol} → {debt.token.symbol}: {sized.reason}")
    final = drafts(sized.amount)
    if isinstance(final, Failed):
        return No(action, final.reason)
    told = quote(lab, sold, debt.token, Side.EXACT_OUT, sized.amount, lab.wallet)
    if isinstance(told, str):
        return No(action, told)
    what = f"repay {amount_text(sized.amount, debt.token)} with {collateral.token.symbol}"
    return Candidate(action, what, final, (health_condition(goal),), swaps=(swap_cost(told.swap),))


def _drafts(
    lab: Lab, verbs: Verbs, collateral: Leg, debt: Leg, trade: Trade, takes: int
) -> tuple[Draft, ...] | Failed:
    amount = trade.swap.question.amount
    withdraw = Draft(
        f"withdraw {amount_text(takes, collateral.token)}",
        verbs.withdraw(collateral.token, takes),
        lab.wallet,
    )
    repay = Draft(
        f"repay {amount_text(amount, debt.token)}",
        verbs.repay(debt, amount, whole=False),
        lab.wallet,
    )
    spender = verbs.spender(debt.token)
    repaying = allowing(lab, debt.token, spender, amount, [repay], after=False)
    if isinstance(repaying, str):
        return Failed(repaying)
    wrapping: tuple[Draft, ...] = ()
    if collateral.token.address == ZERO_ADDRESS:
        into = trade.swap.question.token_in
        wrap = wallet.wrap(into.address, takes)
        wrapping = (Draft(f"wrap {amount_text(takes, into)}", wrap, lab.wallet),)
    return (withdraw, *wrapping, *by_wallet(lab, trade), *repaying)
