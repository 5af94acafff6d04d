"""Insert or replace, in the words of either database."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    db: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    keep: Iterable[str] = (),
    count: str | None = None,
) -> None:
    """Write whole rows; of those that are there all columns but the key and `keep` are replaced.

    The column `count` grows by one instead, from the 1 that a new row should have.
    """
    if not rows:
        return
    insert: Any = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(table)
    keys = [column.name for column in table.primary_key]
    fixed = {*keys, *keep}
    values = {c: insert.excluded[c] for c in rows[0] if c not in fixed}
    if count is not None:
        values[count] = table.c[count] + 1
    db.execute(
        insert.on_conflict_do_update(index_elements=keys, set_=values), [dict(r) for r in rows]
    )
