"""What the live part comes to: positions that were steered away, and how all end."""

from dataclasses import dataclass

from executor.plan.types import Plan, PositionView
from risk.types import Assessment
from underkeel.demo.guards import Guarded
from underkeel.errors import AppError
from underkeel.portfolio import Portfolio


class NotRescued(AppError):
    """The demo's own plan did not go as it must."""


@dataclass(frozen=True, slots=True)
class Saved:
    """One position that was brought to safety."""

    plan: Plan
    guarded: Guarded
    hash: str | None
    """Of the transaction."""
    before: PositionView
    after: PositionView
    end: Assessment | None = None
    """After the rest of the fall."""


@dataclass(frozen=True, slots=True)
class Rescue:
    """What happened."""

    warning: str
    """The fall that set it off, in words."""
    saved: tuple[Saved, ...]
    crash: str
    """The fall that followed."""
    end: Portfolio
