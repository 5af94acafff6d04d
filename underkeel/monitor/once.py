"""One complete cycle of all chains, alerts and delivery included: `run --once`, for cron."""

import threading
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from underkeel.alerts.rules import rules_of
from underkeel.config.load import Config
from underkeel.errors import AppError, Exit
from underkeel.monitor.crew import Vitals
from underkeel.monitor.ledger import Ledger
from underkeel.monitor.service import Tools
from underkeel.monitor.shift import recall
from underkeel.monitor.watcher import Surroundings, Watcher
from underkeel.notify import queue
from underkeel.notify.channels import heartbeat_url, open_channels
from underkeel.notify.heartbeat import Heartbeat
from underkeel.notify.service import Delivery
from underkeel.portfolio import ChainReport
from underkeel.store import stamp
from underkeel.store.lock import Lock
from underkeel.store.store import Store
from underkeel.store.tables import alerts
from underkeel.store.upkeep import Upkeep

DELIVER_S: Final = 60.0
"""How long messages that wait are tried; what is left is sent by the next run."""


class Busy(AppError):
    """Another service serves this database."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round saw."""

    reports: tuple[ChainReport, ...]
    firing: int
    waiting: int
    """Messages that could not be delivered yet."""
    fault: str = ""
    """Why it could not be written."""

    @property
    def code(self) -> Exit:
        """Return the exit code: 5 before 3, for what is unknown may fire as well."""
        if self.fault:
            return Exit.ERROR
        if any(report.fault for report in self.reports):
            return Exit.CHAIN
        return Exit.ATTENTION if self.firing else Exit.OK


def run_once(config: Config, store: Store, tools: Tools | None = None) -> Round:
    """Read every chain, judge by the rules, deliver, and say how it went."""
    tools = tools or Tools()
    lock = Lock(store, monotonic=tools.monotonic)
    _take(lock, tools)
    try:
        return _round(config, store, lock, tools)
    finally:
        lock.release()


def _take(lock: Lock, tools: Tools) -> None:
    other = lock.take()
    if other is not None:
        raise Busy(f"{other.holder} serves this database; ask it, or stop it first")


def _round(config: Config, store: Store, lock: Lock, tools: Tools) -> Round:
    channels = open_channels(config, tools.environ)
    ledger = Ledger(store, lock, rules_of(config.settings), monotonic=tools.monotonic)
    errors: list[BaseException] = []

    def genesis(chain_id: int, first: str) -> None:
        with store.writing() as db:
            stamp.check_genesis(db, chain_id, first)

    around = Surroundings(
        config=config,
        ledger=ledger,
        opener=tools.opener,
        cache=tools.cache,
        clock=tools.clock,
        monotonic=tools.monotonic,
        genesis=genesis,
        recall=lambda name: recall(store, name),
    )
    reports: dict[str, ChainReport] = {}

    def one(name: str) -> None:
        watcher = Watcher(name, around, threading.Event(), Vitals(tools.monotonic))
        try:
            reports[name] = watcher.once()
        except BaseException as error:  # noqa: BLE001  (raised again by the thread that waits)
            errors.append(error)

    names = tuple(config.settings.chains)
    threads = [threading.Thread(target=one, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    ledger.tick(tools.clock(), lambda _db, _now: ())
    waiting, stuck = _deliver(Delivery(store, channels, fence=lock.check), store, tools)
    _beat(config, reports, ledger.failing or stuck, tools)
    if not ledger.failing:
        Upkeep(store, config.settings.storage.retain, lock).run()
    return Round(tuple(reports[name] for name in names), firing(store), waiting, ledger.failing)


def _deliver(delivery: Delivery, store: Store, tools: Tools) -> tuple[int, str]:
    """Return how many messages still wait, and why nobody would be told of anything, if so."""
    delivery.start()
    until = tools.monotonic() + DELIVER_S
    try:
        while (left := _waiting(store)) and tools.monotonic() < until:
            time.sleep(0.05)
        stuck = delivery.stuck()
    finally:
        delivery.stop(5.0)
    return left, stuck


def _waiting(store: Store) -> int:
    with store.reading() as db:
        return sum(backlog.count for backlog in queue.backlog(db).values())


def firing(store: Store) -> int:
    """Return how many alerts fire, acknowledged or not; `info` is no alarm."""
    lit = alerts.c.state.in_(("firing", "acked")) & (alerts.c.severity != "info")
    with store.reading() as db:
        return int(db.execute(select(func.count()).select_from(alerts).where(lit)).scalar_one())


def _beat(config: Config, reports: dict[str, ChainReport], fault: str, tools: Tools) -> None:
    """Ping the dead-man switch once, if the round was complete."""
    url, table = heartbeat_url(config, tools.environ), config.settings.heartbeat
    if url is None or table is None:
        return
    why = fault or "; ".join(f"{n}: {r.cause}" for n, r in reports.items() if r.fault)
    Heartbeat(url, table, lambda: "").hear(not why, why)
