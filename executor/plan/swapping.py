"""Hold something else instead: another collateral, another debt, and what a market move takes.

All without a loan, so each works only while the position stays healthy in between; a simulation
says whether it does.
"""

from dataclasses import dataclass

from chain.calls import ReadFailed, Reads
from chain.types import Address
from executor.plan.candidate import Candidate, No, allowing, amount_text
from executor.plan.health import Proposals
from executor.plan.lab import Draft, Lab
from executor.plan.lending import Verbs, collaterals, debts, owed_later, verbs_of
from executor.plan.trading import by_wallet, quote, swap_cost
from executor.plan.types import Action
from executor.swaps import Side
from executor.types import Condition
from protocols import tokens
from protocols.types import Leg, Position, Token


@dataclass(frozen=True, slots=True)
class Change:
    """A position, and the token that is to take another's place in it."""

    position: Position
    to: Address
    least_health: int
    """What the position's health must be afterwards, in its engine's scale."""


def collateral_swap(lab: Lab, change: Change) -> Proposals:
    """Withdraw each collateral but the wanted one, swap it, supply what comes out."""
    action = Action.COLLATERAL_SWAP
    ready = _ready(lab, change, action)
    if isinstance(ready, No):
        return [ready]
    verbs, token = ready
    legs = [leg for leg in collaterals(change.position) if leg.token.address != token.address]
    if not legs:
        return [No(action, f"there is no collateral but {token.symbol}")]
    return [_one_collateral(lab, change, verbs, leg, token) for leg in legs[:1]]


def _one_collateral(
    lab: Lab, change: Change, verbs: Verbs, leg: Leg, token: Token
) -> Candidate | No:
    action = Action.COLLATERAL_SWAP
    trade = quote(lab, leg.token, token, Side.EXACT_IN, leg.amount, lab.wallet)
    if isinstance(trade, str):
        return No(action, trade)
    least = trade.min_out
    take = Draft(
        f"withdraw {amount_text(leg.amount, leg.token)}",
        verbs.withdraw(leg.token, leg.amount, whole=True),
        lab.wallet,
    )
    added = verbs.add(token, least)
    assert added is not None  # the owner signs
    give = Draft(f"supply {amount_text(least, token)}", added, lab.wallet)
    giving = allowing(lab, token, verbs.spender(token), least, [give], after=False)
    if isinstance(giving, str):
        return No(action, giving)
    what = f"hold {token.symbol} instead of {amount_text(leg.amount, leg.token)} as collateral"
    conditions = (
        _healthy(change),
        Condition(f"collateral:{token.address}", change.position.id, at_least=least),
    )
    drafts = (take, *by_wallet(lab, trade), *giving)
    return Candidate(action, what, drafts, conditions, swaps=(swap_cost(trade.swap),))


def debt_swap(lab: Lab, change: Change) -> Proposals:
    """Borrow the wanted token, swap it for exactly what is owed, repay that."""
    action = Action.DEBT_SWAP
    ready = _ready(lab, change, action)
    if isinstance(ready, No):
        return [ready]
    verbs, token = ready
    legs = [leg for leg in debts(change.position) if leg.token.address != token.address]
    if not legs:
        return [No(action, f"nothing but {token.symbol} is owed")]
    return [_one_debt(lab, change, verbs, leg, token) for leg in legs[:1]]


def _one_debt(lab: Lab, change: Change, verbs: Verbs, leg: Leg, token: Token) -> Candidate | No:
    action = Action.DEBT_SWAP
    owed = owed_later(lab, leg)
    trade = quote(lab, token, leg.token, Side.EXACT_OUT, owed, lab.wallet)
    if isinstance(trade, str):
        return No(action, trade)
    borrow = verbs.borrow(token, trade.max_in)
    if borrow is None:
        return No(action, f"{token.symbol} cannot be borrowed there")
    take = Draft(f"borrow {amount_text(trade.max_in, token)}", borrow, lab.wallet)
    repay = Draft(
        f"repay all {amount_text(owed, leg.token)}", verbs.repay(leg, owed, whole=True), lab.wallet
    )
    repaying = allowing(lab, leg.token, verbs.spender(leg.token), owed, [repay], after=True)
    if isinstance(repaying, str):
        return No(action, repaying)
    what = f"owe {token.symbol} instead of {amount_text(leg.amount, leg.token)}"
    conditions = (
        _healthy(change),
        Condition(f"debt:{leg.token.address}", change.position.id, at_most=0),
    )
    drafts = (take, *by_wallet(lab, trade), *repaying)
    return Candidate(action, what, drafts, conditions, swaps=(swap_cost(trade.swap),))


def _healthy(change: Change) -> Condition:
    return Condition("health_factor", change.position.id, at_least=change.least_health)


def _ready(lab: Lab, change: Change, action: Action) -> tuple[Verbs, Token] | No:
    if lab.wallet != lab.account:
        return No(action, "only the owner can do that, and another wallet signs")
    verbs = verbs_of(lab, change.position)
    if isinstance(verbs, str):
        return No(action, verbs)
    token = describe(lab, change.to)
    if isinstance(token, str):
        return No(action, token)
    if not verbs.takes(token):
        return No(action, f"{change.position.market} is not of {token.symbol}")
    return verbs, token


def describe(lab: Lab, address: Address) -> Token | str:
    """Return a token by its address, from the positions or from itself; text says why not."""
    for position in lab.positions:
        for leg in position.legs:
            if leg.token.address == address:
                return leg.token

    def program() -> Reads[tuple[Token, tuple[str, ...]]]:
        results = yield tokens.reads(address)
        return tokens.describe(address, results)

    try:
        token, unknown = lab.read(program())
    except ReadFailed as failure:
        return failure.cause
    if unknown or token.decimals is None:
        return "; ".join(unknown) or f"{address} does not say its decimals"
    return token


__all__ = ["Change", "collateral_swap", "debt_swap", "describe"]
