"""Raw values into hours, hours into days: as often as one likes with the same result.

`done` of a grain is the first bucket that is not rolled up into the next grain. A bucket that is
over is rolled up whole, so that doing it again changes nothing; a row that comes late sets `done`
back to its bucket.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, insert, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from underkeel.store.grains import COARSER, RAW, Grain
from underkeel.store.tables import grains

SETTLE_S: Final = 60
"""How long after its end a bucket is over: the last block's rows come late."""


def roll_up(db: Connection, now: float) -> bool:
    """Roll up one bucket of one grain; False where nothing is left to do."""
    for fine, coarse in COARSER:
        done, _ = state(db, fine.name)
        over = int((now - SETTLE_S) // fine.span_s)
        bucket = _next(db, fine, done, over)
        if bucket is not None:
            _roll(db, fine, coarse, bucket)
            _set(db, fine.name, done=bucket + 1)
            if fine is RAW:
                reopen(db, coarse.name, int(bucket * fine.span_s // coarse.span_s))
            return True
        if done < over:
            _set(db, fine.name, done=over)
    return False


def state(db: Connection, grain: str) -> tuple[int, int]:
    """Return the first buckets that are not rolled up, and not pruned."""
    row = db.execute(select(grains).where(grains.c.grain == grain)).first()
    return (0, 0) if row is None else (row.done, row.kept)


def set_done(db: Connection, grain: str, bucket: int) -> None:
    """Note that everything before a bucket is rolled up, or thinned."""
    _set(db, grain, done=bucket)


def set_kept(db: Connection, grain: str, bucket: int) -> None:
    """Note that everything before a bucket is pruned."""
    _set(db, grain, kept=bucket)


def _next(db: Connection, grain: Grain, done: int, over: int) -> int | None:
    """Return the first bucket with rows among those that are over and not done."""
    column = grain.table.c.bucket
    query = select(func.min(column)).where(column >= done, column < over)
    found = db.execute(query).scalar()
    return None if found is None else int(found)


def _roll(db: Connection, fine: Grain, coarse: Grain, bucket: int) -> None:
    """Write a row per series that has any in the bucket."""
    at = bucket * fine.span_s
    query = _sums_of_samples(bucket) if fine is RAW else _sums_of_bounds(fine, bucket)
    sums = query.subquery()
    last = fine.table.alias()
    chosen = (
        select(
            literal(at // coarse.span_s).label("bucket"),
            sums.c.series,
            literal(at, coarse.table.c.at.type).label("at"),
            sums.c.least,
            sums.c.most,
            (last.c.value if fine is RAW else last.c.last).label("last"),
            sums.c.known,
            sums.c.unknown,
        )
        .select_from(
            sums.outerjoin(
                last,
                and_(
                    last.c.bucket == bucket,
                    last.c.series == sums.c.series,
                    last.c.at == sums.c.last_at,
                ),
            )
        )
        .where(literal(1) == 1)
    )  # SQLite cannot tell ON CONFLICT from a join's ON without a WHERE
    made: Any = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(coarse.table)
    names = ["bucket", "series", "at", "least", "most", "last", "known", "unknown"]
    made = made.from_select(names, chosen)
    db.execute(
        made.on_conflict_do_update(
            index_elements=names[:3], set_={name: made.excluded[name] for name in names[3:]}
        )
    )


def _sums_of_samples(bucket: int) -> Select[Any]:
    table = RAW.table
    return _sums(table, bucket, table.c.value.is_not(None)).add_columns(
        func.min(table.c.value).label("least"),
        func.max(table.c.value).label("most"),
        func.count(table.c.value).label("known"),
        (func.count() - func.count(table.c.value)).label("unknown"),
    )


def _sums_of_bounds(grain: Grain, bucket: int) -> Select[Any]:
    table = grain.table
    return _sums(table, bucket, table.c.known > 0).add_columns(
        func.min(table.c.least).label("least"),
        func.max(table.c.most).label("most"),
        func.sum(table.c.known).label("known"),
        func.sum(table.c.unknown).label("unknown"),
    )


def _sums(table: Any, bucket: int, known: ColumnElement[bool]) -> Select[Any]:
    last_at = func.max(case((known, table.c.at))).label("last_at")
    return select(table.c.series, last_at).where(table.c.bucket == bucket).group_by(table.c.series)


def _set(db: Connection, grain: str, **values: int) -> None:
    where = grains.c.grain == grain
    if not db.execute(grains.update().where(where).values(**values)).rowcount:
        db.execute(insert(grains).values({"grain": grain, "done": 0, "kept": 0} | values))


def reopen(db: Connection, grain: str, bucket: int) -> None:
    """Have a bucket rolled up again: a row of it came late."""
    late = grains.update().where(grains.c.grain == grain, grains.c.done > bucket)
    db.execute(late.values(done=bucket))
