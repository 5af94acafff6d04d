"""Writing series of numbers over time, thinned; and the newest value of every series, whole.

A `Sampler` decides which observations become rows:

- the first of a series, and then one per `spacing`: 15 s, or as many seconds as keep all series
  together within `CALM_A_DAY` rows;
- a change between known and unknown, after 15 s;
- a move of `MOVE`, after 15 s and while there are rows left of `MOVES_A_DAY`, which are given out
  evenly and saved up for two hours.

A cycle's newest values are kept apart in one row per chain, so that nothing is lost by thinning
but the path between two rows.
"""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy import Connection, insert, select

from underkeel.observe.types import Labels, Observation
from underkeel.store.documents import pack, unpack
from underkeel.store.grains import RAW
from underkeel.store.rollup import reopen, state
from underkeel.store.store import after_commit
from underkeel.store.tables import latest, samples, series
from underkeel.store.types import words
from underkeel.store.upsert import update_many, upsert

LEAST_S: Final = 15.0
MOVE: Final = 0.01
CALM_A_DAY: Final = 1_000_000
MOVES_A_DAY: Final = 1_000_000
SAVED_S: Final = 7200.0
SEEN_S: Final = 86_400.0
"""How often it is noted that a series is still there."""
FORGET_S: Final = 86_400.0
"""After this long without a value a series is no longer among the newest."""
CHUNK: Final = 500

Last = tuple[float, float | None]
Newest = dict[int, tuple[float, str | None, str]]


