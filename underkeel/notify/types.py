"""What is sent, what came of it, and what a channel is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

TEST = "test"
"""The state of a message that only asks whether its channel works."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one channel; the same at every attempt."""

    id: str
    """Unique for ever: a receiver that has seen it may drop it."""
    title: str
    body: str
    """Plain text."""
    severity: str
    state: str
    """firing, resolved, unknown, test …"""
    at: float
    """Seconds since 1970 at which it was put."""
    alert: str = ""
    """The alert's key; messages of one alert keep their order."""
    rule: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)


class Verdict(StrEnum):
    """What came of one attempt."""

    DELIVERED = "delivered"
    FAILED = "failed"
    """It did not arrive; trying again may help."""
    REFUSED = "refused"
    """It did not arrive, and trying again will not help until somebody changes something."""
    UNKNOWN = "unknown"
    """It may have arrived: the answer is missing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt, and why; `cause` holds no secret."""

    verdict: Verdict
    cause: str = ""
    code: int | None = None
    """The HTTP status, where there was one."""
    retry_after_s: float | None = None
    """How long the receiver asked to be left alone."""
    message_only: bool = False
    """Whether it is the message that was refused: others may well be taken."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How a channel is used."""

    timeout_s: float
    per_minute: int
    retry_for_s: float


class Channel(Protocol):
    """Where messages go. `send` never raises; one thread at a time calls it."""

    @property
    def name(self) -> str:
        """Its name in the config."""
        ...

    @property
    def place(self) -> str:
        """Where it leads, without anything secret."""
        ...

    @property
    def limits(self) -> Limits:
        """How it is used."""
        ...

    @property
    def knows_repeats(self) -> bool:
        """Whether a receiver can tell a repeated message by its id."""
        ...

    def send(self, message: Message, attempt: int, *, repeated: bool) -> Outcome:
        """Try once; `repeated` says that an earlier attempt may have arrived."""
        ...

    def check(self) -> str:
        """Say what is wrong with the channel as far as that shows without a message, or ""."""
        ...
