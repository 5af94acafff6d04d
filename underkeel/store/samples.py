"""Writing series of numbers over time, thinned; and the newest value of every series, whole.

A `Sampler` decides which observations become rows:

- the first of a series, and then one per `spacing`: 15 s, or as many seconds as keep all series
  together within `CALM_A_DAY` rows;
- a change between known and unknown, after 15 s;
- a move of `MOVE`, after 15 s and while there are rows left of `MOVES_A_DAY`, which are given out
  evenly and saved up for two hours.

The newest values are kept apart, whole, in one row per chain: at every write of up to 2,000
series, of more every second per 2,000.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy import Connection, insert, select

from chain.types import BlockRef
from underkeel.observe.types import Labels, Observation
from underkeel.store.documents import pack, unpack
from underkeel.store.grains import RAW
from underkeel.store.rollup import reopen, state
from underkeel.store.store import after_commit
from underkeel.store.tables import latest, samples, series
from underkeel.store.types import dumps, to_micros, words
from underkeel.store.upsert import insert_tuples, update_many, upsert

LEAST_S: Final = 15.0
MOVE: Final = 0.01
CALM_A_DAY: Final = 1_000_000
MOVES_A_DAY: Final = 1_000_000
SAVED_S: Final = 7200.0
SEEN_S: Final = 21_600.0
"""How often it is noted that a series is still there."""
SHOWN_A_S: Final = 2_000
"""Series whose newest value may be written per second: each time all of a chain are."""
FORGET_S: Final = 86_400.0
"""After this long without a value a series is no longer among the newest."""
CHUNK: Final = 500

Last = tuple[float, float | None]
Newest = tuple[float, Decimal | None, str, BlockRef | None]


class Sampler:
    """What was written last of every series; one per process that writes, shared by its threads."""

    def __init__(self, units: Mapping[str, str] | None = None) -> None:
        self._units = units or {}
        self._known: dict[tuple[str, Labels], tuple[int, str]] = {}
        self._last: dict[int, Last] = {}
        self._touched: set[int] = set()
        self._noted = -math.inf
        self._newest: dict[str, dict[int, Newest]] = {}
        self._shown: dict[str, float] = {}
        self._saved = 0.0
        self._clock = -math.inf

    @property
    def spacing_s(self) -> float:
        """Seconds between two rows of a calm series."""
        return max(LEAST_S, len(self._known) * 86_400 / CALM_A_DAY)

    def write(self, db: Connection, observations: Iterable[Observation]) -> int:
        """Write the rows that are due, and the newest values; return how many rows.

        One transaction of `Store.writing`; what it remembers it remembers when that is committed.
        """
        given = tuple(observations)
        if not given:
            return 0
        ids = self._identify(db, given)
        at = max(seen.at for seen in given)
        rows, last, budget = self._due(given, ids, at, state(db, RAW.name)[1])
        insert_tuples(db, samples, rows)
        if rows:
            reopen(db, RAW.name, min(row[0] for row in rows))
        self._note(db, {id_ for id_, _ in ids}, at)
        newest = self._show(db, given, ids)

        def remember() -> None:
            self._last |= last
            self._saved = budget
            for chain, values in newest.items():
                self._newest.setdefault(chain, {}).update(values)

        after_commit(db, remember)
        return len(rows)

    def _due(
        self, given: Sequence[Observation], ids: Sequence[tuple[int, str]], at: float, kept: int
    ) -> tuple[list[tuple[Any, ...]], dict[int, Last], float]:
        """Return the rows that are due, what was then written last, and what is left of moves."""
        spacing, budget = self.spacing_s, self._budget(at)
        rows: list[tuple[Any, ...]] = []
        last: dict[int, Last] = {}
        for seen, (id_, _) in zip(given, ids, strict=True):
            before = last.get(id_) or self._last.get(id_)
            if before is not None and 0 <= (passed := seen.at - before[0]) < spacing:
                if passed < LEAST_S or not _changed(before[1], seen.value, may_move=budget > 0):
                    continue
                budget -= 1
            bucket = int(seen.at // RAW.span_s)
            if bucket < kept:
                continue
            value = None if seen.value is None else float(seen.value)
            last[id_] = (seen.at, value)
            exact = value is not None and Decimal(repr(value)) != seen.value
            rows.append((
                bucket, id_, to_micros(seen.at), value, str(seen.value) if exact else None,
                words(seen.cause) if seen.cause else None, seen.block and seen.block.number,
            ))  # fmt: skip
        return rows, last, budget

    def _budget(self, at: float) -> float:
        """Return how many moves may be written."""
        rate = MOVES_A_DAY / 86_400
        passed = min(max(at - self._clock, 0.0), SAVED_S)
        self._clock = max(self._clock, at)
        return min(self._saved + passed * rate, SAVED_S * rate)

    def _identify(self, db: Connection, given: Sequence[Observation]) -> list[tuple[int, str]]:
        """Return the id and chain of each observation's series; new ones are made."""
        known = self._known
        found: dict[tuple[str, Labels], tuple[int, str]] = {}
        missing = {seen.series: seen for seen in given if (seen.metric, seen.labels) not in known}
        if missing:
            keys = {words(series_key(*name)): name for name in missing}
            has = _ids_of(db, keys)
            new = [self._series(missing[name], key) for key, name in keys.items() if key not in has]
            if new:
                db.execute(insert(series), new)
                has |= _ids_of(db, [row["key"] for row in new])
            found = {keys[key]: (id_, _chain(keys[key][1])) for key, id_ in has.items()}
            after_commit(db, lambda: known.update(found))
        return [
            known.get((seen.metric, seen.labels)) or found[seen.metric, seen.labels]
            for seen in given
        ]

    def _series(self, seen: Observation, key: str) -> dict[str, Any]:
        labels = dict(seen.labels)
        return {
            "key": key, "metric": seen.metric, "labels": labels,
            "unit": self._units.get(seen.metric, ""), "chain": labels.get("chain", ""),
            "position": labels.get("position", ""), "seen_at": seen.at,
        }  # fmt: skip

    def _note(self, db: Connection, ids: set[int], at: float) -> None:
        """Note, some times a day, which series are still there."""
        self._touched |= ids
        if at - self._noted < SEEN_S:
            return
        touched = sorted(self._touched)
        update_many(db, series, "id", [{"id": id_, "seen_at": at} for id_ in touched])

        def remember() -> None:
            self._noted = at
            self._touched.difference_update(touched)

        after_commit(db, remember)

    def _show(
        self, db: Connection, given: Sequence[Observation], ids: Sequence[tuple[int, str]]
    ) -> dict[str, dict[int, Newest]]:
        """Return the newest values of each chain, and write them where that is due."""
        newest: dict[str, dict[int, Newest]] = {}
        shown: dict[str, float] = {}
        for seen, (id_, chain) in zip(given, ids, strict=True):
            newest.setdefault(chain, {})[id_] = (seen.at, seen.value, seen.cause, seen.block)
        for chain, values in newest.items():
            if chain not in self._newest:
                self._newest[chain] = {
                    id_: (*one, None) for id_, one in read_newest(db, chain).items()
                }
            before = self._newest[chain]
            at = max(one[0] for one in values.values())
            if 0 <= at - self._shown.get(chain, -math.inf) < len(before) / SHOWN_A_S:
                continue
            whole = before | values
            upsert(db, latest, [_newest_row(chain, at, whole)])
            shown[chain] = at
        after_commit(db, lambda: self._shown.update(shown))
        return newest


