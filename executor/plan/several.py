"""Repay several debts where none alone is enough: the largest whole, and of the last a part."""

from chain.calls import Unknown
from executor.plan.candidate import (
    Candidate,
    Goal,
    No,
    allowing,
    amount_text,
    health_condition,
)
from executor.plan.lab import Draft, Failed, Lab
from executor.plan.lending import Verbs, debts, owed_later, value
from executor.plan.sizing import Unsized, least
from executor.plan.types import Action
from protocols.types import Leg


def several(lab: Lab, goal: Goal, verbs: Verbs) -> Candidate | No:
    """Return the repayments that reach the target together, sized to one unit of the last."""
    before: tuple[Draft, ...] = ()
    texts: list[str] = []
    found = lab.health_now(goal.position)
    for debt in sorted(debts(goal.position), key=value, reverse=True):
        if isinstance(found, Failed) or found is None:
            return No(Action.REPAY, found.reason if found else "there is no debt")
        now, whole = found, owed_later(lab, debt)
        drafts = _repaid(lab, verbs, debt, whole, whole=True)
        if isinstance(drafts, str):
            return No(Action.REPAY, drafts)
        found = lab.health_after((*before, *drafts), goal.position)
        reached = found is None or (isinstance(found, int) and found >= goal.target_raw)
        if reached:
            last = _part(lab, goal, verbs, debt, before, now)
            if isinstance(last, No):
                return last
            text, drafts = last
        texts.append(text if reached else f"all {amount_text(debt.amount, debt.token)}")
        before = (*before, *drafts)
        if reached:
            what = "repay " + " and ".join(texts)
            return Candidate(Action.REPAY, what, before, (health_condition(goal),))
    return No(Action.REPAY, "not even all debts together are enough")


def _part(
    lab: Lab, goal: Goal, verbs: Verbs, debt: Leg, before: tuple[Draft, ...], now: int
) -> tuple[str, tuple[Draft, ...]] | No:
    """Size the last repayment."""

    def health(amount: int) -> int | Failed | None:
        drafts = _repaid(lab, verbs, debt, amount, whole=False)
        if isinstance(drafts, str):
            return Failed(drafts)
        return lab.health_after((*before, *drafts), goal.position)

    guess = debt.amount - debt.amount * now // goal.target_raw
    sized = least(health, goal.target_raw, now, guess, debt.amount)
    whole = isinstance(sized, Unsized)  # what is owed later may be more than is owed now
    amount = owed_later(lab, debt) if isinstance(sized, Unsized) else sized.amount
    drafts = _repaid(lab, verbs, debt, amount, whole=whole)
    if isinstance(drafts, str):
        return No(Action.REPAY, drafts)
    return f"{'all ' if whole else ''}{amount_text(min(amount, debt.amount), debt.token)}", drafts


def _repaid(
    lab: Lab, verbs: Verbs, debt: Leg, amount: int, *, whole: bool
) -> tuple[Draft, ...] | str:
    """Return one repayment with its allowance; text says what the wallet lacks."""
    token = debt.token
    have = lab.balance(token.address)
    if isinstance(have, Unknown):
        return f"what the wallet holds of {token.symbol} is not known: {have.reason}"
    if have < amount:
        needs, holds = amount_text(amount, token), amount_text(have, token)
        return f"needs {needs}, and the wallet holds {holds}"
    text = f"repay {amount_text(amount, token)}"
    draft = Draft(text, verbs.repay(debt, amount, whole=whole), lab.wallet)
    return allowing(lab, token, verbs.spender(token), amount, [draft], after=whole)
