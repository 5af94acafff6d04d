"""What Prometheus is told, from the store alone."""

from decimal import Decimal

from prometheus_client import CollectorRegistry, generate_latest

from chain.types import BlockRef
from tests.fixtures_store import BEGIN
from underkeel.monitor.metrics import collector
from underkeel.observe.types import Observation, labels
from underkeel.store import chains
from underkeel.store.chains import ChainState
from underkeel.store.errors import NotWritten
from underkeel.store.samples import Sampler
from underkeel.store.store import Store

AT = BlockRef(1, 7, "0x" + "11" * 32, "0x" + "22" * 32, int(BEGIN) - 30)
OF = labels(chain="ethereum", market="m", position="p", protocol="x", wallet="w")


def told(store: Store) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(collector(store, lambda: BEGIN))
    lines = generate_latest(registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def put(store: Store) -> None:
    body = {
        "cycle_s": 0.5, "interval_s": 0, "shedding": 2, "waiting": 3, "cycles": 9, "failures": 1,
        "skipped": 4, "reorgs": 1, "endpoints": {"https://node": {"ok": 20, "TimedOut": 2}},
    }  # fmt: skip
    state = ChainState(
        "ethereum", 1, "ok", block_number=7, block_timestamp=AT.timestamp,
        success_at=BEGIN - 12, body=body,
    )  # fmt: skip
    seen = [
        Observation("health_factor", OF, Decimal("1.5"), "", float(AT.timestamp), AT),
        Observation("liquidation_distance", OF, Decimal("0.2"), "", float(AT.timestamp), AT),
        Observation("time_to_liquidation", OF, None, "no oracle", float(AT.timestamp), AT),
        Observation("data_age", labels(chain="ethereum"), Decimal(5), "", float(AT.timestamp), AT),
    ]
    with store.writing() as db:
        chains.put(db, state)
        Sampler().write(db, seen)


def test_metrics__a_store__in_base_units_and_what_is_unknown_is_counted_and_not_there(
    store: Store,
) -> None:
    put(store)
    said = told(store)
    chain, of = '{chain="ethereum"}', 'chain="ethereum",market="m",position="p",protocol="x"'
    position = "{" + of + ',wallet="w"}'
    assert said["underkeel_store_up"] == 1
    assert said[f"underkeel_health_factor{position}"] == 1.5
    assert said[f"underkeel_liquidation_distance_ratio{position}"] == 0.2
    assert said['underkeel_unknown{chain="ethereum",metric="time_to_liquidation"}'] == 1
    assert not any(name.startswith("underkeel_time_to_liquidation") for name in said)
    assert said[f"underkeel_data_age_seconds{chain}"] == 12
    assert said[f"underkeel_cycle_last_success_timestamp_seconds{chain}"] == BEGIN - 12
    assert said[f"underkeel_chain_head_timestamp_seconds{chain}"] == AT.timestamp
    assert said[f"underkeel_heads_skipped_total{chain}"] == 4
    assert said[f"underkeel_shedding_factor{chain}"] == 2
    timed_out = '{chain="ethereum",endpoint="https://node",outcome="TimedOut"}'
    assert said[f"underkeel_rpc_requests_total{timed_out}"] == 2
    assert said['underkeel_alerts_firing{severity="critical"}'] == 0
    assert said["underkeel_live_mode"] == 0


def test_metrics__a_store_that_cannot_be_read__says_so_and_nothing_else(
    store: Store, monkeypatch: object
) -> None:
    class Broken(Store):
        def reading(self):  # type: ignore[no-untyped-def]
            raise NotWritten("gone")

    assert told(Broken(store.engine, store.mode, store.clock)) == {"underkeel_store_up": 0}
