"""Bring the alerts of one reading up to date, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from underkeel.observe.types import Observed

Rules = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evaluation did."""

    firing: int = 0
    """Alerts of this chain that fire now, acknowledged or not."""
    changed: int = 0
    """Rows written."""
    messages: int = 0
    """Messages put into the outbox: the delivery should be woken."""


def evaluate(db: Connection, rules: Rules, observed: Observed, now: float) -> Outcome:
    """Judge what was observed by the rules; write alert states, events and messages."""
    return Outcome()


def tick(db: Connection, rules: Rules, now: float) -> Outcome:
    """Do what only time asks for: reminders, escalation, silences that ended, delivery.

    To be called every few seconds, whatever the chains do.
    """
    return Outcome()
