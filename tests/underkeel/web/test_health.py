"""`/healthz`, `/readyz` and `/metrics`: alive, to be relied on, measured."""

import pytest
from prometheus_client import CollectorRegistry, Gauge

from tests.underkeel.web.scene import Client, Scene, break_it, chain_state
from underkeel.store import chains, lock


@pytest.fixture
def fresh(seeded: Scene) -> Scene:
    """All chains were read."""
    with seeded.store.writing() as db:
        chains.put(db, chain_state(chain="other", chain_id=2))
    return seeded


def failing(client: Client) -> list[str]:
    found = client.get("/readyz")
    bad = [check["name"] for check in found.json().get("checks", ()) if not check["ok"]]
    assert found.status_code == (503 if bad else 200)
    assert found.json()["ok"] is not bool(bad)
    return bad


def test_readyz__all_fresh_and_somebody_writes__is_ready(fresh: Scene) -> None:
    assert failing(fresh.client()) == []
    assert failing(fresh.client(alone=False)) == []


def test_readyz__a_chain_is_stale__is_not(fresh: Scene) -> None:
    with fresh.store.writing() as db:
        chains.put(db, chain_state(status="stale", cause="old head"))
    assert failing(fresh.client()) == ["chain main"]


def test_readyz__a_thread_is_dead__is_not_and_names_it(fresh: Scene) -> None:
    client = fresh.client(alone=False, dead=lambda: ["watcher main"])
    assert failing(client) == ["threads"]
    assert "not well: watcher main" in client.get("/readyz").text


@pytest.mark.parametrize("alone", [True, False])
def test_readyz__nobody_writes_any_more__is_not(fresh: Scene, alone: bool) -> None:
    fresh.clock.now += 2 * lock.TTL_S + 1
    said = fresh.client(alone=alone).get("/readyz").text
    wanted = "start `underkeel run`" if alone else "does not get its writes into the database"
    assert wanted in said


def test_readyz__lock_was_given_back__is_not(fresh: Scene) -> None:
    mine = lock.Lock(fresh.store, who="host:1")
    mine.epoch = 1
    mine.release()
    assert failing(fresh.client()) == ["monitor"]


def test_readyz__database_broken__is_not_and_healthz_still_lives(fresh: Scene) -> None:
    client = fresh.client()
    break_it(fresh)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_metrics__of_the_store__unless_a_registry_is_given(fresh: Scene) -> None:
    assert "underkeel_health_factor" in fresh.client().get("/metrics").text
    registry = CollectorRegistry()
    Gauge("mine", "Mine.", registry=registry).set(3)
    found = fresh.client(registry=registry).get("/metrics")
    assert "mine 3.0" in found.text
    assert found.headers["content-type"].startswith("text/plain; version=")
