"""What may be decided about an intent. An action is recorded before anything of it happens."""

from dataclasses import dataclass

from executor.fees import Fees
from executor.types import Kind, Receipt, State


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until the next block."""

    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    """Record another state. REPLAN and HELD let the nonce go."""

    state: State
    reason: str
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Record that a mined payload is now in another block."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Bind:
    """Record the nonce and the state NONCED in one commit."""

    nonce: int


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign a payload and record its bytes."""

    kind: Kind
    fees: Fees


@dataclass(frozen=True, slots=True)
class Send:
    """Give recorded bytes, by their numbers k, to the endpoints."""

    attempts: tuple[int, ...]
    public: bool
    """To the public endpoints too; else to the private ones only."""


@dataclass(frozen=True, slots=True)
class Fill:
    """Record a filler intent at a nonce that nobody is going to spend."""

    nonce: int


@dataclass(frozen=True, slots=True)
class Adopt:
    """Record a payload of this intent that is on chain and that the journal had lost."""

    hash: str
    nonce: int


Action = Wait | Move | Note | Bind | Sign | Send | Fill | Adopt
