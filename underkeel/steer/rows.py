"""Proposals in the store."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, or_, select, update

from underkeel.steer.types import OPEN, Proposal, Status
from underkeel.store.tables import proposals


def put(db: Connection, **values: Any) -> Proposal:
    """Record a proposal; the columns are the table's, `id` and `changed_at` excepted."""
    values = {"cause": "", "command": "", **values, "changed_at": values["at"]}
    number = db.execute(insert(proposals).values(**values)).inserted_primary_key
    assert number is not None
    found = get(db, int(number[0]))
    assert found is not None
    return found


def change(db: Connection, id_: int, before: Sequence[Status], now: float, **values: Any) -> bool:
    """Change a proposal that is in one of the states `before`; False if it is in none of them."""
    where = (proposals.c.id == id_, proposals.c.status.in_(list(before)))
    ran = db.execute(update(proposals).where(*where).values(changed_at=now, **values))
    return ran.rowcount == 1


def get(db: Connection, id_: int) -> Proposal | None:
    """Return a proposal by its number."""
    row = db.execute(select(proposals).where(proposals.c.id == id_)).first()
    return None if row is None else _proposal(row)


def current(db: Connection, since: float | None = None) -> tuple[Proposal, ...]:
    """Return every open proposal, and all that were made since; the oldest first."""
    wanted: list[ColumnElement[bool]] = [proposals.c.status.in_(list(OPEN))]
    if since is not None:
        wanted.append(proposals.c.at >= since)
    query = select(proposals).where(or_(*wanted)).order_by(proposals.c.id)
    return tuple(_proposal(row) for row in db.execute(query))


def last_of(db: Connection, alert: str, before: int) -> Proposal | None:
    """Return the proposal that an alert had before the one with the number `before`."""
    where = (proposals.c.alert == alert, proposals.c.id < before)
    row = db.execute(
        select(proposals).where(*where).order_by(proposals.c.id.desc()).limit(1)
    ).first()
    return None if row is None else _proposal(row)


def _proposal(row: Row[Any]) -> Proposal:
    return Proposal(
        id=row.id,
        at=row.at,
        changed_at=row.changed_at,
        expires_at=row.expires_at,
        plan=row.plan,
        name=row.name,
        alert=row.alert,
        rule=row.rule,
        chain=row.chain,
        wallet=row.wallet,
        account=row.account,
        position=row.position,
        mode=row.mode,
        status=Status(row.status),
        cause=row.cause,
        document=row.document,
        verdicts=tuple(row.verdicts or ()),
        ended=row.ended,
        command=row.command,
        child=row.child,
        value=row.value,
    )
