"""Many rows at once, in the words of either database."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, update
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
    made = insert.on_conflict_do_update(index_elements=keys, set_=values)
    db.execute(made, [dict(row) for row in rows])


def update_many(db: Connection, table: Table, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Change some columns of many rows; all rows name the same columns."""
    if rows:
        change = update(table).where(table.c[key] == bindparam("key_"))
        columns: dict[str, Any] = {
            name: bindparam(f"new_{name}") for name in rows[0] if name != key
        }
        db.execute(
            change.values(**columns),
            [{"key_": row[key]} | {f"new_{n}": row[n] for n in columns} for row in rows],
        )


def insert_tuples(db: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write many whole rows as the driver takes them, in the table's order of columns.

    A tenth of the time of `upsert`, for what is written by the ten thousand. No two rows may have
    the same key; those that are there already are replaced.
    """
    if not rows:
        return
    columns = tuple(table.columns)
    keys = [column.name for column in table.primary_key]
    quoted = ", ".join(f'"{column.name}"' for column in columns)
    fresh = ", ".join(f'"{c.name}" = excluded."{c.name}"' for c in columns if c.name not in keys)
    end = f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {fresh}"
    begin = f"INSERT INTO {table.name} ({quoted})"
    if db.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        db.exec_driver_sql(f"{begin} VALUES ({marks}) {end}", list(rows))
        return
    # One statement with an array per column: a server takes rows one by one much slower.
    arrays = ", ".join(f"%s::{column.type.compile(db.dialect)}[]" for column in columns)
    lists = tuple(list(values) for values in zip(*rows, strict=True))
    db.exec_driver_sql(f"{begin} SELECT * FROM unnest({arrays}) {end}", lists)
