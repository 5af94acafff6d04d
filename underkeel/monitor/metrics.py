"""What Prometheus asks for, read from the store alone: so `dash` says the same as `run`.

Names and base units are those of the product; labels are bounded: what one person watches. A
value that is unknown is not there, and `underkeel_unknown` counts how many are not.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select

from executor.journal import tables as journal
from underkeel.observe.metrics import METRICS
from underkeel.store import chains, points
from underkeel.store.chains import ChainState
from underkeel.store.errors import StoreError
from underkeel.store.store import Store
from underkeel.store.tables import alerts, deliveries, notifications

NAMES: Final = {"liquidation_distance": "liquidation_distance_ratio", "data_age": ""}
"""Observed metrics that are called otherwise; those without a name are made here."""
UNITS: Final = {"seconds": "_seconds"}
SEVERITIES: Final = ("info", "warning", "critical")


class StoreCollector(Collector):
    """Tells Prometheus what is in the store."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is is known when it is asked for."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family; one that says that the store cannot be read where it cannot."""
        up = GaugeMetricFamily("underkeel_store_up", "1: the database can be read.")
        try:
            with self._store.reading() as db:
                found = list(self._families(db))
        except StoreError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from found

    def _families(self, db: Connection) -> Iterator[Metric]:
        states = chains.all(db)
        now = self._clock()
        yield from _chains(states, now)
        yield from _observed(db, [state.chain for state in states])
        yield from _told(db)
        yield from _sent(db)
        live = GaugeMetricFamily("underkeel_live_mode", "1: transactions may be signed.")
        live.add_metric([], float(self._store.mode == "live"))
        yield live


def collector(store: Store, clock: Callable[[], float]) -> StoreCollector:
    """Return what a registry takes."""
    return StoreCollector(store, clock)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"underkeel_{name}", text, labels=labels)


def _chains(states: Iterable[ChainState], now: float) -> Iterator[Metric]:
    head = _gauge("chain_head_timestamp_seconds", "Time of the newest block read.", "chain")
    age = _gauge("data_age_seconds", "Since a chain was last read whole.", "chain")
    good = _gauge("cycle_last_success_timestamp_seconds", "When that was.", "chain")
    took = _gauge("cycle_duration_seconds", "How long the last cycle took.", "chain")
    pace = _gauge("cycle_interval_seconds", "Least time between two cycles now.", "chain")
    shed = _gauge("shedding_factor", "Far accounts are read at every so-manieth cycle.", "chain")
    late = _gauge("positions_waiting", "Positions that moved and wait to be judged.", "chain")
    counted = {
        name: CounterMetricFamily(f"underkeel_{name}", text, labels=("chain",))
        for name, text in (
            ("cycles", "Readings of a chain."),
            ("cycle_failures", "Readings that failed."),
            ("heads_skipped", "Heads passed by because a cycle took longer than a block."),
            ("reorgs", "Reorganisations seen."),
        )
    }
    rpc = CounterMetricFamily(
        "underkeel_rpc_requests", "POSTs by endpoint and outcome.",
        labels=("chain", "endpoint", "outcome"),
    )  # fmt: skip
    for state in states:
        name, body = [state.chain], state.body
        if state.block_timestamp is not None:
            head.add_metric(name, state.block_timestamp)
        if state.success_at is not None:
            age.add_metric(name, max(0.0, now - state.success_at))
            good.add_metric(name, state.success_at)
        for family, key in (
            (took, "cycle_s"), (pace, "interval_s"), (shed, "shedding"), (late, "waiting"),
            (counted["cycles"], "cycles"), (counted["cycle_failures"], "failures"),
            (counted["heads_skipped"], "skipped"), (counted["reorgs"], "reorgs"),
        ):  # fmt: skip
            if key in body:
                family.add_metric(name, body[key])
        for endpoint, outcomes in body.get("endpoints", {}).items():
            for outcome, count in outcomes.items():
                rpc.add_metric([state.chain, endpoint, outcome], count)
    yield from (head, age, good, took, pace, shed, late, *counted.values(), rpc)


def _observed(db: Connection, names: Iterable[str]) -> Iterator[Metric]:
    """Yield every observed metric that has a known value."""
    families: dict[str, GaugeMetricFamily] = {}
    unknown: Counter[tuple[str, str]] = Counter()
    for chain in (*names, ""):
        for newest in points.latest(db, chain):
            metric = METRICS.get(newest.series.metric)
            name = _name(newest.series.metric)
            if metric is None or not name:
                continue
            if newest.value is None:
                unknown[chain, newest.series.metric] += 1
                continue
            family = families.get(name)
            if family is None:
                family = families[name] = _gauge(name, metric.help, *metric.labels)
            labels = [newest.series.labels.get(label, "") for label in metric.labels]
            family.add_metric(labels, float(newest.value))
    yield from families.values()
    hidden = _gauge("unknown", "Values that are not known now.", "chain", "metric")
    for (chain, of), count in unknown.items():
        hidden.add_metric([chain, of], count)
    yield hidden


def _name(metric: str) -> str:
    if metric in NAMES:
        return NAMES[metric]
    known = METRICS.get(metric)
    return metric + (UNITS.get(known.unit, "") if known else "")


def _told(db: Connection) -> Iterator[Metric]:
    firing = _gauge("alerts_firing", "Alerts that fire, acknowledged or not.", "severity")
    lit = alerts.c.state.in_(("firing", "acked"))
    rows = db.execute(
        select(alerts.c.severity, func.count()).where(lit).group_by(alerts.c.severity)
    )
    counts = dict.fromkeys(SEVERITIES, 0) | {row[0]: row[1] for row in rows}
    for severity, count in counts.items():
        firing.add_metric([severity], count)
    yield firing
    sent = CounterMetricFamily(
        "underkeel_notifications",
        "Attempts to deliver, of those still kept.",
        labels=("channel", "outcome"),
    )
    kinds = select(deliveries.c.channel, deliveries.c.outcome, func.count()).group_by(
        deliveries.c.channel, deliveries.c.outcome
    )
    for channel, outcome, count in db.execute(kinds):
        sent.add_metric([channel, outcome or "sending"], count)
    yield sent
    waits = _gauge("notifications_waiting", "Messages not delivered yet.", "channel")
    open_ = notifications.c.status.in_(("waiting", "sending"))
    left = select(notifications.c.channel, func.count()).where(open_)
    for channel, count in db.execute(left.group_by(notifications.c.channel)):
        waits.add_metric([channel], count)
    yield waits


def _sent(db: Connection) -> Iterator[Metric]:
    """Yield what the executor's journal says; nothing where it never wrote."""
    if not db.dialect.has_table(db, journal.intents.name):
        return
    done = CounterMetricFamily("underkeel_transactions", "Intents by state.", labels=("outcome",))
    state = journal.intents.c.state
    for name, count in db.execute(select(state, func.count()).group_by(state)):
        done.add_metric([name], count)
    yield done
