"""The store: one database, opened, stamped, and read and written in transactions.

    store = Store.open("sqlite:///keel.sqlite", mode="dry-run", chains={"ethereum": 1})
    with store.writing() as db:
        documents.put(db, "risk", "ethereum", body, at=now, block=block)
    with store.reading() as db:
        found = documents.get(db, "risk", "ethereum")

Functions of the modules beside this one take the connection, so that one transaction holds all
of a cycle. One writer at a time, in Postgres as in SQLite: rows, ids and versions then become
visible in the order they were given, and nobody has to think about deadlocks.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from executor.journal import engine as engines
from executor.journal.errors import Damaged as DamagedFile
from executor.journal.errors import NotWritten as NoEngine
from underkeel.store import schema, stamp
from underkeel.store.errors import Damaged, Moved, NotWritten, WrongSchema
from underkeel.store.faults import fault, sqlite_fault
from underkeel.store.tables import metadata

CHECKED: Final = metadata.tables.keys() - {"samples", "hourly", "daily", "position_history"}
"""What SQLite checks at every start, however large the file is."""
WRITER: Final = 0x6B65656D
"""The advisory lock of Postgres that lets one writer in."""
WAIT_MS: Final = 10_000


_AFTER: Final = "store_after"


def after_commit(db: Connection, call: Callable[[], None]) -> None:
    """Have something called when the transaction of `db` is committed, and only then."""
    db.get_execution_options()[_AFTER].append(call)


class Store:
    """A database of ours; safe to share between threads and processes."""

    def __init__(self, engine: Engine, mode: str, clock: Callable[[], float]) -> None:
        self.engine = engine
        self.mode = mode
        self.clock = clock
        name = engine.url.database if self.sqlite else None
        self._file = Path(name) if name else None
        self._opened = None if self._file is None else _identity(self._file)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        mode: str,
        chains: Mapping[str, int],
        clock: Callable[[], float] = time.time,
        upgrade: bool = False,
    ) -> "Store":
        """Open, or make, the store at a database URL.

        `chains` are the config's names and chain ids; `upgrade` brings older tables up to date.
        Raises `Damaged`, `NotWritten`, `WrongSchema` and `WrongStamp`.
        """
        store = cls.attach(url, mode=mode, clock=clock)
        try:
            store._make(chains, upgrade=upgrade)
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def attach(cls, url: str, *, mode: str, clock: Callable[[], float] = time.time) -> "Store":
        """Connect to a database whatever its tables and its stamp are: to copy it."""
        try:
            return cls(engines.connect(url, CHECKED), mode, clock)
        except DamagedFile as error:
            raise Damaged(error.cause) from None
        except NoEngine as error:
            raise NotWritten(error.cause) from None

    def _make(self, chains: Mapping[str, int], *, upgrade: bool) -> None:
        with self.reading() as db:  # most find all as it should be, and wait for no writer
            fits = schema.version(db) == schema.HEAD
            if fits and not stamp.missing(db, self.mode, chains, 0):
                return
        with self.writing() as db:
            has = schema.version(db)
            if has is not None and has != schema.HEAD:
                newer = has not in schema.steps()
                if newer or not upgrade:
                    raise WrongSchema(has, schema.HEAD, newer=newer)
            if has != schema.HEAD:
                schema.upgrade(db)
            stamp.add(db, stamp.missing(db, self.mode, chains, self.clock()))

    @property
    def sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give one consistent view of all rows; never waits for a writer."""
        self._unmoved()
        options = {} if self.sqlite else {"isolation_level": "REPEATABLE READ"}
        try:
            with self.engine.connect() as db:
                yield db.execution_options(**options) if options else db
        except SQLAlchemyError as error:
            raise fault(error) from None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Commit on exit, all or nothing; raises `NotWritten` for what the database refuses."""
        self._unmoved()
        calls: list[Callable[[], None]] = []
        options = {engines.WRITES: self.sqlite, _AFTER: calls}
        try:
            with self.engine.execution_options(**options).begin() as db:
                if not self.sqlite:
                    db.execute(text(f"SET LOCAL lock_timeout = {WAIT_MS}"))
                    db.execute(text(f"SELECT pg_advisory_xact_lock({WRITER})"))
                yield db
        except SQLAlchemyError as error:
            raise fault(error) from None
        for call in calls:
            call()

    @contextmanager
    def raw(self) -> Iterator[sqlite3.Connection]:
        """Give the driver's connection to a file of SQLite: each statement is a transaction."""
        connection = None
        try:
            connection = self.engine.raw_connection()
            driver = connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            yield driver
        except SQLAlchemyError as error:
            raise fault(error) from None
        except sqlite3.Error as error:
            raise sqlite_fault(error) from None
        finally:
            if connection is not None:
                connection.close()

    def _unmoved(self) -> None:
        """Raise `Moved` where the file of SQLite is not at its place any more.

        What was written to it then would be lost, and others would act by what is there now.
        """
        if self._opened is not None and self._file and _identity(self._file) != self._opened:
            raise Moved(str(self._file))

    def close(self) -> None:
        """Let the connections go."""
        self.engine.dispose()


def _identity(file: Path) -> tuple[int, int] | None:
    """Return what tells a file from any other that takes its place."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
