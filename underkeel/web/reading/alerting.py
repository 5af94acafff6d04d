"""Alerts, what was told of them, silences and events."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import Connection, Row, func, select

from underkeel.documents.alerts import (
    Alert,
    AlertCounts,
    AlertDelivery,
    AlertsDocument,
    Silence,
    SilencesDocument,
)
from underkeel.documents.events import Event, EventsDocument
from underkeel.documents.paging import Paging
from underkeel.observe.metrics import METRICS
from underkeel.store import events
from underkeel.store.tables import alerts, notifications, silences
from underkeel.web.reading.common import moment, moment_or_none, piece

SEVERITIES: Final = ("critical", "warning", "info")
STATES: Final = ("firing", "unknown", "acked", "pending", "resolved", "ok")
"""As a list shows them."""
SHOWN: Final = STATES[:-1]
MOST_DELIVERIES: Final = 10
AT_ONCE: Final = 500
"""Alerts that one query asks about: databases take only so many."""
SILENCES_KEPT: Final = 200


def alerts_document(
    db: Connection,
    now: float,
    *,
    state: str | None = None,
    severity: str | None = None,
    rule: str | None = None,
    chain: str | None = None,
    position: str | None = None,
    loud: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> AlertsDocument:
    """Return `underkeel.alerts/1`; without a state all but what is ok.

    `loud` leaves out what is over, silenced, or said by another alert.
    """
    query = select(alerts).where(alerts.c.state.in_([state] if state else SHOWN))
    if loud:
        query = query.where(
            alerts.c.state != "resolved", alerts.c.silenced == "", alerts.c.inhibited == ""
        )
    equal = {"severity": severity, "rule": rule, "chain": chain}
    for name, value in equal.items():
        if value is not None:
            query = query.where(alerts.c[name] == value)
    found = [
        row
        for row in db.execute(query)
        if position is None or row.labels.get("position") == position
    ]
    asked = {"state": state, **equal, "position": position}
    rows, page = piece(sorted(found, key=_order), limit, offset, **asked)
    told = _deliveries(db, [row.key for row in rows])
    return AlertsDocument(
        schema="underkeel.alerts/1",
        generated_at=moment(now),
        counts=counts(db),
        alerts=[_alert(row, told[row.key]) for row in rows],
        page=page,
    )


def counts(db: Connection) -> AlertCounts:
    """Return how many alerts are in which state."""
    muted = (alerts.c.silenced != "") | (alerts.c.inhibited != "")
    query = select(alerts.c.state, alerts.c.severity, muted, func.count()).group_by(
        alerts.c.state, alerts.c.severity, muted
    )
    found: dict[str, int] = defaultdict(int)
    for state, severity, is_muted, n in db.execute(query):
        if is_muted:
            found["silenced"] += n if state in SHOWN[:-1] else 0
        elif state == "firing":
            found[severity] += n
        else:
            found[state] += n
    names = ("critical", "warning", "info", "acked", "pending", "unknown", "silenced")
    return AlertCounts(**{name: str(found[name]) for name in names})


def silences_document(db: Connection, now: float) -> SilencesDocument:
    """Return `underkeel.silences/1`: those in force, and the newest of the others."""
    query = select(silences).order_by(silences.c.id.desc()).limit(SILENCES_KEPT)
    found = [
        Silence(
            id=str(row.id),
            match=_texts(row.matchers),
            created_at=moment(row.created_at),
            until=moment(row.until),
            ended_at=moment_or_none(row.ended_at),
            by=row.by,
            reason=row.why,
            active=row.ended_at is None and row.until > now,
        )
        for row in db.execute(query)
    ]
    found.sort(key=lambda one: not one.active)
    return SilencesDocument(schema="underkeel.silences/1", generated_at=moment(now), silences=found)


def events_document(
    db: Connection,
    now: float,
    filters: Mapping[str, str | None],
    before: int | None,
    limit: int,
) -> EventsDocument:
    """Return `underkeel.events/1`; the next piece is what came before the last one's id."""
    found = [event(one) for one in events.before(db, before, limit + 1, **filters)]
    rows, more = found[:limit], len(found) > limit
    given = {name: value for name, value in filters.items() if value is not None}
    following = urlencode({**given, "before": rows[-1].id, "limit": limit}) if more else None
    return EventsDocument(
        schema="underkeel.events/1",
        generated_at=moment(now),
        events=rows,
        page=Paging(total=None, limit=str(limit), offset="0", next=following),
    )


def event(one: events.Event) -> Event:
    """Return an event as documents and the stream carry it."""
    return Event(
        id=str(one.id),
        at=moment(one.at),
        kind=one.kind,
        severity=one.severity or None,
        chain=one.chain or None,
        wallet=one.wallet or None,
        position=one.position or None,
        alert=one.alert or None,
        text=one.text,
        body=one.body,
    )


def _order(row: Row[Any]) -> tuple[int, int, float, str]:
    severity = SEVERITIES.index(row.severity) if row.severity in SEVERITIES else len(SEVERITIES)
    state = STATES.index(row.state) if row.state in STATES else 0
    return (state, severity, -row.since, row.key)


def _alert(row: Row[Any], deliveries: list[AlertDelivery]) -> Alert:
    labels = _texts(row.labels)
    metric = METRICS.get(row.metric)
    return Alert.model_validate(
        {
            "id": row.key,
            "rule": row.rule,
            "title": row.title,
            "state": row.state,
            "severity": row.severity if row.severity in SEVERITIES else None,
            "metric": row.metric or None,
            "unit": metric.unit if metric else None,
            "labels": labels,
            "chain": row.chain or None,
            "wallet": labels.get("wallet"),
            "position": labels.get("position"),
            "value": None if row.value is None else float(row.value),
            "text": row.note or row.title,
            "cause": row.cause or None,
            "since": moment(row.since),
            "changed_at": moment(row.changed_at),
            "block_number": None if row.block_number is None else str(row.block_number),
            "acked_by": row.acked_by or None,
            "acked_at": moment_or_none(row.acked_at),
            "silenced_by": row.silenced or None,
            "inhibited_by": row.inhibited or None,
            "deliveries": deliveries,
        }
    )


def _deliveries(db: Connection, keys: Sequence[str]) -> Mapping[str, list[AlertDelivery]]:
    """Return the newest messages of each alert."""
    found: dict[str, list[AlertDelivery]] = defaultdict(list)
    for i in range(0, len(keys), AT_ONCE):
        some = keys[i : i + AT_ONCE]
        query = (
            select(notifications)
            .where(notifications.c.alert.in_(some))
            .order_by(notifications.c.seq.desc())
            .limit(MOST_DELIVERIES * len(some))
        )
        for row in db.execute(query):
            if len(found[row.alert]) < MOST_DELIVERIES:
                found[row.alert].append(_delivery(row))
    return found


def _delivery(row: Row[Any]) -> AlertDelivery:
    return AlertDelivery.model_validate(
        {
            "id": row.id,
            "channel": row.channel,
            "state": row.state,
            "severity": row.severity,
            "title": row.title,
            "status": row.status,
            "attempts": str(row.attempts),
            "created_at": moment(row.created_at),
            "delivered_at": moment_or_none(row.settled_at if row.status == "delivered" else None),
            "next_at": moment_or_none(row.retry_at if row.status == "waiting" else None),
            "repeated": row.maybe,
            "detail": row.cause or None,
        }
    )


def _texts(found: Any) -> dict[str, str]:
    items: Iterable[tuple[Any, Any]] = found.items() if isinstance(found, dict) else found or ()
    return {str(name): str(value) for name, value in items}
