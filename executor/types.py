"""The values of the executor: what is wanted, what was signed, what happened.

One step of a plan is one transaction is one `Intent`. Its id is the same in the planner, the
journal and the guard contract's "used" bit. Amounts are wei, fees wei per gas, times Unix seconds;
addresses EIP-55 text; ids and hashes are 0x and 64 lower-case hex digits.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from chain.types import Address


class State(StrEnum):
    """Where an intent is. `executor.transitions` says what may follow what."""

    PLANNED = "planned"
    """Recorded; the trigger and the owner's consent are still to be asked."""
    APPROVED = "approved"
    """Wanted, and waiting for the wallet's one place."""
    NONCED = "nonced"
    """Bound to a nonce; nothing was signed at it."""
    SIGNED = "signed"
    """A payload is recorded that may or may not have been sent."""
    BROADCAST = "broadcast"
    """An endpoint was given a payload."""
    MINED = "mined"
    """The effect is in a canonical block that is not final."""
    DONE = "done"
    """The effect is in a final block."""
    REVERTED = "reverted"
    """The payload is in a final block and failed there: gas was spent, nothing happened."""
    CANCELLED = "cancelled"
    """No payload of the effect can ever be mined any more, and none was."""
    HELD = "held"
    """Waits for its owner; no payload of it is live."""
    CANCELLING = "cancelling"
    """A no-op competes for its nonce; the effect is not signed again."""
    REPLAN = "replan"
    """Its nonce was finally spent by a stranger: the same id may be given a new one."""


TERMINAL: Final = frozenset({State.DONE, State.REVERTED, State.CANCELLED})


class Kind(StrEnum):
    """What a signed payload does."""

    EFFECT = "effect"
    NOOP = "noop"
    """Zero wei from the wallet to itself."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does."""

    to: Address
    value: int
    """Wei."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Condition:
    """A fact that must hold after the effect; `name` is the planner's, e.g. `health_factor`."""

    name: str
    subject: str
    """What it is of: a market, a token, an account."""
    at_least: int | None = None
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why the intent exists: a metric, its threshold, and what it was when the plan was made."""

    metric: str
    subject: str
    threshold: int
    observed: int
    block: int


@dataclass(frozen=True, slots=True)
class Intent:
    """One transaction that is wanted at most once.

    All but `state`, `nonce`, `version` and `reason` is fixed when the intent is recorded.
    """

    id: str
    chain_id: int
    account: Address
    """Whose position it is for."""
    wallet: Address
    """Who signs, sends and pays."""
    call: Call
    gas_limit: int
    deadline: int
    """Past it the effect is not signed any more, and a live one is cancelled."""
    fee_cap_abs: int
    """The most that the owner pays per gas."""
    guard: Address | None = None
    """The guard contract whose `usedAt(id)` tells whether the effect took place."""
    conditions: tuple[Condition, ...] = ()
    trigger: Trigger | None = None
    value_wei: int | None = None
    """The loss it avoids; None leaves the owner's caps as the only bound on fees."""
    other_cost_wei: int = 0
    """What it costs besides gas: swap, loan fee, re-entry."""
    authorizations: tuple[bytes, ...] = ()
    """Signed EIP-7702 authorizations, RLP of [chain id, delegate, nonce, y parity, r, s]."""
    plan: str = ""
    """Hash of the plan it is a step of."""
    step: int = 0
    after: str | None = None
    """Id of the intent that has to happen first."""
    after_state: State = State.DONE
    """How far `after` has to be: DONE, or MINED where a reorganisation does no harm."""
    filler: bool = False
    """Only there to spend a nonce below a live one."""
    state: State = State.PLANNED
    nonce: int | None = None
    version: int = 0
    """Counts the changes of its row."""
    reason: str = ""
    """Why it is in this state, for people."""

    @property
    def done(self) -> bool:
        """Whether nothing will be done for it any more."""
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True)
class Attempt:
    """One payload that was signed, recorded before it was sent."""

    intent: str
    k: int
    """Counts the attempts of an intent, from 0."""
    kind: Kind
    nonce: int
    raw: bytes = field(repr=False)
    """The signed bytes; empty for a payload found on chain that the journal had lost."""
    hash: str
    tip: int
    cap: int
    gas: int
    channels: frozenset[str] = frozenset()
    """Where it was sent: `private`, `public`."""
    reply: str = ""
    """What the endpoints last said to it, in a word."""
    first_block: int | None = None
    """Head when it was first sent."""
    last_block: int | None = None
    """Head when it was last sent."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a payload was mined."""

    hash: str
    block_hash: str
    block_number: int
    success: bool
    cost_wei: int
    """Gas used times price, and the fee for data where the chain has one."""
    guard_event: bool = False
    """The guard of the intent logged its id."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act for a wallet. Every write compares the epoch; a stale one is refused."""

    chain_id: int
    wallet: Address
    epoch: int
    holder: str
    until: int


@dataclass(frozen=True, slots=True)
class Spend:
    """What one intent costs its wallet: reserved while a payload is live, then what it was."""

    intent: str
    at: int
    """When it was reserved; once settled, when it was."""
    wei: int
    """While live: value + gas x highest cap. Then: what it cost, and the value if it succeeded."""
    usd_e6: int | None
    """Millionths of a dollar the policy counted for it; None if it did not say."""
    live: bool


@dataclass(frozen=True, slots=True)
class Ledger:
    """All spends of a wallet in the time asked for, and all live ones whatever their age."""

    now: int
    balance: int | None
    """Of the wallet at the newest block; None if it could not be read."""
    spends: tuple[Spend, ...]

    def reserved(self) -> int:
        """Return the wei that live payloads may still take."""
        return sum(spend.wei for spend in self.spends if spend.live)


@dataclass(frozen=True, slots=True)
class Allowed:
    """The policy lets a transaction be signed."""

    usd_e6: int = 0
    """What it counts for against the caps in dollars, in millionths."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The policy does not."""

    reason: str
    lasting: bool = False
    """Waiting would not change it: hold the intent for its owner."""


Verdict = Allowed | Refused
