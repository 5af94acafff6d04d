"""Restore a position's health with what the account has: repay, add, burn aTokens.

Amounts come from `risk.remedy`: one base unit less would fall short, at the plan's time. Burning
aTokens moves both sides at once and is sized by trying.
"""

from fractions import Fraction

from chain.calls import Unknown
from executor.plan.candidate import (
    Candidate,
    Goal,
    No,
    allowing,
    amount_text,
    falling_short,
    health_condition,
)
from executor.plan.lab import Draft, Lab
from executor.plan.lending import Verbs, debts, verbs_of
from executor.plan.several import several
from executor.plan.sizing import Unsized, least
from executor.plan.types import Action
from protocols.types import Leg, Price, Side
from risk.remedy import Kind, Remedy, remedies

Proposals = list[Candidate | No]


def repay(lab: Lab, goal: Goal) -> Proposals:
    """Repay one debt from the wallet, for each debt."""
    return _by_remedies(lab, goal, Action.REPAY, Kind.REPAY)


def top_up(lab: Lab, goal: Goal) -> Proposals:
    """Add to one collateral from the wallet, for each collateral."""
    return _by_remedies(lab, goal, Action.TOP_UP, Kind.ADD)


def _by_remedies(lab: Lab, goal: Goal, action: Action, kind: Kind) -> Proposals:
    verbs = verbs_of(lab, goal.position)
    if isinstance(verbs, str):
        return [No(action, verbs)]
    try:
        found = remedies(goal.position.state, goal.target_raw, lab.time)
    except ArithmeticError as failure:
        return [No(action, f"the protocol's own arithmetic fails: {failure}")]
    if found is None:
        return [No(action, "there is no debt")]
    if found.already:
        return [No(action, "its health is that without doing anything")]
    prefix = "repay" if kind is Kind.REPAY else "add"
    unknown = [No(action, why) for why in found.unknown if why.startswith(prefix)]
    each = [_remedied(lab, goal, action, verbs, r) for r in found.each if r.kind is kind]
    ways = [r for r in found.each if r.kind is Kind.REPAY]
    if kind is Kind.REPAY and len(ways) > 1 and all(r.amount is None for r in ways):
        return [several(lab, goal, verbs), *unknown]
    return each + unknown or [No(action, f"there is nothing to {prefix}")]


def _remedied(lab: Lab, goal: Goal, action: Action, verbs: Verbs, remedy: Remedy) -> Candidate | No:
    repaying = remedy.kind is Kind.REPAY
    side = Side.DEBT if repaying else Side.COLLATERAL
    leg = next(
        leg
        for leg in goal.position.legs
        if leg.token.address == remedy.asset
        and leg.side is side
        and (not repaying or remedy.name in (leg.name, "debt"))
    )
    token, amount = leg.token, remedy.amount
    if amount is None:
        return No(action, f"no amount of {token.symbol} alone is enough")
    if remedy.obstacles:
        return No(action, f"{token.symbol}: {', '.join(remedy.obstacles)}")
    have = lab.balance(token.address)
    if isinstance(have, Unknown):
        return No(action, f"what the wallet holds of {token.symbol} is not known: {have.reason}")
    if have < amount:
        return No(
            action,
            f"needs {amount_text(amount, token)}, and the wallet holds {amount_text(have, token)}",
        )
    if repaying:
        what = f"repay {'all ' if remedy.whole else ''}{amount_text(amount, token)}"
        effect = verbs.repay(leg, amount, whole=remedy.whole)
    else:
        what = f"add {amount_text(amount, token)} as collateral"
        added = verbs.add(token, amount)
        if added is None:
            return No(action, "only the owner can do that, and another wallet signs")
        effect = added
    draft = Draft(what, effect, lab.wallet)
    spender = verbs.spender(token)
    drafts = allowing(lab, token, spender, amount, [draft], after=remedy.whole)
    if isinstance(drafts, str):
        return No(action, drafts)
    return Candidate(action, what, drafts, (health_condition(goal),))


def repay_with_atokens(lab: Lab, goal: Goal) -> Proposals:
    """Repay a debt with what is supplied of the same asset, for each such debt."""
    action = Action.REPAY_WITH_ATOKENS
    if lab.wallet != lab.account:
        return [No(action, "only the owner can do that, and another wallet signs")]
    verbs = verbs_of(lab, goal.position)
    if isinstance(verbs, str):
        return [No(action, verbs)]
    found: Proposals = []
    for debt in debts(goal.position):
        own = [
            leg
            for leg in goal.position.legs
            if leg.token.address == debt.token.address
            and leg.side in (Side.ASSET, Side.COLLATERAL)
            and leg.amount
        ]
        if not own or verbs.repay_with_supply(debt, 1) is None:
            continue
        found.append(_with_supply(lab, goal, verbs, debt, own[0]))
    return found or [No(action, "nothing is supplied of what is owed")]


def _with_supply(lab: Lab, goal: Goal, verbs: Verbs, debt: Leg, own: Leg) -> Candidate | No:
    action, token = Action.REPAY_WITH_ATOKENS, debt.token

    def drafts(amount: int) -> tuple[Draft, ...]:
        effect = verbs.repay_with_supply(debt, amount)
        assert effect is not None
        what = f"repay {amount_text(amount, token)} with what is supplied of it"
        return (Draft(what, effect, lab.wallet),)

    now = falling_short(lab, goal)
    if isinstance(now, str):
        return No(action, now)
    sized = least(
        lambda amount: lab.health_after(drafts(amount), goal.position),
        goal.target_raw,
        now,
        guess_repayment(goal, debt, now, from_collateral=own.side is Side.COLLATERAL),
        min(debt.amount, own.amount),
    )
    if isinstance(sized, Unsized):
        return No(action, f"{token.symbol}: {sized.reason}")
    (draft,) = drafts(sized.amount)
    return Candidate(action, draft.what, (draft,), (health_condition(goal),))


def guess_repayment(
    goal: Goal,
    debt: Leg,
    now: int,
    *,
    from_collateral: bool,
    threshold: Fraction = Fraction(4, 5),
) -> int:
    """Return about how much of a debt is to be repaid, in its base units.

    Of health H, debt D and target H1: D·(1 − H/H1) from outside, (H1 − H)·D/(H1 − LT) from
    collateral with threshold LT. D is the whole debt of the position, in units of this one.
    """
    price = debt.price if isinstance(debt.price, Price) else None
    total = Fraction(debt.amount)
    if price is not None and price.raw:
        one = Fraction(price.raw, 10 ** (price.decimals + (debt.token.decimals or 0)))
        worth = Fraction(0)
        for leg in debts(goal.position):
            if isinstance(leg.price, Price) and leg.token.decimals is not None:
                unit = 10 ** (leg.price.decimals + leg.token.decimals)
                worth += Fraction(leg.amount * leg.price.raw, unit)
        total = worth / one
    scale = 10**18
    ratio, wanted = Fraction(now, scale), Fraction(goal.target_raw, scale)
    if from_collateral and wanted > threshold:
        return int((wanted - ratio) * total / (wanted - threshold))
    return int(total * (1 - ratio / wanted))
