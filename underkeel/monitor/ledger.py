"""Write what a cycle saw, in one transaction; keep what could not be written until it can.

While the database cannot be written (full disk, another process's lock, a lost server), what was
observed is kept in memory, in order, and is judged by the rules in that order once it is back: an
alert that fired and ended meanwhile is told all the same.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from underkeel.alerts.evaluate import Outcome, evaluate, tick
from underkeel.alerts.rules import Rules
from underkeel.observe.metrics import METRICS
from underkeel.observe.types import Observed
from underkeel.store import chains, documents, events
from underkeel.store.chains import ChainState
from underkeel.store.errors import LockLost, StoreError
from underkeel.store.events import Event
from underkeel.store.lock import Lock
from underkeel.store.samples import Sampler
from underkeel.store.store import Store

log = logging.getLogger(__name__)

MOST_KEPT: Final = 200_000
"""Observations kept while nothing can be written; then every second reading is given up."""
BATCH: Final = 20
"""Entries of one transaction."""
UNITS: Final = {name: metric.unit for name, metric in METRICS.items()}


@dataclass(frozen=True, slots=True)
class Paper:
    """A document to be stored."""

    kind: str
    chain: str
    body: bytes | Mapping[str, Any]
    at: float
    block_number: int | None = None
    block_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """All that one cycle writes."""

    at: float
    """By our clock."""
    state: ChainState | None = None
    observed: tuple[Observed, ...] = ()
    papers: tuple[Paper, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def size(self) -> int:
        """Return how many observations it holds."""
        return sum(len(o.observations) for o in self.observed)


@dataclass(slots=True)
class Kept:
    """What waits for the database, oldest first."""

    entries: deque[Entry] = field(default_factory=deque)
    papers: dict[tuple[str, str], Paper] = field(default_factory=dict)
    """The newest of each kind: older ones would be replaced at once."""
    lost: int = 0
    """Readings given up for want of memory."""

    def add(self, entry: Entry) -> None:
        """Keep an entry; of too many, every second one of the older half goes."""
        self.papers.update({(p.kind, p.chain): p for p in entry.papers})
        self.entries.append(_bare(entry))
        while sum(e.size for e in self.entries) > MOST_KEPT and len(self.entries) > 2:
            older = list(self.entries)[: max(2, len(self.entries) // 2)]
            newer = list(self.entries)[len(older) :]
            thinned = [e for i, e in enumerate(older) if i % 2 == 0 or e.events]
            if len(thinned) == len(older):
                thinned = older[1:]
            self.lost += len(older) - len(thinned)
            self.entries = deque([*thinned, *newer])


def _bare(entry: Entry) -> Entry:
    return Entry(entry.at, entry.state, entry.observed, (), entry.events)


class Ledger:
    """Writes for every thread of the service, one transaction at a time."""

    def __init__(
        self,
        store: Store,
        lock: Lock,
        rules: Rules,
        *,
        kept: Kept | None = None,
        after_commit: Callable[[Outcome], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._lock = lock
        self._rules = rules
        self._after_commit = after_commit
        self._monotonic = monotonic
        self._gate = threading.Lock()
        self.kept = kept or Kept()
        """What waits for the database."""
        self._sampler = Sampler(UNITS)
        self.lost_lock: LockLost | None = None
        """Set when another service has taken over: nothing is written any more."""
        self.failing = ""
        """Why the database could not be written last; empty if it was."""
        self.failing_since = 0.0

    @property
    def waiting(self) -> int:
        """Return how many entries wait for the database."""
        return len(self.kept.entries)

    def write(self, entry: Entry) -> bool:
        """Write an entry, and first what waits; return whether all of it is on disk.

        Raises nothing: what cannot be written is kept.
        """
        with self._gate:
            self.kept.add(entry)
            return self._flush()

    def retry(self) -> bool:
        """Try again to write what waits; return whether nothing waits any more."""
        with self._gate:
            return not self.kept.entries or self._flush()

    def tick(self, now: float, more: Callable[[Connection, float], tuple[Observed, ...]]) -> bool:
        """Do what only time asks for, and renew the lock; return whether it was written."""

        def work(db: Connection) -> Outcome:
            found = [evaluate(db, self._rules, o, now) for o in more(db, now)]
            return _sum([*found, tick(db, self._rules, now)])

        with self._gate:
            if self.kept.entries and not self._flush():
                return False
            outcome = self._transaction(work)
        if outcome is not None:
            self._after_commit(outcome)
        return outcome is not None

    def _flush(self) -> bool:
        """Write what waits, oldest first; an entry that is beyond us is given up, and told."""
        most = BATCH
        while self.kept.entries:
            batch = list(self.kept.entries)[:most]
            last = len(batch) == len(self.kept.entries)
            papers = tuple(self.kept.papers.values()) if last else ()

            def work(db: Connection, batch: Any = batch, papers: Any = papers) -> Outcome:
                return _sum([*(self._one(db, e) for e in batch), *_papers(db, papers)])

            try:
                outcome = self._transaction(work)
            except Exception as fault:  # a fault of ours must not stop all that comes after
                log.exception("what was observed could not be judged")
                self._failed(f"internal error: {type(fault).__name__}: {fault}")
                if len(batch) == 1:
                    self.kept.entries.popleft()
                    self.kept.lost += 1
                most = 1
                continue
            if outcome is None:
                return False
            for _ in batch:
                self.kept.entries.popleft()
            if last:
                self.kept.papers.clear()
            self._after_commit(outcome)
        return True

    def _one(self, db: Connection, entry: Entry) -> Outcome:
        for event in entry.events:
            events.add(db, event)
        if entry.state is not None:
            chains.put(db, entry.state)
        found = []
        for observed in entry.observed:
            self._sampler.write(db, observed.observations)
            found.append(evaluate(db, self._rules, observed, entry.at))
        return _sum(found)

    def _transaction(self, work: Callable[[Connection], Outcome]) -> Outcome | None:
        """Run one fenced transaction; None where it failed and nothing was kept."""
        if self.lost_lock is not None:
            return None
        try:
            with self._store.writing() as db:
                self._lock.check(db)
                outcome = work(db)
        except LockLost as lost:
            self.lost_lock = lost
            log.error("%s", lost)
            return None
        except StoreError as error:
            self._failed(str(error))
            return None
        if self.failing:
            took = self._monotonic() - self.failing_since
            log.warning("the database can be written again, after %.0f s", took)
            self.failing = ""
        return outcome

    def _failed(self, cause: str) -> None:
        if not self.failing:
            self.failing_since = self._monotonic()
            log.error("%s; watching goes on, and what is seen is kept in memory", cause)
        self.failing = cause


def _papers(db: Connection, papers: tuple[Paper, ...]) -> list[Outcome]:
    for paper in papers:
        documents.put(
            db, paper.kind, paper.chain, paper.body,
            at=paper.at, block_number=paper.block_number, block_hash=paper.block_hash,
        )  # fmt: skip
    return []


def _sum(found: list[Outcome]) -> Outcome:
    return Outcome(
        firing=sum(o.firing for o in found),
        changed=sum(o.changed for o in found),
        messages=sum(o.messages for o in found),
    )
