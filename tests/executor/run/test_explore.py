"""Every order of events in a small world: the rules hold, and each mutated rule breaks.

Invariants: at most one effect per intent; what ended without effect can never have one; DONE is in
a final block; from every state, if nothing goes wrong any more, all ends.
"""

import os
from dataclasses import dataclass

import pytest

from executor.run import rules
from executor.run.actions import Action, Move, Wait
from executor.run.rules import RULES, Rule
from executor.run.view import View
from executor.types import Kind, State
from tests.executor.run.explorer import explore
from tests.executor.run.loss import LossyModel
from tests.executor.run.model import Budget, Model, instead, without

S = State
SOAK = int(os.environ.get("UNDERKEEL_SOAK", "1"))
"""Multiplies how much is explored."""


@dataclass(frozen=True)
class Case:
    """A world to explore, and how much of it."""

    name: str
    model: Model
    budget: Budget
    limit: int
    """States in the suite."""


CASES = (
    Case("one", Model(intents=1), Budget(3, strangers=1, reorgs=1, cancels=1), 5_000),
    Case("guarded", Model(guarded=True, intents=1), Budget(3, reorgs=1, cancels=1, thieves=1),
         4_000),
    Case("two", Model(), Budget(3, strangers=1, reorgs=1, cancels=1), 5_000),
    Case("lost", LossyModel(intents=1), Budget(3, strangers=1, reorgs=1, losses=1), 2_000),
    Case("lost-cancelled", LossyModel(intents=1), Budget(3, cancels=1, losses=1), 2_000),
    Case("two-lost", LossyModel(), Budget(4, losses=1), 1_000),
    Case("two-processes", Model(intents=1, processes=2), Budget(2, strangers=1, cancels=1), 4_000),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rules__every_order_of_events__hold(case: Case) -> None:
    found = explore(case.model, case.budget, limit=case.limit * SOAK)
    assert found.fault is None, found.trace


def replan_at_once(view: View) -> Action | None:
    """Do not wait for the stranger's block to be final."""
    nonce = view.intent.nonce
    if nonce is None or view.seen.nonce <= nonce:
        return None
    return rules.evidence(view, nonce)


def done_at_once(view: View) -> Action | None:
    """Do not wait for the receipt's block to be final."""
    if view.mined is None:
        return None
    attempt, receipt = view.mined
    if attempt.kind is Kind.NOOP:
        return rules.mined(view)
    if view.intent.state is not S.MINED:
        return Move(S.MINED, "", receipt)
    return Move(S.DONE if receipt.success else S.REVERTED, "", receipt)


def cancelled_at_once(view: View) -> Action | None:
    """Take a no-op in any block for the end."""
    if view.mined is not None and view.mined[0].kind is Kind.NOOP:
        if view.intent.state is not S.CANCELLING:
            return Move(S.CANCELLING, "")
        return Move(S.CANCELLED, "", view.mined[1])
    return rules.mined(view)


def cancelled_without_noop(view: View) -> Action | None:
    """Forget the payload when its owner cancels."""
    if not view.wishes.cancel:
        return None
    if view.intent.state in rules.UNSIGNED:
        return Move(S.CANCELLED, "")
    return Move(S.CANCELLING, "")


def forgotten(view: View) -> Action | None:
    """End a cancellation without looking at what is final."""
    return Move(S.CANCELLED, "") if view.intent.state is S.CANCELLING else None


def lost_reply_fails(view: View) -> Action | None:
    """Take a reply that did not come for a failure."""
    if any(a.reply == "unknown" for a in view.live):
        return Move(S.REPLAN, "")
    return None


def own_receipt_only(view: View) -> Action | None:
    """Believe the receipt alone that the payload failed, whatever the guard says."""
    if view.mined is None or view.intent.state is not S.MINED:
        return rules.mined(view)
    receipt = view.mined[1]
    if not view.final(receipt):
        return Wait("")
    return Move(S.DONE if receipt.success else S.REVERTED, "", receipt)


ONE = Budget(3, strangers=1, reorgs=1, cancels=1)
SENT_RULE = Rule("lost reply is a failure", frozenset({S.BROADCAST}), lost_reply_fails)
MUTATIONS: dict[str, tuple[Model, Budget]] = {
    "every recorded hash is looked up": (Model(latest_only=True, intents=1), Budget(4)),
    "a lost reply is no failure": (
        Model(table=(SENT_RULE, *RULES), intents=1, replies=True), Budget(3)),
    "record, then send": (Model(send_first=True, intents=1), Budget(3)),
    "a replacement keeps the nonce": (Model(new_nonce=True, intents=1), Budget(4)),
    "replan only when the stranger is final": (
        Model(table=instead("spent", replan_at_once), intents=1), ONE),
    "done only when final": (Model(table=instead("mined", done_at_once), intents=1), ONE),
    "cancelled only when the no-op is final": (
        Model(table=instead("mined", cancelled_at_once), intents=1), ONE),
    "a cancellation needs a no-op": (
        Model(table=(Rule("", frozenset({S.CANCELLING}), forgotten), *RULES), intents=1), ONE),
    "a reorganised payload is sent again": (Model(table=without("reorganised"), intents=1), ONE),
    "what is mined is noticed": (Model(table=without("mined"), intents=1), Budget(3)),
    "a spent nonce is noticed": (Model(table=without("spent"), intents=1), Budget(3, 1)),
    "what is pending is sent again": (
        Model(table=tuple(r for r in RULES if r.name not in ("rebroadcast", "replace")),
              intents=1), Budget(3)),
    "a hole is filled": (Model(table=without("hole"), intents=1), ONE),
    "the first no-op is signed": (Model(table=without("first_noop"), intents=1), ONE),
    "the guard's bit counts": (
        Model(table=instead("mined", own_receipt_only), guarded=True, intents=1),
        Budget(3, thieves=1)),
    "a journal that lost records is brought up to the chain": (
        LossyModel(intents=1, careless=True), Budget(4, losses=1)),
    "what may be live is burnt": (LossyModel(unburnt=True), Budget(4, losses=1)),
    "a stale writer is refused": (
        Model(intents=1, processes=2, fenced=False), Budget(2, cancels=1)),
}  # fmt: skip


@pytest.mark.parametrize("rule", MUTATIONS)
def test_rules__one_mutated__an_invariant_breaks(rule: str) -> None:
    model, budget = MUTATIONS[rule]
    assert explore(model, budget, limit=30_000).fault is not None
