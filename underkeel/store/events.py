"""What happened, one line each; the page's stream resumes by their ids."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select

from underkeel.store.tables import events


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `id` is given by the database, in the order of commits."""

    at: float
    kind: str
    """alert, chain, change, position, plan, transaction, service …"""
    text: str
    severity: str = "info"
    chain: str = ""
    wallet: str = ""
    position: str = ""
    alert: str = ""
    """The key of the alert that it is about."""
    body: dict[str, Any] = field(default_factory=dict)
    id: int = 0


def add(db: Connection, event: Event) -> int:
    """Write an event and return its id."""
    values = {name: getattr(event, name) for name in Event.__slots__ if name != "id"}
    return int(db.execute(insert(events).values(**values).returning(events.c.id)).scalar_one())


def add_all(db: Connection, found: Sequence[Event]) -> None:
    """Write many events, in their order."""
    rows = [
        {name: getattr(event, name) for name in Event.__slots__ if name != "id"} for event in found
    ]
    if rows:
        db.execute(insert(events), rows)


def after(
    db: Connection,
    id_: int,
    limit: int = 500,
    *,
    since: float | None = None,
    until: float | None = None,
) -> tuple[Event, ...]:
    """Return what came after an id, oldest first, of since ≤ at < until if those are given."""
    query = select(events).where(events.c.id > id_).order_by(events.c.id).limit(limit)
    if since is not None:
        query = query.where(events.c.at >= since)
    if until is not None:
        query = query.where(events.c.at < until)
    return tuple(_event(row) for row in db.execute(query))


def before(
    db: Connection, id_: int | None, limit: int = 100, **equal: str | None
) -> tuple[Event, ...]:
    """Return the newest, or those before an id, newest first.

    `equal` narrows by kind, severity, chain, wallet, position or alert; None does not.
    """
    query: Select[Any] = select(events).order_by(events.c.id.desc()).limit(limit)
    if id_ is not None:
        query = query.where(events.c.id < id_)
    for name, value in equal.items():
        if value is not None:
            query = query.where(events.c[name] == value)
    return tuple(_event(row) for row in db.execute(query))


def last_id(db: Connection) -> int:
    """Return the newest id; 0 where nothing happened."""
    return int(db.execute(select(func.max(events.c.id))).scalar() or 0)


def _event(row: Row[Any]) -> Event:
    return Event(**row._mapping)
