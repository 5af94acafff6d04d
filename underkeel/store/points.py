"""Reading series of numbers over time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, func, select

from underkeel.store.grains import DAILY, DAY, GRAINS, HOURLY, RAW, Grain
from underkeel.store.samples import read_newest
from underkeel.store.tables import series

BUCKETS: Final = 200
"""Looked into by one query, newest first."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series."""

    id: int
    metric: str
    labels: dict[str, str]
    unit: str


@dataclass(frozen=True, slots=True)
class Point:
    """A sample, or what an hour or a day held."""

    at: float
    """Of an hour or a day: its beginning, UTC."""
    value: Decimal | None
    """Of an hour or a day: the last that was known. None: unknown."""
    cause: str = ""
    block_number: int | None = None
    least: float | None = None
    most: float | None = None
    known: int = 1
    """How many samples were."""
    unknown: int = 0
    """And how many were not."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest value of a series."""

    series: Series
    at: float
    value: Decimal | None
    cause: str


def find(
    db: Connection, metric: str, labels: Mapping[str, str] | None = None
) -> tuple[Series, ...]:
    """Return the series of a metric that have all of these labels."""
    wanted = labels or {}
    query = select(series).where(series.c.metric == metric).order_by(series.c.id)
    for name in ("chain", "position"):
        if name in wanted:
            query = query.where(series.c[name] == wanted[name])
    found = (_series(row) for row in db.execute(query))
    return tuple(s for s in found if wanted.items() <= s.labels.items())


def latest(db: Connection, chain: str) -> tuple[Newest, ...]:
    """Return the newest value of every series of a chain, unthinned."""
    values = read_newest(db, chain)
    query = select(series).where(series.c.chain == chain).order_by(series.c.id)
    found = []
    for row in db.execute(query):
        if row.id in values:
            at, value, cause = values[row.id]
            found.append(Newest(_series(row), at, value, cause))
    return tuple(found)


def grain_for(since: float, until: float, wanted: int = 1000) -> str:
    """Return the finest grain that shows a time in not many more points than `wanted`."""
    length = max(until - since, 0.0)
    if length <= 2 * DAY:
        return RAW.name
    return HOURLY.name if length <= wanted * 3600 else DAILY.name


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

    `grain` is raw, hourly or daily; an hour is there when it is over.
    """
    of = GRAINS[grain]
    found: list[Point] = []
    for buckets in _buckets(db, of, since, until):
        query = (
            select(of.table)
            .where(of.table.c.bucket.in_(buckets), of.table.c.series == series_id)
            .where(of.table.c.at >= since, of.table.c.at < until)
            .order_by(of.table.c.at.desc())
            .limit(limit - len(found))
        )
        found += [(_sample if of is RAW else _bounds)(row) for row in db.execute(query)]
        if len(found) >= limit:
            break
    return tuple(reversed(found))


def _buckets(db: Connection, grain: Grain, since: float, until: float) -> Iterator[list[int]]:
    """Yield the buckets of a time that there are, newest first, in pieces."""
    column = grain.table.c.bucket
    least, most = (db.execute(select(f(column))).scalar() for f in (func.min, func.max))
    if least is None or most is None:
        return
    first = max(int(since // grain.span_s), least)
    last = min(int(until // grain.span_s), most)
    for top in range(last, first - 1, -BUCKETS):
        yield list(range(max(top - BUCKETS + 1, first), top + 1))


def _series(row: Any) -> Series:
    return Series(row.id, row.metric, row.labels, row.unit)


def _sample(row: Any) -> Point:
    if row.value is None:
        return Point(row.at, None, row.cause or "", row.block_number, known=0, unknown=1)
    exact = row.raw if row.raw is not None else Decimal(repr(row.value))
    return Point(row.at, exact, "", row.block_number, row.value, row.value)


def _bounds(row: Any) -> Point:
    value = None if row.last is None else Decimal(repr(row.last))
    cause = "" if row.known else "unknown all the time"
    return Point(row.at, value, cause, None, row.least, row.most, row.known, row.unknown)
