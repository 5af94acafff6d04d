"""One export, from the store to a file or a pipe."""

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from sqlalchemy import func, select, text

from underkeel.errors import AppError
from underkeel.exports import write
from underkeel.exports.rows import COLUMNS, rows
from underkeel.exports.times import Span, iso
from underkeel.store.store import Store
from underkeel.store.tables import events, position_history

SCHEMA: Final = "underkeel.export/1"
KINDS: Final = tuple(COLUMNS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written."""

    kind: str
    format: str
    span: Span


def head(wanted: Wanted, store: Store) -> dict[str, Any]:
    """Return what is said of the rows."""
    return {
        "schema": SCHEMA,
        "kind": wanted.kind,
        "generated_at": iso(int(store.clock())),
        "mode": store.mode,
        "timezone": str(wanted.span.zone),
        "from": iso(wanted.span.since),
        "to": iso(wanted.span.until),
        "columns": list(COLUMNS[wanted.kind]),
    }


def export(
    store: Store, wanted: Wanted, out: IO[bytes], tell: Callable[[int], None] = lambda _: None
) -> int:
    """Write one consistent view of the rows and return how many."""
    with store.reading() as db:
        if not store.sqlite:  # who reads from the pipe may take his time
            db.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        found = rows(db, wanted.kind, wanted.span)
        if wanted.format == "csv":
            return write.write_csv(out, COLUMNS[wanted.kind], found, tell)
        writer = write.write_json if wanted.format == "json" else write.write_parquet
        return writer(out, head(wanted, store), found, tell)


def expected(store: Store, wanted: Wanted) -> int:
    """Return about how many rows there will be: of positions, a leg is a row."""
    table = {"positions": position_history, "events": events}.get(wanted.kind)
    if table is None:
        return 0
    span = table.c.at >= wanted.span.since, table.c.at < wanted.span.until
    with store.reading() as db:
        count = db.execute(select(func.count()).select_from(table).where(*span)).scalar_one()
    return int(count) * (3 if table is position_history else 1)


@contextmanager
def new_file(target: Path) -> Iterator[IO[bytes]]:
    """Give a file for us alone that takes its name when it is whole; raises `AppError`."""
    part = target.with_name(f"{target.name}.part")
    try:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise AppError(f"{target} cannot be written ({error.strerror})") from None
