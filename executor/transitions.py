"""The one table of what an intent may become, and why. Anything else raises.

Same state to same state is no transition: only the row's other columns change then.
"""

from typing import Final

from executor.types import State

S = State

TRANSITIONS: Final[dict[tuple[State, State], str]] = {
    (S.PLANNED, S.APPROVED): "the owner, or a rule of theirs, wants it",
    (S.PLANNED, S.HELD): "the journal lost records, or the policy refuses for good",
    (S.PLANNED, S.DONE): "found done on chain: the journal had lost it",
    (S.PLANNED, S.MINED): "found mined on chain: the journal had lost it",
    (S.PLANNED, S.CANCELLED): "too late, unwanted, or what it follows failed",
    (S.APPROVED, S.NONCED): "the wallet's place is free: nonce and intent in one commit",
    (S.APPROVED, S.HELD): "the policy refuses for good, or the journal lost records",
    (S.APPROVED, S.DONE): "found done on chain: the journal had lost it",
    (S.APPROVED, S.MINED): "found mined on chain: the journal had lost it",
    (S.APPROVED, S.CANCELLED): "too late, unwanted, trigger gone, or what it follows failed",
    (S.NONCED, S.SIGNED): "the signed bytes are recorded, before anything is sent",
    (S.NONCED, S.REPLAN): "spent by another, a lower nonce came free, or records were lost",
    (S.NONCED, S.HELD): "the policy refuses for good; nothing was signed",
    (S.NONCED, S.MINED): "found mined on chain: the journal had lost it",
    (S.NONCED, S.DONE): "found done on chain: the journal had lost it",
    (S.NONCED, S.CANCELLED): "too late or unwanted, and nothing was signed",
    (S.SIGNED, S.BROADCAST): "an endpoint was given the bytes",
    (S.SIGNED, S.MINED): "it had been sent before a crash",
    (S.SIGNED, S.CANCELLING): "too late, unwanted or paused; bytes exist, so a no-op must win",
    (S.SIGNED, S.REPLAN): "the nonce was finally spent by another",
    (S.SIGNED, S.DONE): "the guard finally tells that the effect took place",
    (S.SIGNED, S.HELD): "the nonce is finally spent, and nobody can tell by what",
    (S.BROADCAST, S.SIGNED): "a replacement is recorded",
    (S.BROADCAST, S.MINED): "a canonical block has a payload of it",
    (S.BROADCAST, S.CANCELLING): "too late or unwanted",
    (S.BROADCAST, S.REPLAN): "the nonce was finally spent by another",
    (S.BROADCAST, S.DONE): "the guard finally tells that the effect took place",
    (S.BROADCAST, S.HELD): "the nonce is finally spent, and nobody can tell by what",
    (S.MINED, S.BROADCAST): "reorganised: its block is not canonical any more",
    (S.MINED, S.CANCELLING): "reorganised while a no-op is out",
    (S.MINED, S.DONE): "final, and it succeeded",
    (S.MINED, S.REVERTED): "final, and it failed",
    (S.CANCELLING, S.MINED): "the effect won",
    (S.CANCELLING, S.CANCELLED): "the no-op, or another, finally spent the nonce",
    (S.CANCELLING, S.DONE): "the guard finally tells that the effect took place",
    (S.CANCELLING, S.HELD): "the nonce is finally spent, and nobody can tell by what",
    (S.HELD, S.APPROVED): "its owner releases it",
    (S.HELD, S.CANCELLED): "too late, or unwanted; nothing of it is live",
    (S.HELD, S.DONE): "found done on chain",
    (S.HELD, S.MINED): "found mined on chain",
    (S.REPLAN, S.NONCED): "the same id, and a new nonce",
    (S.REPLAN, S.HELD): "the policy refuses for good, or the journal lost records",
    (S.REPLAN, S.CANCELLED): "too late, unwanted, trigger gone, or what it follows failed",
    (S.REPLAN, S.DONE): "found done on chain",
    (S.REPLAN, S.MINED): "found mined on chain: the journal had lost it",
}


class IllegalTransition(Exception):
    """A change that the table does not have: a fault of the program, never of the chain."""

    def __init__(self, intent: str, old: State, new: State) -> None:
        super().__init__(f"intent {intent[:10]} cannot go from {old} to {new}")
        self.intent = intent
        self.old = old
        self.new = new


def check(intent: str, old: State, new: State) -> None:
    """Raise `IllegalTransition` unless the table has the change."""
    if old is not new and (old, new) not in TRANSITIONS:
        raise IllegalTransition(intent, old, new)
