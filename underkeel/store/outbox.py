"""Messages that are to be delivered, written in the transaction that decided them."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from underkeel.store.tables import notifications


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one channel."""

    id: str
    """Unique: a second one with this id is not written."""
    channel: str
    severity: str
    title: str
    body: str
    """Plain text."""
    payload: dict[str, Any] = field(default_factory=dict)
    alert: str = ""
    rule: str = ""
    state: str = ""
    """firing, resolved, unknown, repeat, escalated, test …"""


def put(db: Connection, message: Message, now: float) -> bool:
    """Write a message that waits; False where its id is there already."""
    insert: Any = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(notifications)
    row = {name: getattr(message, name) for name in Message.__slots__}
    row |= {
        "created_at": now, "status": "waiting", "attempts": 0, "waited": 0, "holder": "",
        "maybe": False, "cause": "",
    }  # fmt: skip
    done = db.execute(
        insert.values(**row)
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(notifications.c.seq)
    )
    return done.first() is not None


def has(db: Connection, id_: str) -> bool:
    """Whether a message was ever written, and not pruned since."""
    query = select(notifications.c.seq).where(notifications.c.id == id_)
    return db.execute(query).first() is not None
