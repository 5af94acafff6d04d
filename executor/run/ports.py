"""What a runner needs from others."""

from dataclasses import dataclass
from typing import Protocol

from chain.transactions import Transaction
from chain.types import BlockRef
from executor.types import Intent, Ledger, Verdict


class Policy(Protocol):
    """The wallet's guard below every strategy."""

    def verdict(self, intent: Intent, transaction: Transaction, ledger: Ledger) -> Verdict:
        """Return whether the transaction may be signed now."""
        ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an intent is worth now."""

    trigger: bool | None = True
    """Whether the reason for it holds; None where it could not be read: nothing is signed."""
    value_wei: int | None = None
    """The loss it avoids; None leaves the owner's caps as the only bound."""
    other_cost_wei: int = 0
    """Swap, loan fee and re-entry."""
    urgent: bool = False
    """Red zone."""


class Judge(Protocol):
    """Whoever made the plan: it knows why."""

    def judge(self, intent: Intent, at: BlockRef) -> Judgement:
        """Return what the intent is worth at a block."""
        ...


class Standing:
    """The judge of intents whose reason does not change: what was planned is wanted."""

    def judge(self, intent: Intent, at: BlockRef) -> Judgement:
        """Return the intent's own values."""
        return Judgement(True, intent.value_wei, intent.other_cost_wei)
