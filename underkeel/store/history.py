"""Positions as they were: whole, but not at every block.

Taken from the stored `risk` documents once in a while. A position is kept when it is new, when it
changes in kind (its legs, their sides, its status, what of it is unknown), when an amount or a
price in it moves by `MOVE`, and otherwise each hour.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select

from underkeel.store import documents
from underkeel.store.store import after_commit
from underkeel.store.tables import position_history as table
from underkeel.store.types import dumps
from underkeel.store.upsert import upsert

EVERY_S: Final = 3600.0
MOVE: Final = 0.05
GONE: Final = b"null"
PIECE: Final = 500
"""Rows read at once."""

Shape = tuple[Any, ...]
Kept = tuple[float, Shape, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Past:
    """A position at a block."""

    position: str
    at: float
    """The block's time."""
    chain: str
    block_number: int | None
    block_hash: str | None
    value: dict[str, Any] | None
    """As in the `positions` document; None: it was no longer there."""


class Keeper:
    """What was kept last of every position; one per process that writes."""

    def __init__(self) -> None:
        self._last: dict[str, dict[str, Kept]] = {}
        self._versions: dict[str, int] = {}

    def due(self, db: Connection, now: float) -> "Due":
        """Return what is to be kept of every chain's newest `risk` document: reads only."""
        found = Due([], {}, {})
        for (kind, chain), version in documents.versions(db).items():
            if kind != "risk" or self._versions.get(chain) == version:
                continue
            stored = documents.get(db, kind, chain)
            if stored is not None:
                found.versions[chain] = version
                value = stored.value
                if chain not in self._last:
                    self._last[chain] = _recent(db, chain, value)
                rows, found.last[chain] = self._chain(chain, value, now)
                found.rows.extend(rows)
        return found

    def keep(self, db: Connection, due: "Due") -> int:
        """Write what is due; return how many positions."""
        upsert(db, table, due.rows)

        def remember() -> None:
            self._last |= due.last
            self._versions |= due.versions

        after_commit(db, remember)
        return len(due.rows)

    def _chain(
        self, chain: str, document: Mapping[str, Any], now: float
    ) -> tuple[list[dict[str, Any]], dict[str, Kept]]:
        """Return a chain's rows that are due, and what is then kept last of it."""
        before, last = self._last.get(chain, {}), dict[str, Kept]()
        rows = []
        for position in document.get("positions", ()):
            seen = _seen(position)
            id_ = position["id"]
            known = last[id_] = before.get(id_, seen)
            if known is seen or _due(known, seen):
                last[id_] = seen
                rows.append(_row(chain, position, seen[0]))
        whole = not document.get("unknown") and all(
            one.get("status") == "ok" for one in document.get("chains", ())
        )
        absent = before.keys() - last.keys()
        if whole:
            rows += [_gone(chain, id_, now) for id_ in sorted(absent)]
        else:
            last |= {id_: before[id_] for id_ in absent}
        return rows, last


@dataclass(frozen=True, slots=True)
class Due:
    """What a `Keeper` is to write."""

    rows: list[dict[str, Any]]
    last: dict[str, dict[str, Kept]]
    versions: dict[str, int]


def between(
    db: Connection, since: float, until: float, *, position: str | None = None
) -> Iterator[Past]:
    """Yield positions of since ≤ at < until in order of time, piece by piece."""
    after: tuple[float, str] | None = None
    while True:
        query = (
            select(table)
            .where(table.c.at >= (since if after is None else after[0]), table.c.at < until)
            .order_by(table.c.at, table.c.position)
            .limit(PIECE)
        )
        if after is not None:
            query = query.where((table.c.at > after[0]) | (table.c.position > after[1]))
        if position is not None:
            query = query.where(table.c.position == position)
        rows = db.execute(query).all()
        for row in rows:
            yield Past(
                row.position, row.at, row.chain, row.block_number, row.block_hash,
                orjson.loads(documents.unpack(row.body)),
            )  # fmt: skip
        if len(rows) < PIECE:
            return
        after = (rows[-1].at, rows[-1].position)


def _recent(db: Connection, chain: str, document: Mapping[str, Any]) -> dict[str, Kept]:
    """Return what a process before this one kept last, of what is not due by time."""
    times = [_seen(position)[0] for position in document.get("positions", ())]
    if not times:
        return {}
    query = (
        select(table)
        .where(table.c.at > min(times) - EVERY_S, table.c.chain == chain, table.c.body != GONE)
        .order_by(table.c.at)
    )
    found = ((row.position, row.body) for row in db.execute(query))
    return {id_: _seen(orjson.loads(documents.unpack(body))) for id_, body in found}


def _seen(position: Mapping[str, Any]) -> Kept:
    legs = position["legs"]
    shape = (
        position["liquidation"]["status"], position["verified"], position["unknown"],
        [(leg["asset"], leg["side"], leg["name"], leg["price_raw"] is None) for leg in legs],
    )  # fmt: skip
    numbers = [float(leg[key] or 0) for leg in legs for key in ("amount_raw", "price_raw")]
    return float(position["provenance"]["timestamp"]), shape, tuple(numbers)


def _due(known: Kept, seen: Kept) -> bool:
    if not 0 <= seen[0] - known[0] < EVERY_S or seen[1] != known[1]:
        return True
    return any(abs(a - b) > MOVE * abs(b) for a, b in zip(seen[2], known[2], strict=True))


def _row(chain: str, position: Mapping[str, Any], at: float) -> dict[str, Any]:
    of = position["provenance"]
    return {
        "position": position["id"], "at": at, "chain": chain,
        "block_number": int(of["block_number"]), "block_hash": of["block_hash"],
        "body": documents.pack(dumps(position), long=512),
    }  # fmt: skip


def _gone(chain: str, id_: str, now: float) -> dict[str, Any]:
    return {
        "position": id_, "at": now, "chain": chain, "block_number": None, "block_hash": None,
        "body": GONE,
    }  # fmt: skip