def _newest_row(chain: str, at: float, values: dict[int, Newest]) -> dict[str, Any]:
    body = {
        str(id_): (when, None if value is None else str(value), cause)
        for id_, (when, value, cause, _) in values.items()
        if when >= at - FORGET_S
    }
    block = next((one[3] for one in values.values() if one[0] == at and one[3]), None)
    return {
        "chain": chain, "at": at, "body": pack(dumps(body)),
        "block_number": block and block.number, "block_hash": block and block.hash,
    }  # fmt: skip


def series_key(metric: str, labels: Labels) -> str:
    """Return the one text of a series."""
    return metric + dumps(labels).decode()


def _chain(labels: Labels) -> str:
    return next((value for name, value in labels if name == "chain"), "")


def _changed(before: float | None, value: Decimal | None, *, may_move: bool) -> bool:
    if before is None or value is None:
        return (before is None) != (value is None)
    return may_move and abs(float(value) - before) > MOVE * abs(before)


def _ids_of(db: Connection, keys: Iterable[str]) -> dict[str, int]:
    wanted, found = list(keys), dict[str, int]()
    for n in range(0, len(wanted), CHUNK):
        query = select(series.c.key, series.c.id).where(series.c.key.in_(wanted[n : n + CHUNK]))
        found |= {row.key: row.id for row in db.execute(query)}
    return found


def read_newest(db: Connection, chain: str) -> dict[int, tuple[float, Decimal | None, str]]:
    """Return the newest value of each series of a chain: id → (at, value or None, cause)."""
    body = db.execute(select(latest.c.body).where(latest.c.chain == chain)).scalar()
    if body is None:
        return {}
    return {
        int(id_): (at, None if text is None else Decimal(text), cause)
        for id_, (at, text, cause) in orjson.loads(unpack(body)).items()
    }