class Sampler:
    """What was written last of every series; one per process that writes, shared by its threads."""

    def __init__(self, units: Mapping[str, str] | None = None) -> None:
        self._units = units or {}
        self._ids: dict[tuple[str, Labels], int] = {}
        self._last: dict[int, Last] = {}
        self._seen: dict[int, float] = {}
        self._newest: dict[str, Newest] = {}
        self._saved = 0.0
        self._clock = -math.inf

    @property
    def spacing_s(self) -> float:
        """Seconds between two rows of a calm series."""
        return max(LEAST_S, len(self._ids) * 86_400 / CALM_A_DAY)

    def write(self, db: Connection, observations: Iterable[Observation]) -> int:
        """Write the rows that are due, and the newest values; return how many rows.

        One transaction of `Store.writing`; what it remembers it remembers when that is committed.
        """
        given = tuple(observations)
        if not given:
            return 0
        ids = self._identify(db, given)
        kept = state(db, RAW.name)[1]
        spacing = self.spacing_s
        budget = self._budget(max(seen.at for seen in given))
        rows: list[dict[str, Any]] = []
        last: dict[int, Last] = {}
        for seen, id_ in zip(given, ids, strict=True):
            value = None if seen.value is None else float(seen.value)
            before = last.get(id_) or self._last.get(id_)
            bucket = int(seen.at // RAW.span_s)
            if bucket < kept:
                continue
            if not _calm(before, seen.at, spacing):
                if not _changed(before, seen.at, value, may_move=budget > 0):
                    continue
                budget -= 1
            last[id_] = (seen.at, value)
            rows.append(_row(seen, id_, bucket, value))
        upsert(db, samples, rows)
        if rows:
            reopen(db, RAW.name, min(row["bucket"] for row in rows))
        self._note_seen(db, ids, given)
        whole = self._write_newest(db, ids, given)

        def remember() -> None:
            self._last |= last
            self._newest |= whole
            self._saved = budget

        after_commit(db, remember)
        return len(rows)

    def _budget(self, at: float) -> float:
        """Return how many moves may be written."""
        rate = MOVES_A_DAY / 86_400
        passed = min(max(at - self._clock, 0.0), SAVED_S)
        self._clock = max(self._clock, at)
        return min(self._saved + passed * rate, SAVED_S * rate)

    def _identify(self, db: Connection, given: tuple[Observation, ...]) -> list[int]:
        """Return the id of each observation's series; new ones are made."""
        missing = {seen.series: seen for seen in given if seen.series not in self._ids}
        found: dict[tuple[str, Labels], int] = {}
        if missing:
            keys = {words(series_key(*name)): name for name in missing}
            has = _ids_of(db, keys)
            new = [self._series(missing[name], key) for key, name in keys.items() if key not in has]
            if new:
                db.execute(insert(series), new)
                has |= _ids_of(db, [row["key"] for row in new])
            found = {keys[key]: id_ for key, id_ in has.items()}
            after_commit(db, lambda: self._ids.update(found))
        return [self._ids.get(seen.series) or found[seen.series] for seen in given]

    def _series(self, seen: Observation, key: str) -> dict[str, Any]:
        labels = dict(seen.labels)
        return {
            "key": key, "metric": seen.metric, "labels": labels,
            "unit": self._units.get(seen.metric, ""), "chain": labels.get("chain", ""),
            "position": labels.get("position", ""), "seen_at": seen.at,
        }  # fmt: skip

    def _note_seen(self, db: Connection, ids: list[int], given: tuple[Observation, ...]) -> None:
        """Note, about once a day, that the series are still there."""
        new = {
            id_: seen.at
            for id_, seen in zip(ids, given, strict=True)
            if seen.at - self._seen.get(id_, -math.inf) > SEEN_S
        }
        if new:
            update_many(db, series, "id", [{"id": i, "seen_at": at} for i, at in new.items()])
            after_commit(db, lambda: self._seen.update(new))

    def _write_newest(
        self, db: Connection, ids: list[int], given: tuple[Observation, ...]
    ) -> dict[str, Newest]:
        """Write the newest values of the chains that were seen; return them."""
        by_chain: dict[str, Newest] = {}
        blocks: dict[str, Any] = {}
        for seen, id_ in zip(given, ids, strict=True):
            chain = dict(seen.labels).get("chain", "")
            if chain not in by_chain:
                by_chain[chain] = dict(self._newest.get(chain) or newest(db, chain))
            value = None if seen.value is None else str(seen.value)
            by_chain[chain][id_] = (seen.at, value, seen.cause)
            blocks[chain] = seen.block or blocks.get(chain)
        rows = []
        for chain, values in by_chain.items():
            at = max(one[0] for one in values.values())
            for id_ in [i for i, one in values.items() if one[0] < at - FORGET_S]:
                del values[id_]
            block = blocks[chain]
            body = pack(orjson.dumps({str(i): one for i, one in values.items()}))
            rows.append({
                "chain": chain, "at": at, "body": body,
                "block_number": block.number if block else None,
                "block_hash": block.hash if block else None,
            })  # fmt: skip
        upsert(db, latest, rows)
        return by_chain


def series_key(metric: str, labels: Labels) -> str:
    """Return the one text of a series."""
    return metric + orjson.dumps(labels).decode()


def _row(seen: Observation, id_: int, bucket: int, value: float | None) -> dict[str, Any]:
    exact = seen.value is not None and Decimal(repr(value)) != seen.value
    return {
        "bucket": bucket, "series": id_, "at": seen.at, "value": value,
        "raw": seen.value if exact else None, "cause": seen.cause or None,
        "block_number": seen.block.number if seen.block else None,
    }  # fmt: skip


def _calm(last: Last | None, at: float, spacing: float) -> bool:
    """Whether a row is due by time alone; so it is after a clock or a chain went back."""
    return last is None or not 0 <= at - last[0] < spacing


def _changed(last: Last | None, at: float, value: float | None, *, may_move: bool) -> bool:
    if last is None or at - last[0] < LEAST_S:
        return False
    before = last[1]
    if before is None or value is None:
        return before is not value
    return may_move and abs(value - before) > MOVE * abs(before)


def _ids_of(db: Connection, keys: Iterable[str]) -> dict[str, int]:
    wanted, found = list(keys), dict[str, int]()
    for n in range(0, len(wanted), CHUNK):
        query = select(series.c.key, series.c.id).where(series.c.key.in_(wanted[n : n + CHUNK]))
        found |= {row.key: row.id for row in db.execute(query)}
    return found


def newest(db: Connection, chain: str) -> Newest:
    """Return the newest value of each series of a chain: id → (at, exact text or None, cause)."""
    body = db.execute(select(latest.c.body).where(latest.c.chain == chain)).scalar()
    if body is None:
        return {}
    return {int(id_): tuple(one) for id_, one in orjson.loads(unpack(body)).items()}
