"""What steering looks at: alerts that fire with an action, and the proposals made so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from underkeel.config.steer import ActionTable


class Status(StrEnum):
    """Where a proposal is."""

    PROPOSED = "proposed"
    """There is a plan; somebody may carry it out."""
    EXECUTING = "executing"
    """A child process carries it out, or did when this program ended."""
    DONE = "done"
    """Every step is in a block."""
    REFUSED = "refused"
    """The policy lets nothing of it be signed."""
    EXPIRED = "expired"
    """Nobody carried it out in time, or before what it rests on had moved."""
    FAILED = "failed"
    """There was no plan to make, or it ended without its effect."""
    UNKNOWN = "unknown"
    """Something signed may still take effect: never tried again by itself."""
    WITHDRAWN = "withdrawn"
    """Its alert was over before anybody carried it out."""


OPEN: Final = frozenset({Status.PROPOSED, Status.EXECUTING, Status.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert whose rule has an action."""

    key: str
    rule: str
    severity: str
    labels: Mapping[str, str]
    action: ActionTable
    known: bool
    """False while what it is about cannot be read: nothing is done on what is unknown."""
    wallet: str
    """Who would sign: the config's name."""
    value: float = 0.0

    @property
    def subject(self) -> str:
        """Whose position, and which one, in words."""
        parts = [self.labels.get(name, "") for name in ("chain", "wallet", "protocol", "market")]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A row of the table: a plan, or why there is none."""

    id: int
    at: float
    """Seconds since 1970, as all times here."""
    changed_at: float
    expires_at: float | None
    plan: str | None
    """Its hash; None where there is none."""
    name: str
    alert: str
    """Its key; empty where somebody asked for the plan whatever fires."""
    rule: str
    chain: str | None
    wallet: str
    """Who would sign: the config's name."""
    account: str
    position: str | None
    mode: str
    status: Status
    cause: str
    document: Mapping[str, Any] | None = None
    verdicts: tuple[Mapping[str, Any], ...] = ()
    ended: Mapping[str, Any] | None = None
    command: str = ""
    child: str | None = None
    value: float | None = None
    """The alert's, when the plan was made."""

    @property
    def allowed(self) -> bool:
        """Whether the dry run found nothing against it."""
        return all(verdict["ok"] for verdict in self.verdicts)
