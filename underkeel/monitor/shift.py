"""Everything that runs on one config, its threads and what they share."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event as Flag
from threading import Lock as Mutex
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from underkeel.alerts.evaluate import Outcome, unwatched
from underkeel.alerts.rules import rules_of
from underkeel.config.load import Config
from underkeel.errors import AppError
from underkeel.monitor.crew import Crew, Vitals
from underkeel.monitor.ledger import Entry, Kept, Ledger
from underkeel.monitor.others import Others
from underkeel.monitor.rounds import Rounds
from underkeel.monitor.watcher import Recalled, Surroundings, Watcher
from underkeel.observe.types import Observed
from underkeel.portfolio import ChainReport
from underkeel.store import chains, documents, stamp
from underkeel.store.errors import LockLost, StoreError, WrongStamp
from underkeel.store.events import Event
from underkeel.store.lock import Lock
from underkeel.store.store import Store

log = logging.getLogger(__name__)

TICK_S: Final = 2.0
"""How often is done what only time asks for."""
JUMP_S: Final = 5.0
"""A wall clock that moves so much against the steady one has been set."""


class Tools(Protocol):
    """See `underkeel.monitor.service.Tools`."""

    @property
    def opener(self) -> Any: ...
    @property
    def cache(self) -> Any: ...
    @property
    def clock(self) -> Callable[[], float]: ...
    @property
    def monotonic(self) -> Callable[[], float]: ...
    @property
    def environ(self) -> Any: ...


@dataclass(slots=True)
class Reports:
    """The last report of each chain, for those who look at all of them."""

    _by_name: dict[str, ChainReport] = field(default_factory=dict)
    _mutex: Mutex = field(default_factory=Mutex)

    def put(self, report: ChainReport) -> None:
        """Replace a chain's report."""
        with self._mutex:
            self._by_name[report.name] = report

    def all(self) -> tuple[ChainReport, ...]:
        """Return one report of each chain that gave any."""
        with self._mutex:
            return tuple(self._by_name.values())


