"""What was measured over time."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, func, select

from underkeel.documents.history import HistoryDocument, Measured, Point, Series
from underkeel.observe.metrics import METRICS
from underkeel.store import points
from underkeel.store.tables import series as table
from underkeel.web.reading.common import moment

DAY_S: Final = 86_400.0
GRAINS: Final = ((2 * DAY_S, "raw"), (60 * DAY_S, "hourly"))
"""Up to this span by default; a longer one by days."""
MOST_SPAN_S: Final = {"raw": 92 * DAY_S, "hourly": 1_830 * DAY_S, "daily": 18_300 * DAY_S}
"""Further back than this from its end nothing is looked for."""
MOST_SERIES: Final = 50
MOST_POINTS: Final = 2_000


def history_document(
    db: Connection,
    now: float,
    metric: str | None,
    labels: Mapping[str, str],
    *,
    since: float | None = None,
    until: float | None = None,
    grain: str | None = None,
    limit: int = MOST_POINTS,
) -> HistoryDocument:
    """Return `underkeel.history/1`: by default the last day; without a metric none of the series.

    Of each series at most `limit` points are given, the newest.
    """
    until = now if until is None else min(until, now + DAY_S)
    since = until - DAY_S if since is None else since
    resolution = grain or next((name for span, name in GRAINS if until - since <= span), "daily")
    since = max(since, until - MOST_SPAN_S[resolution], 0.0)
    found = points.find(db, metric, labels) if metric else ()
    return HistoryDocument.model_validate(
        {
            "schema": "underkeel.history/1",
            "generated_at": moment(now),
            "resolution": resolution,
            "since": moment(since),
            "until": moment(until),
            "metrics": _measured(db),
            "series": [
                _series(db, s, since, until, resolution, limit) for s in found[:MOST_SERIES]
            ],
            "cut": len(found) > MOST_SERIES,
        }
    )


def _series(
    db: Connection, one: points.Series, since: float, until: float, grain: str, limit: int
) -> Series:
    found = points.points(db, one.id, since, until, grain=grain, limit=limit + 1)
    return Series(
        id=str(one.id),
        metric=one.metric,
        unit=one.unit,
        labels=one.labels,
        points=[_point(point) for point in found[-limit:]],
        cut=len(found) > limit,
    )


def _point(point: points.Point) -> Point:
    return Point(
        at=moment(point.at),
        value=None if point.value is None else float(point.value),
        low=point.least,
        high=point.most,
        count=str(point.known + point.unknown),
        unknown=str(point.unknown),
        cause=point.cause or None,
        block_number=None if point.block_number is None else str(point.block_number),
    )


def _measured(db: Connection) -> list[Measured]:
    query = select(table.c.metric, func.count()).group_by(table.c.metric)
    return [
        Measured(metric=name, unit=METRICS[name].unit if name in METRICS else "", series=str(n))
        for name, n in sorted((row[0], row[1]) for row in db.execute(query))
    ]
