"""Write what became of a proposal: its row, an event, and a message to the rule's channels."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection

from executor.plan.codec import PlanUnreadable, from_data
from executor.plan.types import Plan
from underkeel.alerts.rules import rules_of
from underkeel.config.load import Config
from underkeel.steer import rows, words
from underkeel.steer.types import Proposal, Status
from underkeel.store import events, outbox
from underkeel.store.events import Event
from underkeel.store.outbox import Message

Tell = Callable[[Connection, str, Message, float], None]
"""Puts a message into the outbox for every channel of a rule; its id is made their own."""

QUIET: Final = frozenset({Status.EXPIRED, Status.WITHDRAWN, Status.EXECUTING})
"""The page tells of these; nobody is called for them."""
GRAVE: Final = {
    Status.REFUSED: "critical",
    Status.FAILED: "critical",
    Status.UNKNOWN: "critical",
}
NUMBERS: Final = re.compile(r"[\d.,]+")


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes in the transaction it is given."""

    tell: Tell
    zone: str

    def made(self, db: Connection, proposal: Proposal, severity: str, *, loud: bool) -> None:
        """Tell of a new row; with `loud` a plan is told to the channels, not to the page alone."""
        self._event(db, proposal, severity)
        planned = proposal.status is Status.PROPOSED
        if proposal.status in QUIET or (planned and not loud) or self._said_before(db, proposal):
            return
        self._message(db, proposal, severity)

    def ended(
        self,
        db: Connection,
        proposal: Proposal,
        before: Sequence[Status],
        status: Status,
        cause: str,
        now: float,
        severity: str = "warning",
        **values: Any,
    ) -> bool:
        """Move a row on and tell of it; False where another did that already.

        `severity` is the alert's: whoever was called hears how it ended.
        """
        if not rows.change(db, proposal.id, before, now, status=status, cause=cause, **values):
            return False
        after = rows.get(db, proposal.id)
        assert after is not None
        self._event(db, after, severity)
        if status not in QUIET and not self._said_before(db, after):
            self._message(db, after, severity)
        return True

    def held(
        self, db: Connection, proposal: Proposal, severity: str, cause: str, now: float
    ) -> None:
        """Say once why a plan that could be carried out is not."""
        if proposal.cause == cause:
            return
        if rows.change(db, proposal.id, [Status.PROPOSED], now, cause=cause):
            after = rows.get(db, proposal.id)
            assert after is not None
            self._event(db, after, severity)
            self._message(db, after, severity)

    def _said_before(self, db: Connection, proposal: Proposal) -> bool:
        """Tell whether the alert's last plan failed in the same words but for numbers."""
        if proposal.status not in (Status.FAILED, Status.REFUSED):
            return False
        last = rows.last_of(db, proposal.alert, proposal.id)
        return (
            last is not None
            and last.status is proposal.status
            and NUMBERS.sub("#", last.cause) == NUMBERS.sub("#", proposal.cause)
        )

    def _event(self, db: Connection, proposal: Proposal, severity: str) -> None:
        plan = plan_of(proposal)
        short = "" if plan is None else words.summary(plan)
        said = (words.title(proposal), short, proposal.cause)
        event = Event(
            proposal.changed_at,
            "plan",
            "; ".join(part for part in said if part),
            severity=GRAVE.get(proposal.status, severity),
            chain=proposal.chain or "",
            wallet=proposal.account,
            position=proposal.position or "",
            alert=proposal.alert,
            body=payload(proposal),
        )
        events.add(db, event)

    def _message(self, db: Connection, proposal: Proposal, severity: str) -> None:
        # With the time: another database, such as that of the dry run, counts the same numbers.
        at = int(proposal.changed_at * 1000)
        message = Message(
            id=f"plan:{proposal.id}:{proposal.status}:{at}",
            channel="",
            severity=GRAVE.get(proposal.status, severity),
            title=words.title(proposal),
            body=words.body(proposal, plan_of(proposal), self.zone),
            payload=payload(proposal),
            alert=proposal.alert,
            rule=proposal.rule,
            state="plan",
        )
        self.tell(db, proposal.rule, message, proposal.changed_at)


def plan_of(proposal: Proposal) -> Plan | None:
    """Return the plan as its document has it; None where there is none that can be read."""
    document = proposal.document
    if not document or not document.get("plan"):
        return None
    try:
        return from_data(document["plan"])
    except PlanUnreadable:  # another version wrote it
        return None


def payload(proposal: Proposal) -> dict[str, Any]:
    """Return what a program is told of a proposal."""
    return {
        "proposal": proposal.id,
        "plan": proposal.plan,
        "name": proposal.name,
        "status": proposal.status.value,
        "mode": proposal.mode,
        "chain": proposal.chain,
        "wallet": proposal.wallet,
        "account": proposal.account,
        "position": proposal.position,
        "cause": proposal.cause,
        "command": proposal.command,
        "expires_at": proposal.expires_at,
        "transactions": [
            {"id": one["id"], "hash": one["hash"], "end": one["end"]}
            for one in (proposal.ended or {}).get("ended") or ()
        ],
    }


def to_the_outbox(config: Config) -> Tell:
    """Return what tells the channels that a rule names for a severity; all, if it is none's."""
    rules = rules_of(config.settings)

    def put(db: Connection, rule: str, message: Message, now: float) -> None:
        known = rules.by_id.get(rule)
        for channel in rules.channels if known is None else known.notify[message.severity]:
            outbox.put(db, replace(message, id=f"{message.id}:{channel}", channel=channel), now)

    return put
