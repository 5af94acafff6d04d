"""The documents of the web API, from the store: pages, JSON and agents read the same ones.

Every method reads at one moment; the store's own errors pass through (`StoreError`).
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from executor.policy.switch import Switch
from underkeel.config.load import Config
from underkeel.documents.alerts import AlertsDocument, SilencesDocument
from underkeel.documents.approvals import ApprovalsDocument
from underkeel.documents.events import EventsDocument
from underkeel.documents.exposure import ExposureDocument
from underkeel.documents.history import HistoryDocument
from underkeel.documents.ladder import LadderDocument
from underkeel.documents.models import PositionsDocument, RiskDocument
from underkeel.documents.oracles import OraclesDocument
from underkeel.documents.overview import OverviewDocument
from underkeel.documents.paging import HealthCheck
from underkeel.documents.proposals import ProposalsDocument
from underkeel.documents.system import SystemDocument
from underkeel.documents.txs import TxsDocument
from underkeel.state import state_folder
from underkeel.store import documents
from underkeel.store.store import Store
from underkeel.web.reading import (
    alerting,
    approvals,
    asked,
    journal,
    measured,
    overview,
    portfolio,
    service,
)
from underkeel.web.reading.chains import chains_now
from underkeel.web.reading.common import Library, Model, moment
from underkeel.web.reading.portfolio import Filter, Judgements

EVERYTHING: Final = Filter()
MOST_ALERTS: Final = 100
"""Alerts of the overview, the worst first; its counts are of all."""
EVENT_FILTERS: Final = ("kind", "severity", "chain", "wallet", "position", "alert")


def _nobody() -> Sequence[str]:
    return ()


class Data:
    """Reads the store; safe between threads."""

    def __init__(
        self,
        store: Store,
        config: Config,
        clock: Callable[[], float] = time.time,
        *,
        alone: bool = True,
        dead: Callable[[], Sequence[str]] = _nobody,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.store = store
        self.config = config
        self.clock = clock
        self.switch = Switch(state_folder(os.environ if environ is None else environ))
        self._alone = alone
        self._dead = dead
        self._library = Library()
        self._judged = Judgements()

    def overview(self) -> OverviewDocument:
        """Return everything at a glance."""
        now = self.clock()
        names = {w.address: name for name, w in self.config.settings.wallets.items()}
        with self.store.reading() as db:
            held = portfolio.held(db, self.config, self._library, self._judged, now)
            found = alerting.alerts_document(db, now, loud=True, limit=MOST_ALERTS)
            waiting, watching = asked.waiting(db), service.monitor(db, now)
            trend = overview.trend(db, list(self.config.settings.chains), now)
        nearest = overview.nearest(held.positions)
        return OverviewDocument(
            schema="underkeel.overview/1",
            generated_at=moment(now),
            mode=self.config.settings.mode,
            paused=self.switch.paused(),
            monitor=watching,
            chains=list(held.chains),
            totals=overview.totals(held),
            worst=nearest[0] if nearest else None,
            nearest=nearest,
            wallets=overview.wallets(held, names),
            counts=found.counts,
            alerts=found.alerts,
            proposals=str(waiting),
            trend=trend,
            unknown=overview.unknown_words(held.unknown),
        )

    def positions(
        self, wanted: Filter = EVERYTHING, *, limit: int | None = None, offset: int = 0
    ) -> PositionsDocument:
        """Return positions, in the order they were read."""
        held, now = self._held()
        return portfolio.positions_document(held, self.config, now, wanted, limit, offset)

    def risk(
        self, wanted: Filter = EVERYTHING, *, limit: int | None = None, offset: int = 0
    ) -> RiskDocument:
        """Return positions, the nearest to liquidation first."""
        held, now = self._held()
        return portfolio.risk_document(held, self.config, now, wanted, limit, offset)

    def exposure(self) -> ExposureDocument | None:
        """Return what positions stand on; None: not computed yet."""
        return self._study("exposure", ExposureDocument)

    def oracles(self) -> OraclesDocument | None:
        """Return the feeds behind prices; None: not computed yet."""
        return self._study("oracles", OraclesDocument)

    def ladder(self) -> LadderDocument | None:
        """Return what moving prices would do; None: not computed yet."""
        return self._study("ladder", LadderDocument)

    def approvals(
        self,
        *,
        chain: str | None = None,
        wallet: str | None = None,
        unlimited: bool | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> ApprovalsDocument:
        """Return who may take tokens."""
        now = self.clock()
        with self.store.reading() as db:
            held = portfolio.held(db, self.config, self._library, self._judged, now)
            kept = self._library.all(db, "exposure", ExposureDocument.model_validate_json)
        stored, document = kept[0] if kept else (None, None)
        studied = approvals.Studied.of(document, stored.at if stored else None)
        return approvals.approvals_document(
            held, studied, now,
            chain=chain, wallet=wallet, unlimited=unlimited, limit=limit, offset=offset,
        )  # fmt: skip

    def plans(
        self,
        *,
        status: str | None = None,
        alert: str | None = None,
        position: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> ProposalsDocument:
        """Return the plans that alerts asked for."""
        with self.store.reading() as db:
            return asked.proposals_document(
                db, self.clock(), self.switch.paused(),
                status=status, alert=alert, position=position, limit=limit, offset=offset,
            )  # fmt: skip

    def txs(
        self,
        *,
        chain: str | None = None,
        wallet: str | None = None,
        state: str | None = None,
        open_only: bool = False,
        limit: int | None = 200,
        offset: int = 0,
    ) -> TxsDocument:
        """Return the executor's transactions."""
        with self.store.reading() as db:
            return journal.txs_document(
                db, self.config, self.clock(), self.switch.paused(),
                chain=chain, wallet=wallet, state=state, open_only=open_only,
                limit=limit, offset=offset,
            )  # fmt: skip

    def alerts(
        self,
        *,
        state: str | None = None,
        severity: str | None = None,
        rule: str | None = None,
        chain: str | None = None,
        position: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> AlertsDocument:
        """Return alerts; without a state all but what is ok."""
        with self.store.reading() as db:
            return alerting.alerts_document(
                db, self.clock(),
                state=state, severity=severity, rule=rule, chain=chain, position=position,
                limit=limit, offset=offset,
            )  # fmt: skip

    def silences(self) -> SilencesDocument:
        """Return silences."""
        with self.store.reading() as db:
            return alerting.silences_document(db, self.clock())

    def events(
        self,
        filters: Mapping[str, str | None] | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> EventsDocument:
        """Return what happened; filters are of `EVENT_FILTERS`."""
        given = {name: (filters or {}).get(name) for name in EVENT_FILTERS}
        with self.store.reading() as db:
            return alerting.events_document(db, self.clock(), given, before, limit)

    def history(
        self,
        filters: Mapping[str, str] | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        grain: str | None = None,
        limit: int = measured.MOST_POINTS,
    ) -> HistoryDocument:
        """Return what was measured; filters are `metric` and labels."""
        labels = dict(filters or {})
        metric = labels.pop("metric", None)
        with self.store.reading() as db:
            return measured.history_document(
                db, self.clock(), metric, labels,
                since=since, until=until, grain=grain, limit=limit,
            )  # fmt: skip

    def system(self) -> SystemDocument:
        """Return how the service is."""
        with self.store.reading() as db:
            return service.system_document(db, self.config, self.clock(), self._process())

    def checks(self) -> list[HealthCheck]:
        """Return whether what is served may be relied on."""
        with self.store.reading() as db:
            return service.checks(db, self.config, self.clock(), self._process())

    def version(self, *kinds: str) -> str:
        """Return what changes whenever documents of these kinds do, or the state of a chain."""
        with self.store.reading() as db:
            kept = [(k, n) for k, n in sorted(documents.versions(db).items()) if k[0] in kinds]
            current = chains_now(db, self.config, self.clock())
        return repr((kept, [(one.name, one.status, one.cause) for one in current]))

    def _held(self) -> tuple[portfolio.Held, float]:
        now = self.clock()
        with self.store.reading() as db:
            return portfolio.held(db, self.config, self._library, self._judged, now), now

    def _study(self, kind: str, model: type[Model]) -> Model | None:
        with self.store.reading() as db:
            kept = self._library.all(db, kind, model.model_validate_json)
        return kept[0][1] if kept else None

    def _process(self) -> service.Process:
        return service.Process(self._alone, self._dead(), self.switch.paused())
