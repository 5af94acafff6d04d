"""Forget what is older than its time: in small steps, so that nobody waits long for the lock."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, or_, select, tuple_

from underkeel.config.storage import RetainTable
from underkeel.store import tables
from underkeel.store.grains import DAILY, DAY, HOURLY, RAW, Grain
from underkeel.store.rollup import set_done, set_kept, state

STEP: Final = 10_000
"""Rows removed in one transaction."""
THINNED: Final = "positions"
OVER: Final = ("done", "refused", "expired", "failed", "withdrawn")
"""Proposals of which nothing can come any more."""


def prune(db: Connection, retain: RetainTable, now: float) -> int:
    """Remove one step's worth of rows and return how many; 0 where nothing is left to remove."""
    now = present(db, now)
    for grain, seconds in ((RAW, retain.raw), (HOURLY, retain.hourly), (DAILY, retain.daily)):
        if count := _prune_grain(db, grain, now - seconds):
            return count
    for table, old in _rows(retain, now):
        if count := _prune_rows(db, table, old):
            return count
    return _thin_positions(db, now - retain.raw)


def present(db: Connection, now: float) -> float:
    """Return the time that ages are counted from: our clock's, but not far after the chains'.

    A clock that jumps ahead must not have a year of rows removed, and a chain whose time stands in
    the past keeps its rows.
    """
    newest = db.execute(select(func.max(tables.chain_states.c.block_timestamp))).scalar()
    return now if newest is None else min(now, float(newest) + DAY)


def old_rows(db: Connection, retain: RetainTable, now: float) -> int:
    """Return about how many rows there are to remove: values only, which are most of all."""
    now = present(db, now)
    return sum(
        int(db.execute(select(func.count()).where(table.c.bucket < end)).scalar_one())
        for table, end in (
            (grain.table, int((now - seconds) // grain.span_s))
            for grain, seconds in (
                (RAW, retain.raw),
                (HOURLY, retain.hourly),
                (DAILY, retain.daily),
            )
        )
    )


def _prune_grain(db: Connection, grain: Grain, before: float) -> int:
    """Remove from the oldest bucket, never one that is not rolled up."""
    done, kept = state(db, grain.name)
    end = int(before // grain.span_s)
    if grain is not DAILY:
        end = min(end, done)
    table = grain.table
    first = db.execute(select(func.min(table.c.bucket)).where(table.c.bucket < end)).scalar()
    if first is None:
        if kept < end:
            set_kept(db, grain.name, end)
        return 0
    # From here on nothing late is written to it: it could not be rolled up as a whole again.
    if kept <= first:
        set_kept(db, grain.name, first + 1)
    where = table.c.bucket == first
    last = db.execute(
        select(table.c.series).where(where).order_by(table.c.series).offset(STEP).limit(1)
    ).scalar()
    if last is not None:
        where &= table.c.series <= last
    return int(db.execute(delete(table).where(where)).rowcount)


def _rows(retain: RetainTable, now: float) -> Sequence[tuple[Table, ColumnElement[bool]]]:
    """Return per table what is old."""
    t, cut = tables, now - retain.events
    settled = t.notifications.c.status.in_(("delivered", "failed"))
    return (
        (t.position_history, t.position_history.c.at < now - retain.hourly),
        (t.events, t.events.c.at < cut),
        (t.notifications, settled & (t.notifications.c.created_at < cut)),
        (t.proposals, t.proposals.c.status.in_(OVER) & (t.proposals.c.changed_at < cut)),
        (t.silences, or_(t.silences.c.until < cut, t.silences.c.ended_at < cut)),
        (t.alerts, t.alerts.c.state.in_(("ok", "resolved")) & (t.alerts.c.changed_at < cut)),
        (t.series, t.series.c.seen_at < now - retain.daily - 2 * DAY),
    )


def _prune_rows(db: Connection, table: Table, old: ColumnElement[bool]) -> int:
    keys = tuple(table.primary_key)
    some = select(*keys).where(old).limit(STEP)
    return int(db.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount)


def _thin_positions(db: Connection, before: float) -> int:
    """Leave the newest row of each position and day, one day after the other."""
    done, end = state(db, THINNED)[0], int(before // DAY)
    table = tables.position_history
    at = func.min(table.c.at)
    first = db.execute(select(at).where(table.c.at >= done * DAY, table.c.at < end * DAY)).scalar()
    if first is None:
        if done < end:
            set_done(db, THINNED, end)
        return 0
    day = int(first // DAY)
    newer = table.alias()
    old = (table.c.at >= day * DAY) & (table.c.at < (day + 1) * DAY)
    old &= exists().where(
        newer.c.position == table.c.position,
        newer.c.at > table.c.at,
        newer.c.at < (day + 1) * DAY,
    )
    count = _prune_rows(db, table, old)
    if count < STEP:
        set_done(db, THINNED, day + 1)
    return max(count, 1)  # there may be more days