class Shift:
    """One config's threads."""

    def __init__(
        self,
        config: Config,
        store: Store,
        lock: Lock,
        tools: Tools,
        kept: Kept | None = None,
    ) -> None:
        self.config = config
        self.fatal: AppError | None = None
        """What makes it senseless to go on: the config names a wrong chain."""
        self._store = store
        self._tools = tools
        self.rules = rules_of(config.settings)
        self.reports = Reports()
        self.rounds = Rounds(tuple(config.settings.chains), tools.monotonic)
        self.ledger = Ledger(
            store, lock, self.rules, kept=kept,
            after_commit=self._committed, monotonic=tools.monotonic,
        )  # fmt: skip
        self.crew = Crew(tools.monotonic)
        self._running = False
        self._clock_off = tools.clock() - tools.monotonic()
        around = Surroundings(
            config=config,
            ledger=self.ledger,
            opener=tools.opener,
            cache=tools.cache,
            clock=tools.clock,
            monotonic=tools.monotonic,
            seen=self._seen,
            genesis=self._genesis,
            recall=lambda name: recall(store, name),
        )
        for name in config.settings.chains:
            self.crew.add(f"chain {name}", _watching(name, around))
        self.crew.add("ticks", self._ticks)
        self.others = Others(config, store, lock, tools, self.reports, self.dead)
        for name, work in self.others.works():
            self.crew.add(name, work, hang_s=float("inf"))

    @property
    def kept(self) -> Kept:
        """Return what could not be written yet."""
        return self.ledger.kept

    @property
    def lost(self) -> LockLost | None:
        """Return the error by which another service's takeover was noticed."""
        return self.ledger.lost_lock

    def start(self) -> None:
        """Start everything; raises `AppError` for what the config asks for and cannot be had."""
        self.others.start()
        self.crew.start()
        self._running = True
        self.say("service", "the service has started")
        log.info("the service runs")

    def stop(self, timeout_s: float) -> None:
        """End everything within about so long."""
        self._running = False
        if not self.ledger.failing:
            self.say("service", "the service ends")
        for member in self.crew.members:
            member.stop.set()
        self.others.stop(timeout_s / 2)
        for name in self.crew.stop(timeout_s / 2):
            log.warning("%s does not end in time and is left behind", name)

    def look(self) -> None:
        """Start again what died; tell the heartbeat of a complete round. To be called often."""
        for told in self.crew.look():
            log.error("%s", told)
            self.say("thread", told, "critical")
        self._clock_jump()
        dead = self.dead()
        if dead:
            self.others.beat(cycle_ok=False, why="; ".join(dead))
        elif self.rounds.complete():
            self.others.beat(cycle_ok=True)

    def dead(self) -> Sequence[str]:
        """Return what does not work, in words; nothing where all does."""
        return tuple(f"{what}: {why}" if why else what for what, why in self.degraded().items())

    def degraded(self) -> Mapping[str, str]:
        """Return what does not work, and why."""
        found = dict.fromkeys(self.crew.dead(), "it does not run")
        if self.ledger.failing:
            found["database"] = self.ledger.failing
        if lost := self.ledger.kept.lost:
            found["memory"] = f"{lost} readings were given up"
        if self._running:
            found |= self.others.dead()
        return found | self.rounds.late(self.config.settings.monitor)

    def status(self) -> str:
        """Return one line for people."""
        dead = self.dead()
        return "; ".join(dead) if dead else f"watching {len(self.config.settings.chains)} chains"

    def say(self, kind: str, text: str, severity: str = "info") -> None:
        """Write an event."""
        now = self._tools.clock()
        self.ledger.write(Entry(now, events=(Event(now, kind, text, severity),)))

    # What threads call

    def _committed(self, outcome: Outcome) -> None:
        self.others.wake(messages=outcome.messages > 0)

    def _seen(self, report: ChainReport) -> None:
        self.reports.put(report)
        self.rounds.seen(report, on_disk=not self.ledger.failing)

    def _genesis(self, chain_id: int, first: str) -> None:
        try:
            with self._store.writing() as db:
                stamp.check_genesis(db, chain_id, first)
        except WrongStamp as error:
            self.fatal = error
            raise
        except StoreError as error:
            log.warning("the chain's first block could not be compared: %s", error)

    def _ticks(self, stop: Flag, vitals: Vitals) -> None:
        while not stop.wait(TICK_S):
            vitals.beat()
            self.ledger.tick(self._tools.clock(), self._more)
            vitals.beat()

    def _more(self, db: Connection, now: float) -> tuple[Observed, ...]:
        degraded = {
            k: v for k, v in self.degraded().items() if k not in self.config.settings.chains
        }
        hangs = self.rounds.unwatched(self.config.settings.monitor)
        return (
            *self.others.observed(db, now, degraded),
            *(unwatched(name, now) for name in hangs),
        )

    def _clock_jump(self) -> None:
        off = self._tools.clock() - self._tools.monotonic()
        jump, self._clock_off = off - self._clock_off, off
        if abs(jump) > JUMP_S:
            text = f"the clock was set by {jump:+.0f} s"
            log.warning("%s", text)
            self.say("clock", text, "warning")


def recall(store: Store, name: str) -> Recalled:
    """Return what is stored of a chain from before; nothing where that cannot be read."""
    try:
        with store.reading() as db:
            before = chains.get(db, name)
            fingerprint = documents.get(db, "fingerprint", name)
    except StoreError as error:
        log.warning("what was known of %s could not be read: %s", name, error)
        return Recalled()
    return Recalled(
        fingerprint.value if fingerprint else None, before.success_at if before else None
    )


def _watching(name: str, around: Surroundings) -> Callable[[Flag, Vitals], None]:
    def work(stop: Flag, vitals: Vitals) -> None:
        with suppress(WrongStamp):  # kept as fatal: the service ends
            Watcher(name, around, stop, vitals).run()

    return work
