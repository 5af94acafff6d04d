"""What a database refused, as one of our errors: never with a statement, a value or a URL."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from underkeel.store.errors import (
    Damaged,
    Full,
    Locked,
    NotWritten,
    ReadOnly,
    StoreError,
    Unreachable,
)

SQLITE: Final[dict[int, type[StoreError]]] = {
    sqlite3.SQLITE_BUSY: Locked,
    sqlite3.SQLITE_LOCKED: Locked,
    sqlite3.SQLITE_FULL: Full,
    sqlite3.SQLITE_READONLY: ReadOnly,
    sqlite3.SQLITE_PERM: ReadOnly,
    sqlite3.SQLITE_CANTOPEN: ReadOnly,
    sqlite3.SQLITE_CORRUPT: Damaged,
    sqlite3.SQLITE_NOTADB: Damaged,
}
"""By primary result code."""
POSTGRES: Final[dict[str, type[StoreError]]] = {
    "55P03": Locked,  # lock_not_available
    "40P01": Locked,  # deadlock_detected
    "40001": Locked,  # serialization_failure
    "57014": Locked,  # query_canceled
    "53100": Full,  # disk_full
    "53": Unreachable,  # out of connections or memory
    "08": Unreachable,  # connection exception
    "57": Unreachable,  # shut down, or not up yet
    "25P03": Unreachable,  # ended for idling in a transaction
    "25006": ReadOnly,  # read_only_sql_transaction
    "42501": ReadOnly,  # insufficient_privilege
    "XX001": Damaged,  # data_corrupted
    "XX002": Damaged,  # index_corrupted
}
"""By SQLSTATE, else by its class."""


def fault(error: SQLAlchemyError) -> StoreError:
    """Return the error of ours for one of the database's."""
    said = words_of(error)
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, sqlite3.Error):
        return sqlite_fault(cause)
    state = getattr(cause, "sqlstate", None) or ""
    if isinstance(error, DBAPIError) and error.connection_invalidated and not state:
        return Unreachable(said)
    if type(cause).__name__ == "OperationalError" and not state:  # never got as far as a state
        return Unreachable(said)
    return (POSTGRES.get(state) or POSTGRES.get(state[:2]) or NotWritten)(said)


def sqlite_fault(error: sqlite3.Error) -> StoreError:
    """Return the error of ours for one of the driver of SQLite."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return SQLITE.get(code & 0xFF, NotWritten)(_line(str(error)) or type(error).__name__)


def words_of(error: SQLAlchemyError) -> str:
    """Return the driver's own words in one line."""
    cause = error.orig if isinstance(error, StatementError) else None
    return _line(str(cause or "")) or type(cause or error).__name__


def _line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")[:200]
