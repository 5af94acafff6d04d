"""Series of numbers over time: thinned when written, exact when read.

A `Sampler` decides which observations become rows: the first, every change between known and
unknown, every move of `MOVE` or more, and otherwise one per `spacing` seconds. The newest value of
every series is kept apart, whole (`latest`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy import Connection, insert, select

from underkeel.observe.types import Labels, Observation
from underkeel.store.tables import samples, series
from underkeel.store.upsert import upsert

LEAST_S: Final = 15.0
MOVE: Final = 0.01
ROWS_A_DAY: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Series:
    """One series."""

    id: int
    metric: str
    labels: dict[str, str]
    unit: str


@dataclass(frozen=True, slots=True)
class Point:
    """A sample, or an hour or day of samples."""

    at: float
    value: Decimal | None
    """None: unknown. The last known of an hour or day."""
    cause: str = ""
    block_number: int | None = None
    least: float | None = None
    most: float | None = None
    known: int = 1
    """How many samples; those that were unknown are apart."""
    unknown: int = 0


class Sampler:
    """What was written last of every series, in memory; one per process that writes."""

    def __init__(self, units: Mapping[str, str] | None = None) -> None:
        self._units = units or {}
        self._ids: dict[tuple[str, Labels], int] = {}
        self._last: dict[int, tuple[float, float | None]] = {}

    def write(self, db: Connection, observations: Iterable[Observation]) -> int:
        """Write what is due; return how many rows."""
        rows = []
        for seen in observations:
            id_ = self._ids.get(seen.series) or self._new(db, seen)
            value = None if seen.value is None else float(seen.value)
            last = self._last.get(id_)
            if last is not None and not _due(last, seen.at, value):
                continue
            self._last[id_] = (seen.at, value)
            exact = seen.value is not None and Decimal(repr(value)) != seen.value
            rows.append({
                "series": id_, "at": seen.at, "value": value,
                "raw": seen.value if exact else None, "cause": seen.cause or None,
                "block_number": seen.block.number if seen.block else None,
            })  # fmt: skip
        upsert(db, samples, rows)
        return len(rows)

    def _new(self, db: Connection, seen: Observation) -> int:
        key = series_key(seen.metric, seen.labels)
        id_ = db.execute(select(series.c.id).where(series.c.key == key)).scalar()
        if id_ is None:
            labels = dict(seen.labels)
            values = {
                "key": key, "metric": seen.metric, "labels": labels,
                "unit": self._units.get(seen.metric, ""), "chain": labels.get("chain", ""),
                "position": labels.get("position", ""),
            }  # fmt: skip
            id_ = db.execute(insert(series).values(**values).returning(series.c.id)).scalar_one()
        self._ids[seen.series] = id_
        return int(id_)


def _due(last: tuple[float, float | None], at: float, value: float | None) -> bool:
    before_at, before = last
    if at <= before_at:
        return False
    if at - before_at >= LEAST_S or (before is None) != (value is None):
        return True
    return before is not None and value is not None and abs(value - before) > MOVE * abs(before)


def series_key(metric: str, labels: Labels) -> str:
    """Return the one text of a series."""
    return metric + orjson.dumps(labels).decode()


def find(
    db: Connection, metric: str, labels: Mapping[str, str] | None = None
) -> tuple[Series, ...]:
    """Return the series of a metric that have all of these labels."""
    wanted = labels or {}
    query = select(series).where(series.c.metric == metric).order_by(series.c.id)
    for name in ("chain", "position"):
        if name in wanted:
            query = query.where(series.c[name] == wanted[name])
    found = (Series(row.id, row.metric, row.labels, row.unit) for row in db.execute(query))
    return tuple(s for s in found if wanted.items() <= s.labels.items())


def points(
    db: Connection,
    series_id: int,
    since: float,
    until: float,
    *,
    grain: str = "raw",
    limit: int = 10_000,
) -> tuple[Point, ...]:
    """Return the points of since ≤ at < until, oldest first; of too many the newest.

    `grain` is raw, hourly or daily.
    """
    query = (
        select(samples)
        .where(samples.c.series == series_id, samples.c.at >= since, samples.c.at < until)
        .order_by(samples.c.at.desc())
        .limit(limit)
    )
    return tuple(_point(row) for row in reversed(db.execute(query).all()))


def _point(row: Any) -> Point:
    if row.value is None:
        return Point(row.at, None, row.cause or "", row.block_number, known=0, unknown=1)
    exact = row.raw if row.raw is not None else Decimal(repr(row.value))
    return Point(row.at, exact, "", row.block_number, row.value, row.value)
