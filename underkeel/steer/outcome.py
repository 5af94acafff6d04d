"""How a plan ended: by the child's last words, and by the journal, which is the truth.

A child says how it ended by its exit code. One that was killed, or whose service was, says
nothing: then the journal tells what of the plan was signed, and what of that is in a block.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, inspect, select

from executor.journal.tables import intents, receipts, wallets
from executor.types import State
from underkeel.errors import Exit
from underkeel.steer.types import Status

LIVE: Final = frozenset({State.SIGNED, State.BROADCAST, State.CANCELLING})
"""Something that was signed may still take effect."""
IN_A_BLOCK: Final = frozenset({State.MINED, State.DONE})
BY_CODE: Final = {
    Exit.OK: Status.DONE,
    Exit.POLICY: Status.REFUSED,
    Exit.OUTCOME: Status.UNKNOWN,
}
UNKNOWN_CAUSE: Final = (
    "something that was signed may still take effect: look with `underkeel tx list`; "
    "the same `execute` goes on where it was"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a plan ended."""

    status: Status
    cause: str
    document: Mapping[str, Any] | None = None
    """`underkeel.execute/1`, where the child printed it."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One step of a plan in the journal."""

    step: int
    state: State
    reason: str
    reverted: bool


def recorded(db: Connection, plan: str) -> tuple[Recorded, ...]:
    """Return what the journal knows of a plan, by step; nothing where there is no journal."""
    if not inspect(db).has_table(intents.name):
        return ()
    query = (
        select(intents.c.step, intents.c.state, intents.c.reason, receipts.c.success)
        .select_from(intents.outerjoin(receipts, receipts.c.intent == intents.c.id))
        .where(intents.c.plan == plan)
        .order_by(intents.c.step)
    )
    return tuple(
        Recorded(row.step, State(row.state), row.reason, row.success is False)
        for row in db.execute(query)
    )


def held_until(db: Connection, chain_id: int, wallet: str) -> int:
    """Return until when some process has the right to act for a wallet; 0 where none has."""
    if not inspect(db).has_table(wallets.name):
        return 0
    where = (wallets.c.chain_id == chain_id, wallets.c.address == wallet)
    return int(db.execute(select(wallets.c.until).where(*where)).scalar() or 0)


def by_journal(steps: tuple[Recorded, ...], expected: int) -> Outcome:
    """Return how a plan of so many steps ended, for all that is recorded of it."""
    states = {one.state for one in steps}
    failed = next(
        (o for o in steps if o.reverted or o.state in (State.REVERTED, State.CANCELLED)), None
    )
    if states & LIVE:
        return Outcome(Status.UNKNOWN, UNKNOWN_CAUSE)
    if failed is not None:
        how = "failed on chain" if failed.state is not State.CANCELLED else "was cancelled"
        reason = f" ({failed.reason})" if failed.reason else ""
        return Outcome(Status.FAILED, f"step {failed.step + 1} {how}{reason}")
    happened = sum(1 for one in steps if one.state in IN_A_BLOCK)
    if happened and happened == expected:
        return Outcome(Status.DONE, "every step is in a block")
    if happened:
        return Outcome(Status.FAILED, f"ended after {happened} of {expected} steps")
    return Outcome(Status.FAILED, "ended before anything was signed")


def of_child(
    code: int | None, out: str, err: str, steps: tuple[Recorded, ...], expected: int
) -> Outcome:
    """Return how a plan ended whose process is over; `code` is None where nobody saw it end."""
    document = _document(out)
    known = by_journal(steps, expected)
    said = last_words(err)
    if known.status in (Status.UNKNOWN, Status.DONE):
        return Outcome(known.status, known.cause, document)
    status = BY_CODE.get(Exit(code)) if code in set(Exit) else None
    if status in (Status.REFUSED, Status.UNKNOWN):
        cause = UNKNOWN_CAUSE if status is Status.UNKNOWN else said
        return Outcome(status, cause or known.cause, document)
    # A code of success that the journal does not bear out is none.
    return Outcome(Status.FAILED, said if said and code else known.cause, document)


def last_words(err: str) -> str:
    """Return the errors that a command ended with, without the word itself."""
    lines = [line.removeprefix("error: ") for line in err.splitlines() if line[:7] == "error: "]
    return "; ".join(line.strip() for line in lines)


def _document(out: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(out)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
