"""What a decision is made from: rows of the journal, and one observation of the chain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from chain.types import BlockRef
from executor.fees import TRANSFER_GAS, Fees, Market, highest
from executor.types import Attempt, Intent, Kind, Receipt, Refused, State

IN_FLIGHT: Final = frozenset({State.NONCED, State.SIGNED, State.BROADCAST, State.CANCELLING})
"""States that take the one place of a wallet."""


@dataclass(frozen=True, slots=True)
class Spender:
    """The transaction in a final block that spent an intent's nonce."""

    hash: str
    same_effect: bool
    """It does what the intent wants: same target, value and data."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The chain at one block hash, as enough endpoints agree on it."""

    at: BlockRef
    final: int
    """Number of the newest final block."""
    nonce: int
    """Transactions of the wallet, at `at`."""
    final_nonce: int
    """The same at the final block."""
    market: Market
    receipts: Mapping[str, Receipt] = field(default_factory=dict)
    """Of every recorded hash that is in the chain of `at`."""
    used: bool | None = None
    """The guard knows the id at `at`; None where there is no guard."""
    used_final: bool | None = None
    """The same at the final block."""
    spender: Spender | None = None
    """Who finally spent the nonce, where it was none of ours and could be read."""
    foreign_pending: bool = False
    """The nodes hold a transaction of the wallet that is not ours."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the owner asked for since."""

    approve: bool = False
    cancel: bool = False
    speed_up: bool = False
    release: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """How patient the executor is. Blocks."""

    bump_blocks: int = 2
    """So long a payload may stay unmined before it is replaced."""
    private: bool = False
    """There is a private endpoint."""
    private_blocks: int = 1
    """So long only the private endpoint has it."""
    foreign_s: int = 60
    """Seconds to let a stranger's pending transaction of the wallet go first."""
    noop_gas: int = TRANSFER_GAS
    """Enough for a no-op on this chain."""


@dataclass(frozen=True)
class View:
    """One intent and all that matters to it."""

    intent: Intent
    attempts: tuple[Attempt, ...]
    seen: Observation
    settings: Settings = field(default_factory=Settings)
    others: tuple[Intent, ...] = ()
    """The wallet's other intents that are not terminal."""
    after: State | None = None
    """State of the intent it follows; None if there is none, or it is missing."""
    receipt: Receipt | None = None
    """As recorded."""
    wishes: Wishes = field(default_factory=Wishes)
    trigger: bool | None = True
    """Whether the reason for it holds now; None where that could not be read."""
    urgent: bool = False
    """Red zone: public at once, the fast tip, a replacement each block."""
    worth: bool = True
    """The value at stake beats the cost now."""
    limit: int = 0
    """F: the most to pay per gas now."""
    paused: bool = False
    whole: bool = True
    """The journal is known to have every payload that was ever sent from the wallet."""
    refused: Refused | None = None
    """The policy's answer to what was last decided to be signed."""
    waited_s: int = 0
    """Seconds since the intent was last changed."""

    @cached_property
    def live(self) -> tuple[Attempt, ...]:
        """The payloads at the nonce it is bound to."""
        return tuple(a for a in self.attempts if a.nonce == self.intent.nonce and a.raw)

    @cached_property
    def noops(self) -> tuple[Attempt, ...]:
        """The live no-ops."""
        return tuple(a for a in self.live if a.kind is Kind.NOOP)

    @cached_property
    def mined(self) -> tuple[Attempt, Receipt] | None:
        """The payload that is in the chain, whichever of all recorded ones."""
        for attempt in self.attempts:
            receipt = self.seen.receipts.get(attempt.hash)
            if receipt is not None:
                return attempt, receipt
        return None

    @property
    def previous(self) -> Fees | None:
        """What a replacement has to beat."""
        return highest([Fees(a.tip, a.cap) for a in self.live]) if self.live else None

    def final(self, receipt: Receipt) -> bool:
        """Whether a receipt's block is final."""
        return receipt.block_number <= self.seen.final
