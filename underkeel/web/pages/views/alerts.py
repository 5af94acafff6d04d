"""Alerts: what fires, what happened, who was told, and what is kept quiet."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from underkeel.documents.alerts import Alert, AlertDelivery, AlertsDocument, SilencesDocument
from underkeel.documents.events import Event, EventsDocument
from underkeel.observe.metrics import METRICS
from underkeel.web.pages import words
from underkeel.web.pages.cells import Column, Row, Table, link, moment, name, number, state
from underkeel.web.pages.cells import words as plain
from underkeel.web.pages.views.lines import value_text
from underkeel.web.pages.views.overview import brief, called

OPEN: Final = ("firing", "acked", "unknown", "pending")
SILENCES: Final = (("30 minutes", 1800), ("2 hours", 7200), ("8 hours", 28_800), ("1 day", 86_400))
DELIVERIES: Final = {
    "waiting": ("◔", "waiting", "warn"),
    "sending": ("▶", "being sent", "warn"),
    "delivered": ("✔", "delivered", "good"),
    "failed": ("✖", "given up", "bad"),
}
MARKS: Final = {"critical": "▲", "warning": "◆"}
ENDS: Final = {"resolved": "resolved", "done": "done"}
"""Events that are good news, whatever the severity of what they end."""


def view(
    alerts: AlertsDocument,
    calm: AlertsDocument,
    silences: SilencesDocument,
    events: EventsDocument,
    zone: str,
) -> dict[str, Any]:
    """Return what the page shows."""
    quiet = [a for a in (*alerts.alerts, *calm.alerts) if a.state not in OPEN]
    return {
        "counts": alerts.counts,
        "unlisted": max(0, int(alerts.page.total or 0) - len(alerts.alerts)),
        "open": [one(a, zone) for a in alerts.alerts if a.state in OPEN],
        "quiet": quiet_table(quiet, zone),
        "silences": [
            {
                "id": s.id,
                "match": _match(s.match),
                "until": words.epoch(s.until),
                "text": words.clock(words.epoch(s.until) or 0, zone),
                "by": name(s.by),
                "reason": name(s.reason, 300),
            }
            for s in silences.silences
            if s.active
        ],
        "durations": SILENCES,
        "timeline": timeline(events.events, zone),
        "receipts": receipts([(a, d) for a in alerts.alerts for d in a.deliveries], zone),
        "older": events.page.next,
    }


def one(alert: Alert, zone: str) -> dict[str, Any]:
    """Return an alert with all that is known of it."""
    acked, changed = words.epoch(alert.acked_at), words.epoch(alert.changed_at)
    assert changed is not None
    metric = METRICS.get(alert.metric or "")
    return {
        **brief(alert, zone),
        "metric": name((alert.metric or "").replace("_", " ")),
        "help": "" if metric is None else metric.help,
        "value": None if alert.value is None else value_text(alert.value, alert.unit),
        "labels": [(key, name(value, 80)) for key, value in sorted(alert.labels.items())],
        "block": None if alert.block_number is None else f"{int(alert.block_number):,}",
        "changed": moment(changed, words.clock(changed, zone)),
        "acked_at": None if acked is None else moment(acked, words.clock(acked, zone)),
        "receipts": receipts([(alert, d) for d in alert.deliveries], zone),
    }


def _match(match: Mapping[str, str]) -> str:
    return name(", ".join(f"{key} = {value}" for key, value in sorted(match.items())), 200)


def quiet_table(found: Sequence[Alert], zone: str) -> Table:
    """Return the rules that have nothing to say."""
    rows = []
    for alert in found:
        since = words.epoch(alert.since)
        assert since is not None
        rows.append(
            Row(
                (
                    words.alert_state(alert.state),
                    plain(name(alert.rule)),
                    link(called(alert), f"/alerts/{alert.id}"),
                    number("–", None)
                    if alert.value is None
                    else number(value_text(alert.value, alert.unit), alert.value),
                    moment(since, words.clock(since, zone)),
                )
            )
        )
    return Table(
        "quiet",
        "Rules that have nothing to say now",
        (
            Column("state", "State"),
            Column("rule", "Rule"),
            Column("text", "About", wide=True),
            Column("value", "Value", number=True),
            Column("since", "Since"),
        ),
        rows,
        "No rule has been judged yet.",
        filtered=True,
    )


def timeline(events: Sequence[Event], zone: str) -> list[dict[str, Any]]:
    """Return what happened, the newest first."""
    found = []
    for event in events:
        at = words.epoch(event.at)
        assert at is not None
        _, word, tone = words.SEVERITIES.get(event.severity or "", ("", "note", ""))
        mark = MARKS.get(event.severity or "", "●")
        if good := ENDS.get(str(event.body.get("status" if event.kind == "plan" else "state"))):
            mark, word, tone = "✔", good, "good"
        found.append(
            {
                "id": event.id,
                "at": int(at),
                "clock": words.clock(at, zone),
                "icon": mark,
                "word": word,
                "tone": tone,
                "kind": name(event.kind.replace("_", " ").replace("-", " "), 40),
                "text": name(event.text, 300),
                "chain": name(event.chain or ""),
                "wallet": name(event.wallet or ""),
                "position": event.position,
                "position_href": words.page_of(event.position or ""),
                "alert": event.alert,
            }
        )
    return found


def receipts(found: Sequence[tuple[Alert, AlertDelivery]], zone: str) -> Table:
    """Return who was told what, and whether it arrived."""
    rows = []
    for alert, delivery in found:
        made = words.epoch(delivery.created_at)
        done = words.epoch(delivery.delivered_at)
        again = words.epoch(delivery.next_at)
        assert made is not None
        detail = [delivery.detail or ""]
        if delivery.repeated:
            detail.append("perhaps sent twice: an answer was lost")
        if again is not None and delivery.status == "waiting":
            detail.append(f"next attempt {words.clock(again, zone)}")
        rows.append(
            Row(
                (
                    state(*DELIVERIES[delivery.status]),
                    plain(name(delivery.channel)),
                    link(name(delivery.title, 120), f"/alerts/{alert.id}", delivery.state),
                    number(delivery.attempts, int(delivery.attempts)),
                    moment(made, words.clock(made, zone)),
                    plain("–") if done is None else moment(done, words.clock(done, zone)),
                    plain(name("; ".join(d for d in detail if d), 300)),
                ),
                tone=DELIVERIES[delivery.status][2] if delivery.status != "delivered" else "",
            )
        )
    return Table(
        "receipts",
        "Delivery receipts",
        (
            Column("status", "Status"),
            Column("channel", "Channel"),
            Column("title", "Message", wide=True),
            Column("attempts", "Attempts", number=True),
            Column("made", "Written"),
            Column("done", "Delivered"),
            Column("detail", "Answer"),
        ),
        rows,
        "Nobody had to be told.",
    )
