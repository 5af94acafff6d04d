"""The service's other parts: delivery, heartbeat, pages, studies, steering, pruning.

They are written apart and meet here; a part that the config does not ask for is not there.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Event as Flag
from typing import TYPE_CHECKING, Any, Final

import orjson
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from chain.types import Address
from underkeel.alerts.evaluate import studied
from underkeel.alerts.rules import rules_of
from underkeel.config.load import Config
from underkeel.monitor.crew import Vitals, Work
from underkeel.monitor.metrics import collector
from underkeel.monitor.studying import Studying
from underkeel.notify.channels import heartbeat_url, open_channels
from underkeel.notify.heartbeat import Heartbeat
from underkeel.notify.service import Delivery
from underkeel.observe.service import observe_service
from underkeel.observe.transactions import observe_transactions
from underkeel.observe.types import Observed
from underkeel.portfolio import ChainReport, Portfolio
from underkeel.steer.observe import observations
from underkeel.steer.worker import Steering
from underkeel.store import documents
from underkeel.store.errors import StoreError
from underkeel.store.lock import Lock
from underkeel.store.store import Store
from underkeel.store.upkeep import Upkeep

if TYPE_CHECKING:
    from underkeel.monitor.shift import Reports, Tools

log = logging.getLogger(__name__)

STUDY_S: Final = 300.0
"""How often the slow documents are made."""
STUDY_MOVE: Final = 0.03
"""A price that moved by this share has them made at once."""
LEAST_STUDY_S: Final = 30.0
UPKEEP_S: Final = 60.0
OBSERVE_S: Final = 10.0
"""How often the service and the executor are observed."""
EXPOSURE: Final = "exposure"
"""The study that tells which code and feeds positions stand on."""


class Others:
    """Everything but the watchers and the ticks."""

    def __init__(
        self,
        config: Config,
        store: Store,
        lock: Lock,
        tools: "Tools",
        reports: "Reports",
        dead: Callable[[], Sequence[str]],
    ) -> None:
        self._config = config
        self._store = store
        self._lock = lock
        self._tools = tools
        self._reports = reports
        self._dead = dead
        channels = open_channels(config, tools.environ)
        self.delivery = Delivery(store, channels, fence=lock.check)
        url = heartbeat_url(config, tools.environ)
        table = config.settings.heartbeat
        self.heartbeat = (
            Heartbeat(url, table, self.delivery.stuck) if url is not None and table else None
        )
        self.steering = Steering(
            config, store, clock=tools.clock, fence=lock.check, told=self.delivery.wake
        )
        self.upkeep = Upkeep(store, config.settings.storage.retain, lock)
        self._rules = rules_of(config.settings)
        self._observed_at = -OBSERVE_S
        self.server: Any = None
        self._started = False

    def works(self) -> list[tuple[str, Work]]:
        """Return what runs in threads of the crew."""
        return [("studies", self._studies), ("upkeep", self._upkeep)]

    def start(self) -> None:
        """Start; raises `AppError` where the pages cannot be served."""
        if self._config.settings.web is not None:
            from underkeel.web.app import create_app
            from underkeel.web.serve import serve

            registry = CollectorRegistry()
            registry.register(collector(self._store, self._tools.clock))
            app = create_app(
                self._config, self._store, alone=False, dead=self._dead, registry=registry,
                clock=self._tools.clock, environ=self._tools.environ,
            )  # fmt: skip
            self.server = serve(app, self._config)
            log.info("pages at %s", self.server.url)
        self._started = True
        self.delivery.start()
        if self.heartbeat is not None:
            self.heartbeat.start()
        self.steering.start()

    def stop(self, timeout_s: float) -> None:
        """End all within about so long."""
        if self.server is not None:
            self.server.stop(timeout_s / 2)
        if not self._started:  # the pages could not be served: nothing else was begun
            return
        if self.heartbeat is not None:
            self.heartbeat.stop(0.5)
        self.steering.stop(timeout_s / 2)
        if not self.delivery.stop(timeout_s / 2):
            log.warning("a message is under way: it is sent again at the next start")

    def wake(self, *, messages: bool) -> None:
        """Say that something was committed."""
        if messages:
            self.delivery.wake()
        self.steering.wake()

    def beat(self, *, cycle_ok: bool, why: str = "") -> None:
        """Tell the dead-man switch."""
        if self.heartbeat is not None:
            self.heartbeat.beat(cycle_ok, why)

    def observed(self, db: Connection, now: float, dead: Mapping[str, str]) -> tuple[Observed, ...]:
        """Return what is observed of the service and of the executor."""
        settings = self._config.settings
        if self._tools.monotonic() - self._observed_at < OBSERVE_S:
            return ()
        self._observed_at = self._tools.monotonic()
        steered = {chain: observations(db, chain, now) for chain in settings.chains}
        return (
            *observe_transactions(db, settings, now, more=steered),
            *observe_service(
                db, self._config, now, degraded=dict(dead), environ=self._tools.environ
            ),
        )

    def dead(self) -> dict[str, str]:
        """Return what of these does not run, and why."""
        found = {}
        if not self.steering.alive or self.steering.fault:
            found["steering"] = self.steering.fault or "it does not run"
        if self.server is not None and not self.server.alive:
            found["pages"] = "they are not served"
        return found

    def _upkeep(self, stop: Flag, vitals: Vitals) -> None:
        while not stop.wait(UPKEEP_S):
            try:
                self.upkeep.run(stop.is_set)
            except StoreError as error:
                log.warning("the database is not tidied up: %s", error)

    def _studies(self, stop: Flag, vitals: Vitals) -> None:
        """Make the slow documents: at first, now and then, and when a price has moved."""
        tools = self._tools
        studying = Studying(self._config, tools.cache, opener=tools.opener, clock=tools.clock)
        before: dict[tuple[str, str, str], int] = {}
        last = tools.monotonic() - STUDY_S
        try:
            while not stop.wait(1.0):
                vitals.beat()
                reports = self._reports.all()
                if len(reports) < len(self._config.settings.chains):
                    continue
                since = tools.monotonic() - last
                now = _prices(reports)
                if since < STUDY_S and not (since > LEAST_STUDY_S and _moved(before, now)):
                    continue
                last, before = tools.monotonic(), now
                self._study(studying, reports, stop, vitals)
        finally:
            studying.stop()

    def _study(
        self, studying: Studying, reports: Sequence[ChainReport], stop: Flag, vitals: Vitals
    ) -> None:
        def go_on() -> bool:
            vitals.beat()
            return not stop.is_set()

        names = {Address(w.address): n for n, w in self._config.settings.wallets.items()}
        portfolio = Portfolio(tuple(names), tuple(reports), names)
        for kind, chain, body in studying.compute(portfolio, go_on):
            try:
                self._keep(kind, chain, body)
            except StoreError as error:
                log.warning("the %s could not be stored: %s", kind, error)

    def _keep(self, kind: str, chain: str, body: bytes) -> None:
        now = self._tools.clock()
        document = orjson.loads(body) if kind == EXPOSURE else {}
        with self._store.writing() as db:
            self._lock.check(db)
            documents.put(db, kind, chain, body, at=now)
            outcome = studied(db, self._rules, document, now) if document else None
        if outcome is not None:
            self.wake(messages=outcome.messages > 0)


def _prices(reports: Sequence[ChainReport]) -> dict[tuple[str, str, str], int]:
    return {
        (report.name, price.token, price.source): price.raw
        for report in reports
        for price in report.prices
        if hasattr(price, "raw")
    }


def _moved(before: dict[tuple[str, str, str], int], now: dict[tuple[str, str, str], int]) -> bool:
    return any(
        abs(raw - before[key]) > STUDY_MOVE * before[key]
        for key, raw in now.items()
        if key in before
    )
