"""One service per database: a lease with an epoch, which every write of the service checks.

    lock = Lock(store)
    held = lock.take()          # None: it is ours; else who has it
    with store.writing() as db:
        lock.check(db)          # LockLost: another has taken over; renews as well
        …

No clocks are compared. A holder counts `beat` up with every write; who wants the lock takes over
when it has seen the same beat for `ttl_s` of its own monotonic time. A holder that wakes up after
that finds another epoch in its first transaction, and nothing of it is written.
"""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, insert, select, update

from underkeel.store.errors import LockLost
from underkeel.store.store import Store
from underkeel.store.tables import service_lock

NAME: Final = "monitor"
TTL_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the lock."""

    name: str
    epoch: int
    holder: str
    beat: int
    taken_at: float
    beat_at: float


def holder(db: Connection, name: str = NAME) -> Holder | None:
    """Return who holds the lock, or held it last; None where it was given back or never taken."""
    row = db.execute(select(service_lock).where(service_lock.c.name == name)).first()
    return None if row is None or not row.holder else Holder(**row._mapping)


def identity() -> str:
    """Return how this process is named."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Lock:
    """The right to write; one object per process, safe between threads."""

    def __init__(
        self,
        store: Store,
        *,
        name: str = NAME,
        ttl_s: float = TTL_S,
        monotonic: Callable[[], float] = time.monotonic,
        who: str | None = None,
    ) -> None:
        self._store = store
        self._name = name
        self._ttl_s = ttl_s
        self._monotonic = monotonic
        self._who = who or identity()
        self._seen: tuple[int, int, float] | None = None
        self.epoch = 0
        """0: not ours."""

    def take(self) -> Holder | None:
        """Take the lock if it is free or its holder has been silent; else return the holder.

        Call it again every second or so while another holds it.
        """
        with self._store.writing() as db:
            row = db.execute(select(service_lock).where(self._where())).first()
            now = self._store.clock()
            if row is None:
                epoch = 1
                db.execute(insert(service_lock).values(
                    name=self._name, epoch=1, holder=self._who, beat=0, taken_at=now, beat_at=now
                ))  # fmt: skip
            elif row.holder and not self._silent(row.epoch, row.beat):
                return Holder(**row._mapping)
            else:
                epoch = row.epoch + 1
                db.execute(update(service_lock).where(self._where()).values(
                    epoch=epoch, holder=self._who, beat=0, taken_at=now, beat_at=now
                ))  # fmt: skip
        self.epoch = epoch
        return None

    def check(self, db: Connection) -> None:
        """Renew inside a transaction; raises `LockLost` if the epoch is over."""
        done = db.execute(
            update(service_lock)
            .where(self._where(), service_lock.c.epoch == self.epoch)
            .values(beat=service_lock.c.beat + 1, beat_at=self._store.clock())
        )
        if done.rowcount != 1:
            now = holder(db, self._name)
            raise LockLost(self._name, self.epoch, now.holder if now else "")

    def renew(self) -> None:
        """Renew where there is nothing to write; raises `LockLost`."""
        with self._store.writing() as db:
            self.check(db)

    def release(self) -> None:
        """Give it back; nothing happens where it is lost already."""
        with self._store.writing() as db:
            db.execute(
                update(service_lock)
                .where(self._where(), service_lock.c.epoch == self.epoch)
                .values(holder="")
            )
        self.epoch = 0

    def _silent(self, epoch: int, beat: int) -> bool:
        now = self._monotonic()
        if self._seen is None or self._seen[:2] != (epoch, beat):
            self._seen = (epoch, beat, now)
        return now - self._seen[2] >= self._ttl_s

    def _where(self) -> ColumnElement[bool]:
        return service_lock.c.name == self._name
