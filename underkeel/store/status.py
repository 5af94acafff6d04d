"""What a database is, and how large."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, inspect, select, text

from underkeel.store import schema, stamp
from underkeel.store.lock import Holder, holder
from underkeel.store.store import Store
from underkeel.store.tables import metadata


@dataclass(frozen=True, slots=True)
class Status:
    """One database."""

    backend: Literal["sqlite", "postgresql"]
    version: str
    mode: str
    instance: str
    chains: dict[str, int]
    size_bytes: int
    """Of the file with its log, or of the schema's tables and indexes."""
    rows: dict[str, int]
    """By table."""
    holder: Holder | None
    """Of the service's lock."""


def status(store: Store) -> Status:
    """Return what the database is; counts every row."""
    with store.reading() as db:
        marks = stamp.read(db)
        return Status(
            backend="sqlite" if store.sqlite else "postgresql",
            version=schema.version(db) or "",
            mode=marks.get("mode", ""),
            instance=marks.get("instance", ""),
            chains={k[6:]: int(v) for k, v in marks.items() if k.startswith("chain:")},
            size_bytes=size(db),
            rows=rows(db),
            holder=holder(db),
        )


def size(db: Connection) -> int:
    """Return bytes; cheap."""
    if db.dialect.name == "sqlite":
        pages, page = (
            int(db.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "page_size")
        )
        return pages * page
    total = "sum(pg_total_relation_size(c.oid))"
    where = "c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
    found = db.execute(text(f"SELECT {total} FROM pg_class c WHERE {where}")).scalar()
    return int(found or 0)


def rows(db: Connection) -> dict[str, int]:
    """Return how many rows each table has."""
    there = set(inspect(db).get_table_names())
    return {
        name: int(db.execute(select(func.count()).select_from(table)).scalar_one())
        for name, table in sorted(metadata.tables.items())
        if name in there
    }
