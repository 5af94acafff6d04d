"""Raw → hourly → daily, and retention, on both databases."""

import random
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select

from tests.fixtures_store import BEGIN, StoreClock
from underkeel.config.storage import RetainTable
from underkeel.observe.types import Observation, labels
from underkeel.store import chains, points, tables
from underkeel.store.grains import DAY, GRAINS, HOUR, RAW
from underkeel.store.points import Point
from underkeel.store.prune import old_rows, prune
from underkeel.store.rollup import roll_up, state
from underkeel.store.samples import Sampler
from underkeel.store.store import Store
from underkeel.store.upkeep import Upkeep

START = (BEGIN // DAY) * DAY
"""A midnight."""
RETAIN = RetainTable.model_validate({"raw": "2d", "hourly": "10d", "daily": "60d", "events": "10d"})


def write(store: Store, values: Mapping[float, str | None], name: str = "a") -> None:
    seen = []
    for at, text in values.items():
        value = None if text is None else Decimal(text)
        cause = "" if value is not None else "down"
        names = labels(chain="base", position=name)
        seen.append(Observation("equity_usd", names, value, cause, START + at, None))
    with store.writing() as db:
        Sampler().write(db, seen)


def roll(store: Store, now: float) -> int:
    steps = 0
    while True:
        with store.writing() as db:
            if not roll_up(db, START + now):
                return steps
            steps += 1


def read(store: Store, grain: str, name: str = "a") -> dict[float, Point]:
    with store.reading() as db:
        (series,) = points.find(db, "equity_usd", {"position": name})
        found = points.points(db, series.id, 0, START + 400 * DAY, grain=grain)
    return {p.at - START: p for p in found}


def count(store: Store, table: Any) -> int:
    with store.reading() as db:
        return int(db.execute(select(func.count()).select_from(table)).scalar_one())


def test_roll_up__an_hour__bounds_last_and_what_was_unknown(store: Store) -> None:
    write(store, {10: "3", 700: "1", 1400: "2", 2100: None, 3700: "9", 7300: "8"})
    roll(store, 2 * HOUR + 61)
    hours = read(store, "hourly")
    assert list(hours) == [0, HOUR]  # the third is not over
    first = hours[0]
    assert (first.least, first.most, first.value) == (1.0, 3.0, Decimal(2))
    assert (first.known, first.unknown) == (3, 1)
    assert hours[HOUR].value == Decimal(9)


def test_roll_up__an_hour_of_nothing_known__has_no_value(store: Store) -> None:
    write(store, {10: None, 700: None})
    roll(store, 2 * DAY)
    for grain in ("hourly", "daily"):
        (point,) = read(store, grain).values()
        assert (point.value, point.least, point.known, point.unknown) == (None, None, 0, 2)
        assert point.cause


def test_roll_up__again__changes_nothing(store: Store) -> None:
    write(store, {at: str(at) for at in range(0, DAY, 1800)})
    assert roll(store, DAY + 61) == 24 + 1
    before = read(store, "hourly"), read(store, "daily")
    assert roll(store, DAY + 61) == 0
    with store.writing() as db:
        db.execute(tables.grains.update().values(done=0))
    assert roll(store, DAY + 61) == 24 + 1
    assert (read(store, "hourly"), read(store, "daily")) == before


def test_roll_up__a_late_row__is_counted_in_its_hour_and_day(store: Store) -> None:
    write(store, dict.fromkeys(range(0, 2 * DAY, 1800), "5"))
    roll(store, 2 * DAY + 61)
    write(store, {5 * HOUR + 7: "99"})
    assert roll(store, 2 * DAY + 61) > 0
    assert read(store, "hourly")[5 * HOUR].most == 99
    assert read(store, "daily")[0].most == 99
    assert read(store, "daily")[DAY].most == 5


def test_roll_up__random_values__as_python_says(store: Store) -> None:
    rng = random.Random(7)
    values: dict[float, str | None] = {
        at: None if rng.random() < 0.2 else str(rng.randint(-50, 50))
        for at in sorted(rng.sample(range(3 * DAY), 300))
    }
    write(store, values)
    roll(store, 4 * DAY)
    for grain, span in (("hourly", HOUR), ("daily", DAY)):
        groups: dict[float, list[str | None]] = defaultdict(list)
        kept = {p.at - START for p in _raw(store)}
        for at, text in values.items():
            if at in kept:
                groups[at // span * span].append(text)
        found = read(store, grain)
        assert found.keys() == groups.keys()
        for begin, texts in groups.items():
            known = [float(text) for text in texts if text is not None]
            point = found[begin]
            assert point.known == len(known)
            assert point.unknown == len(texts) - len(known)
            if known:
                assert (point.least, point.most) == (min(known), max(known))
                assert point.value == Decimal(known[-1])


def _raw(store: Store) -> list[Point]:
    with store.reading() as db:
        (series,) = points.find(db, "equity_usd")
        return list(points.points(db, series.id, 0, START + 400 * DAY))


def test_prune__by_grain__nothing_that_is_not_rolled_up(store: Store) -> None:
    write(store, {at: str(at) for at in range(0, 4 * DAY, 7200)})
    now = START + 5 * DAY
    with store.writing() as db:
        assert prune(db, RETAIN, now) == 0  # nothing is rolled up yet
    roll(store, 5 * DAY)
    with store.reading() as db:
        assert old_rows(db, RETAIN, now) == 36
    while True:
        with store.writing() as db:
            if not prune(db, RETAIN, now):
                break
    assert min(read(store, "raw")) == 3 * DAY
    assert len(read(store, "hourly")) == 48
    assert len(read(store, "daily")) == 4


def test_prune__clock_jumps_a_year_ahead__counts_by_the_chains_time(store: Store) -> None:
    write(store, dict.fromkeys(range(0, 2 * DAY, 7200), "5"))
    with store.writing() as db:
        seen = int(START + 2 * DAY)
        chains.put(db, chains.ChainState("base", 8453, "ok", block_timestamp=seen))
    roll(store, 400 * DAY)
    with store.writing() as db:
        assert old_rows(db, RETAIN, START + 400 * DAY) == 12
        while prune(db, RETAIN, START + 400 * DAY):
            pass
    assert min(read(store, "raw")) == DAY  # by the newest block and a day
    write(store, {2 * DAY + 7200: "6"})  # the clock is right again
    roll(store, 2 * DAY + 4 * HOUR)
    assert read(store, "hourly")[2 * DAY + 7200].value == Decimal(6)


def test_prune__a_late_row_for_pruned_hours__is_not_written(store: Store) -> None:
    write(store, dict.fromkeys(range(0, DAY, 1800), "5"))
    roll(store, 4 * DAY)
    with store.writing() as db:
        while prune(db, RETAIN, START + 4 * DAY):
            pass
    before = read(store, "hourly")
    write(store, {7: "99"})
    roll(store, 4 * DAY)
    assert read(store, "hourly") == before
    assert read(store, "raw") == {}


def test_upkeep__seven_weeks__stays_bounded(store: Store, store_clock: StoreClock) -> None:
    retain = RetainTable.model_validate(
        {"raw": "1d", "hourly": "3d", "daily": "6d", "events": "1d"}
    )
    upkeep = Upkeep(store, retain)
    sampler = Sampler()
    most = 0
    for day in range(40):
        for hour in range(0, 24, 24):
            store_clock.now = START + day * DAY + hour * HOUR
            name = "a" if day < 4 else "b"  # the first position is closed then
            seen = Observation(
                "equity_usd", labels(chain="base", position=name), Decimal(day), "",
                store_clock.now, None,
            )  # fmt: skip
            with store.writing() as db:
                sampler.write(db, [seen])
        upkeep.run()
        most = max(most, *(count(store, g.table) for g in GRAINS.values()))
    assert most <= 40  # days: those of the buckets of 32 that are not over yet
    assert count(store, tables.series) == 1
    with store.reading() as db:
        done, kept = state(db, RAW.name)
        assert done > kept > 0


def test_prune__old_things__go_and_what_is_open_stays(store: Store) -> None:
    old, now = START, START + 30 * DAY
    with store.writing() as db:
        for n, status in enumerate(("delivered", "failed", "waiting", "sending")):
            db.execute(insert(tables.notifications).values(
                id=str(n), channel="c", alert="", rule="", state="", severity="", title="",
                body="", payload={}, created_at=old, status=status, attempts=0, waited=0,
                holder="", maybe=False, cause="",
            ))  # fmt: skip
        db.execute(insert(tables.deliveries).values(
            notification=1, channel="c", attempt=1, began_at=old, outcome="delivered", cause="",
            repeated=False,
        ))  # fmt: skip
        for at in (old, now - DAY):
            db.execute(insert(tables.events).values(
                at=at, kind="k", severity="info", chain="", wallet="", position="", alert="",
                text="t", body={},
            ))  # fmt: skip
    with store.writing() as db:
        while prune(db, RETAIN, now):
            pass
        left = db.execute(select(tables.notifications.c.status)).scalars().all()
        assert sorted(left) == ["sending", "waiting"]
    assert count(store, tables.deliveries) == 0
    assert count(store, tables.events) == 1
