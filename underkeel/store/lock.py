"""One service per database: a lease with an epoch, which every write of the service checks.

    lock = Lock(store)
    held = lock.take()          # None: it is ours; else who has it
    with store.writing() as db:
        lock.check(db)          # LockLost: another has taken over; renews as well
        …

No clocks are compared. A holder counts `beat` up with every write; who wants the lock takes over
when it has seen the same beat for `ttl_s` of its own monotonic time, or at once from a process of
this machine that is dead. A holder that wakes up after that finds another epoch in its first
transaction, and nothing of it is written.
"""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

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
    """Host and pid, for people."""
    beat: int
    taken_at: float
    beat_at: float


def holder(db: Connection, name: str = NAME) -> Holder | None:
    """Return who holds the lock, or held it last; None where it was given back or never taken."""
    row = db.execute(select(service_lock).where(service_lock.c.name == name)).first()
    return None if row is None or not row.holder else _holder(row)


def _holder(row: Row[Any]) -> Holder:
    shown = ":".join(row.holder.split(":")[:2])
    return Holder(row.name, row.epoch, shown, row.beat, row.taken_at, row.beat_at)


def identity(pid: int | None = None) -> str:
    """Return how a process of this machine is named: host, pid, and what makes the pid unique."""
    pid = os.getpid() if pid is None else pid
    return ":".join((socket.gethostname(), str(pid), _boot(), _began(pid) or ""))


def alive(who: str) -> bool | None:
    """Whether a process that was named is still there; None where that cannot be told from here.

    It can be of this machine, since its last start, from within the same container.
    """
    host, _, rest = who.partition(":")
    pid, _, rest = rest.partition(":")
    boot, _, began = rest.partition(":")
    if host != socket.gethostname() or not pid.isdecimal() or boot != _boot() or not boot:
        return None
    return bool(began) and _began(int(pid)) == began


def _boot() -> str:
    """Return what pids are counted in: this start of the machine, and the pid namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink().name}".replace(":", "")
    except OSError:
        return ""


def _began(pid: int) -> str | None:
    """Return when a process began, in ticks of its machine; None: there is none, or a dead one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold anything
    return None if fields[0] in "ZX" else fields[19]


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
            elif row.epoch == self.epoch:
                return None
            elif row.holder and not self._over(row):
                return _holder(row)
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

    def _over(self, row: Row[Any]) -> bool:
        """Whether the holder is dead, or was silent for as long as we have looked."""
        now = self._monotonic()
        if self._seen is None or self._seen[:2] != (row.epoch, row.beat):
            self._seen = (row.epoch, row.beat, now)
        return alive(row.holder) is False or now - self._seen[2] >= self._ttl_s

    def _where(self) -> ColumnElement[bool]:
        return service_lock.c.name == self._name
