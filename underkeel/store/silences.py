"""Silences: what keeps messages back for a time."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from underkeel.store.tables import silences


@dataclass(frozen=True, slots=True)
class Silence:
    """Messages of alerts with all of these labels are kept back until a time."""

    id: int
    matchers: dict[str, str]
    """Label and value, `rule`, `severity` and `alert` among them; * stands for any text."""
    until: float
    created_at: float
    by: str
    why: str
    ended_at: float | None

    def active(self, now: float) -> bool:
        """Tell whether it still holds."""
        return self.ended_at is None and self.until > now


def add(
    db: Connection, matchers: dict[str, str], until: float, by: str, why: str, now: float
) -> int:
    """Write a silence and return its id."""
    values = {"matchers": matchers, "until": until, "created_at": now, "by": by, "why": why}
    return int(db.execute(insert(silences).values(**values).returning(silences.c.id)).scalar_one())


def end(db: Connection, id_: int, now: float) -> bool:
    """End a silence before its time; False where there is none that holds."""
    found = db.execute(
        update(silences)
        .where(silences.c.id == id_, silences.c.ended_at.is_(None), silences.c.until > now)
        .values(ended_at=now)
    )
    return found.rowcount > 0


def active(db: Connection, now: float) -> tuple[Silence, ...]:
    """Return the silences that hold, the oldest first."""
    query = select(silences).where(silences.c.ended_at.is_(None), silences.c.until > now)
    return tuple(_silence(row) for row in db.execute(query.order_by(silences.c.id)))


def recent(db: Connection, since: float) -> tuple[Silence, ...]:
    """Return the silences that held at a time or later, the newest first."""
    query = select(silences).where(
        silences.c.until > since, or_(silences.c.ended_at.is_(None), silences.c.ended_at > since)
    )
    return tuple(_silence(row) for row in db.execute(query.order_by(silences.c.id.desc())))


def _silence(row: Row[Any]) -> Silence:
    return Silence(**row._mapping)
