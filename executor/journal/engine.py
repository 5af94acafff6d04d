"""Open a database so that a confirmed commit is on disk.

SQLite: write-ahead log with synchronous=FULL; writes begin immediately, so that two processes
queue instead of failing late. Postgres (psycopg 3): synchronous_commit and read committed, its
defaults; the journal's writes begin by updating the wallet's row, which serialises them.
"""

import os
import sqlite3
from collections.abc import Collection, Iterator
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
WHOLE_BYTES: Final = 64 << 20
"""A larger file is not read from end to end each time that it is opened."""
PRAGMAS: Final = (
    f"busy_timeout={BUSY_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"journal_size_limit={WHOLE_BYTES}",
)
POSTGRES: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A server that is gone without a word is noticed within a minute."""
IDLE_MS: Final = 60_000
"""A process that is stopped inside a transaction does not hold its locks for ever."""
WRITES: Final = "executor_writes"
"""The option of a connection whose transactions write from their first statement."""
_NOT_DAMAGE: Final = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
})  # fmt: skip


def connect(url: str, tables: Collection[str]) -> Engine:
    """Return an engine; `url` is `sqlite:///path` or `postgresql+psycopg://…`.

    SQLite checks the whole file, of a large one only `tables` as far as they are there. Raises
    `NotWritten` where there is no database, `Damaged` where the check fails. The message never
    holds the URL, which may hold a password.
    """
    try:
        made = make_url(url)
        if made.get_backend_name() == "sqlite":
            return _sqlite(made.database, tables)
        if made.get_backend_name() == "postgresql":
            made = made.set(drivername="postgresql+psycopg")
            engine = create_engine(made, pool_pre_ping=True, connect_args=POSTGRES)
            event.listen(engine, "connect", _settings)
            return engine
    except ModuleNotFoundError:
        raise NotWritten("Postgres needs an extra: pip install 'underkeel[postgres]'") from None
    except (ArgumentError, NoSuchModuleError) as error:
        raise NotWritten(f"its URL cannot be used: {type(error).__name__}") from None
    raise NotWritten("its URL is neither sqlite nor postgresql")


def _sqlite(database: str | None, tables: Collection[str]) -> Engine:
    large = False
    if database and database != ":memory:":
        path = Path(database)
        try:
            with suppress(FileExistsError):
                # Signed bytes are as good as money: nobody else reads them.
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            large = path.stat().st_size > WHOLE_BYTES
        except FileNotFoundError:
            raise NotWritten("its folder does not exist") from None
        except OSError as error:
            raise NotWritten(f"its file cannot be made: {error.strerror}") from None
    engine = create_engine(f"sqlite:///{database or ':memory:'}")
    event.listen(engine, "connect", _pragmas)
    event.listen(engine, "begin", _begin)
    try:
        with engine.connect() as connection:
            _check(connection, tables if large else None)
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        raise (NotWritten if code in _NOT_DAMAGE else Damaged)(_words(error)) from None
    return engine


def _check(connection: Connection, tables: Collection[str] | None) -> None:
    """Have SQLite check the file, or some tables of it; raises `Damaged`."""
    checks = ["PRAGMA quick_check(1)"]
    if tables is not None:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table'")
        checks = [f"PRAGMA quick_check('{name}')" for (name,) in names if name in tables]
    for check in checks:
        verdict = connection.exec_driver_sql(check).scalars().first()
        if verdict != "ok":
            raise Damaged(str(verdict)[:200])


def _pragmas(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours, below
    cursor = connection.cursor()
    (pages,) = cursor.execute("PRAGMA page_count").fetchone()
    if pages == 0:  # later it would take the writer's lock, and before the log it takes effect
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _settings(connection: Any, record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = {IDLE_MS}")
    connection.commit()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
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
        with engine.execution_options(**{WRITES: True}).begin() as connection:
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
