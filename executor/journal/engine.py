"""Open a database so that a confirmed commit is on disk.

SQLite: write-ahead log with synchronous=FULL; writes begin immediately, so that two processes
queue instead of failing late. Postgres (psycopg 3): synchronous_commit and read committed, its
defaults; the journal's writes begin by updating the wallet's row, which serialises them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)

from executor.journal.errors import Damaged, JournalError, NotWritten

BUSY_MS: Final = 5_000
_WRITES: Final = "executor_writes"


def connect(url: str) -> Engine:
    """Return an engine; `url` is `sqlite:///path` or `postgresql+psycopg://…`.

    Raises `NotWritten` where there is no database, `Damaged` where SQLite's own check fails. The
    message never holds the URL, which may hold a password.
    """
    try:
        made = make_url(url)
        if made.get_backend_name() == "sqlite":
            return _sqlite(made.database)
        if made.get_backend_name() == "postgresql":
            return create_engine(made.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise NotWritten(f"its URL cannot be used: {type(error).__name__}") from None
    raise NotWritten("its URL is neither sqlite nor postgresql")


def _sqlite(database: str | None) -> Engine:
    if database and database != ":memory:":
        path = Path(database)
        with suppress(FileExistsError):
            try:
                # Signed bytes are as good as money: nobody else reads them.
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            except FileNotFoundError:
                raise NotWritten("its folder does not exist") from None
    engine = create_engine(f"sqlite:///{database or ':memory:'}")
    event.listen(engine, "connect", _pragmas)
    event.listen(engine, "begin", _begin)
    try:
        with engine.connect() as connection:
            (verdict,) = connection.exec_driver_sql("PRAGMA quick_check(1)").one()
    except DBAPIError as error:
        raise Damaged(_words(error)) from None
    if verdict != "ok":
        raise Damaged(str(verdict)[:200])
    return engine


def _pragmas(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours, below
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a consistent view of the rows."""
    try:
        with engine.connect() as connection:
            yield connection
    except JournalError:
        raise
    except SQLAlchemyError as error:
        raise NotWritten(_words(error)) from None


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Commit on exit, all or nothing; whatever the database refuses is `NotWritten`.

    A row that is there already is `IntegrityError`: only the caller knows what that means.
    """
    try:
        with engine.execution_options(**{_WRITES: True}).begin() as connection:
            yield connection
    except (JournalError, IntegrityError):
        raise
    except SQLAlchemyError as error:
        raise NotWritten(_words(error)) from None


def _words(error: SQLAlchemyError) -> str:
    """Return the driver's own words, in one line, without statement or parameters."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    lines = str(cause if cause is not None else type(error).__name__).splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
