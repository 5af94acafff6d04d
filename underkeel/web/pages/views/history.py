"""History: any metric over time, what happened, and how to take both away."""

from collections.abc import Mapping
from typing import Any, Final

from underkeel.documents.events import EventsDocument
from underkeel.documents.history import HistoryDocument
from underkeel.web.pages import words
from underkeel.web.pages.cells import name
from underkeel.web.pages.views.alerts import timeline
from underkeel.web.pages.views.lines import lines_table

SPANS: Final = (("1h", "hour"), ("1d", "day"), ("7d", "week"), ("30d", "month"), ("365d", "year"))
SECONDS: Final = {"1h": 3_600, "1d": 86_400, "7d": 604_800, "30d": 2_592_000, "365d": 31_536_000}
EXPORTS: Final = ("positions", "events", "transactions")


def view(
    document: HistoryDocument,
    events: EventsDocument,
    wanted: Mapping[str, str],
    names: Mapping[str, str],
    zone: str,
) -> dict[str, Any]:
    """Return what the page shows of a metric and a span that were asked for."""
    metric = wanted.get("metric", "health_factor")
    title = metric.replace("_", " ").capitalize()
    return {
        "metric": metric,
        "span": wanted.get("span", "1d"),
        "position": wanted.get("position", ""),
        "positions": sorted((id, text) for id, text in names.items()),
        "metrics": [
            {"metric": m.metric, "title": m.metric.replace("_", " "), "series": m.series}
            for m in document.metrics
        ],
        "spans": SPANS,
        "cut": document.cut,
        "lines": lines_table(
            document,
            zone,
            id="measured",
            caption=name(title),
            empty="Nothing of this was recorded in that time.",
            names=names,
        ),
        "events": timeline(events.events, zone),
        "older": events.page.next,
        "exports": EXPORTS,
        "zone": zone,
        "since": words.clock(words.epoch(document.since) or 0, zone),
        "until": words.clock(words.epoch(document.until) or 0, zone),
    }
