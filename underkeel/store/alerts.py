"""The rows of alerts: loaded in bulk each cycle, and written only where something changed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Row, Text, delete, func, or_, select, type_coerce

from underkeel.store.tables import alerts
from underkeel.store.upsert import upsert

AT_ONCE: Final = 500
"""Keys in one statement: databases bound how many parameters there may be."""


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One rule for one set of labels."""

    key: str
    rule: str
    chain: str
    """Empty: of the service, and of no chain."""
    metric: str
    labels: dict[str, str]
    state: str
    """ok, pending, firing, acked, resolved or unknown."""
    severity: str
    """While it fires; of what is over, what it was at its worst; else empty."""
    title: str
    value: Decimal | None = field(compare=False)
    """The last that the title shows otherwise; null where unknown, and while all is ok."""
    cause: str
    note: str
    since: float
    changed_at: float = field(compare=False)
    acked_at: float | None
    acked_by: str
    silenced: str
    """The id of the silence that mutes it."""
    inhibited: str
    """The rule that mutes it."""
    block_number: int | None = field(compare=False)
    """The value's."""
    body: str
    """The engine's own."""


_COLUMNS: Final = tuple(column.name for column in alerts.columns)


def brief(db: Connection, chain: str, metrics: Iterable[str]) -> dict[str, str]:
    """Return the keys of a chain's alerts of some metrics, and their labels as JSON."""
    query = select(alerts.c.key, type_coerce(alerts.c.labels, Text)).where(
        alerts.c.chain == chain, alerts.c.metric.in_(sorted(metrics))
    )
    return {key: labels for key, labels in db.execute(query)}  # noqa: C416  (not pairs)


def live(db: Connection, chain: str | None = None) -> dict[str, AlertRow]:
    """Return every alert that is not simply ok, or was not long ago, of one chain or of all."""
    query = select(alerts).where(or_(alerts.c.state != "ok", alerts.c.body != ""))
    if chain is not None:
        query = query.where(alerts.c.chain == chain)
    return {row.key: _row(row) for row in db.execute(query)}


def every(db: Connection) -> Iterator[AlertRow]:
    """Yield every alert, those that are ok too."""
    return (_row(row) for row in db.execute(select(alerts)))


def some(db: Connection, keys: Sequence[str]) -> dict[str, AlertRow]:
    """Return the alerts with these keys."""
    found: dict[str, AlertRow] = {}
    for i in range(0, len(keys), AT_ONCE):
        query = select(alerts).where(alerts.c.key.in_(keys[i : i + AT_ONCE]))
        found |= {row.key: _row(row) for row in db.execute(query)}
    return found


def named(db: Connection, prefix: str) -> tuple[AlertRow, ...]:
    """Return the alerts whose key begins so."""
    query = select(alerts).where(alerts.c.key.startswith(prefix, autoescape=True))
    return tuple(_row(row) for row in db.execute(query.order_by(alerts.c.key).limit(AT_ONCE)))


def put(db: Connection, rows: Iterable[AlertRow]) -> None:
    """Write whole rows."""
    upsert(db, alerts, [{name: getattr(row, name) for name in _COLUMNS} for row in rows])


def drop(db: Connection, keys: Sequence[str]) -> None:
    """Forget alerts."""
    for i in range(0, len(keys), AT_ONCE):
        db.execute(delete(alerts).where(alerts.c.key.in_(keys[i : i + AT_ONCE])))


def counts(db: Connection) -> dict[tuple[str, str], int]:
    """Return how many alerts there are by state and severity."""
    query = select(alerts.c.state, alerts.c.severity, func.count()).group_by(
        alerts.c.state, alerts.c.severity
    )
    return {(state, severity): n for state, severity, n in db.execute(query)}


def _row(row: Row[Any]) -> AlertRow:
    return AlertRow(**row._mapping)
