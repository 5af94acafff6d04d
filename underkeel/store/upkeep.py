"""What the service does beside its cycles: roll up, keep positions, prune, give space back.

Every step is one short transaction that checks the service's lock; stopping between two steps,
or being killed in one, loses nothing.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from underkeel.config.storage import RetainTable
from underkeel.store.history import Keeper
from underkeel.store.lock import Lock
from underkeel.store.prune import prune
from underkeel.store.rollup import roll_up
from underkeel.store.store import Store

FREE: Final = 0.2
"""Part of a file of SQLite that may lie empty, to be used again, before any is given back."""
PAGES: Final = 2_000
"""Given back at once."""
INCREMENTAL: Final = 2
"""SQLite's number for a file that can give pages back; one made before this program cannot."""


class Upkeep:
    """Call `run` about once a minute, in one thread."""

    def __init__(self, store: Store, retain: RetainTable, lock: Lock | None = None) -> None:
        self._store = store
        self._retain = retain
        self._lock = lock
        self._keeper = Keeper()

    def run(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Do all that is due; raises `NotWritten` and `LockLost`."""
        with self._store.reading() as db:
            due = self._keeper.due(db, self._store.clock())
        self._step(lambda db: self._keeper.keep(db, due))
        while not stopped() and self._step(lambda db: roll_up(db, self._store.clock())):
            pass
        while not stopped() and self._step(lambda db: prune(db, self._retain, self._store.clock())):
            pass
        while not stopped() and shrink(self._store):
            pass

    def _step(self, work: Callable[[Connection], int]) -> int:
        with self._store.writing() as db:
            if self._lock is not None:
                self._lock.check(db)
            return work(db)


def shrink(store: Store, free: float = FREE) -> int:
    """Give empty pages of a file of SQLite back, a piece at a time; return how many.

    A server's own vacuum looks after its tables.
    """
    if not store.sqlite:
        return 0
    with store.raw() as db:
        pages, empty, kind = (
            int(db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "auto_vacuum")
        )
        give = min(PAGES, empty - int(pages * free))
        if give <= 0 or kind != INCREMENTAL:
            return 0
        db.execute(f"PRAGMA incremental_vacuum({give})").fetchall()
        return give
