"""Every document over HTTP: whole, filtered, in pieces, unchanged, and when it cannot be had."""

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from chain.types import BlockRef
from tests.underkeel.stress.build import OWNER, portfolio
from tests.underkeel.web.scene import (
    ALERT,
    HASH,
    NOW,
    POSITION,
    Client,
    Scene,
    chain_state,
    exposure,
    scene,
)
from underkeel.documents.registry import DOCUMENTS
from underkeel.observe.types import Observation
from underkeel.store import chains, documents, events, tables
from underkeel.store.samples import Sampler

EVERY = (
    "overview", "positions", "risk", "exposure", "oracles", "ladder", "approvals", "plans", "txs",
    "alerts", "silences", "events", "history", "system", "csrf",
)  # fmt: skip


@pytest.mark.parametrize("path", EVERY)
def test_document__seeded_store__is_its_model(reader: Client, path: str) -> None:
    found = reader.document(path)
    DOCUMENTS[found["schema"]].model_validate(found)


@pytest.mark.parametrize("path", EVERY)
def test_document__empty_store__is_its_model_or_not_computed_yet(empty: Scene, path: str) -> None:
    found = Client(empty.the_app).get(f"/api/v1/{path}")
    assert found.status_code == (404 if path in ("exposure", "oracles", "ladder") else 200)
    DOCUMENTS[found.json()["schema"]].model_validate(found.json())


@pytest.mark.parametrize("path", [p for p in EVERY if p != "csrf"])
def test_document__asked_again_unchanged__is_not_sent_again(
    shared: Scene, reader: Client, path: str
) -> None:
    tag = reader.get(f"/api/v1/{path}").headers["etag"]
    shared.clock.now += 1.5
    again = reader.get(f"/api/v1/{path}", headers={"If-None-Match": f'W/"other", {tag}'})
    shared.clock.now -= 1.5
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag


def test_etag__document_written_again__is_another(seeded: Scene, client: Client) -> None:
    tag = client.get("/api/v1/risk").headers["etag"]
    with seeded.store.writing() as db:
        stored = documents.get(db, "risk", "main")
        assert stored is not None
        documents.put(db, "risk", "main", stored.body, at=NOW)
    assert client.get("/api/v1/risk", headers={"If-None-Match": tag}).status_code == 200


def test_etag__another_query__is_another(reader: Client) -> None:
    tags = {reader.get(f"/api/v1/risk?limit={n}").headers["etag"] for n in (1, 2)}
    assert len(tags) == 2


def test_overview__one_chain_down__nothing_is_summed_as_if_it_were_zero(reader: Client) -> None:
    found = reader.document("overview")
    assert found["totals"]["equity_usd"] is None
    assert found["totals"]["debt_usd"] is None
    assert found["totals"]["priced_usd"] == pytest.approx(9_200)
    assert found["totals"]["partial"] is True
    assert found["unknown"] == ["other: no answer"]
    assert [c["status"] for c in found["chains"]] == ["ok", "down"]
    assert found["worst"]["id"] == POSITION
    assert found["worst"]["debt_usd"] == pytest.approx(15_000)
    assert found["wallets"][0] | {"worst": None} == {
        "address": OWNER, "name": "ops", "positions": "2", "equity_usd": None,
        "priced_usd": pytest.approx(9_200), "worst": None,
    }  # fmt: skip
    assert [a["id"] for a in found["alerts"]] == [ALERT, "cd" * 16]
    assert found["proposals"] == "1"
    assert found["monitor"]["running"] is True


def test_overview__all_chains_read__sums_are_whole(seeded: Scene, client: Client) -> None:
    with seeded.store.writing() as db:
        chains.put(db, chain_state(chain="other", chain_id=2))
        stored = documents.get(db, "risk", "main")
        assert stored is not None
        empty = stored.value | {"positions": []}
        empty["chains"] = [empty["chains"][0] | {"name": "other"}]
        empty["totals"] = empty["totals"] | {"priced_usd": 0.0, "positions": "0"}
        documents.put(db, "risk", "other", empty, at=NOW)
    found = client.document("overview")
    assert found["totals"]["equity_usd"] == pytest.approx(9_200)
    assert found["totals"]["debt_usd"] == pytest.approx(15_000)
    assert found["trend"] == []  # of the other chain nothing was measured


def test_overview__two_series_measured__the_day_is_drawn(tmp_path: Path) -> None:
    text = """version = 1
[chains.main]
chain_id = 1
rpc = "http://127.0.0.1:1"
"""
    made = scene(tmp_path, text=text)
    trend = made.client().document("overview")["trend"]
    assert {p["equity_usd"] for p in trend if p["equity_usd"] is not None} == {9200.0}
    assert trend[-1]["worst_health"] == pytest.approx(1.0666)
    assert trend[-1]["at"] == made.client().document("overview")["generated_at"]
    made.store.close()


def test_overview__chain_without_debts__least_health_is_of_the_others(tmp_path: Path) -> None:
    text = """version = 1
[chains.main]
chain_id = 1
rpc = "http://127.0.0.1:1"
[chains.other]
chain_id = 2
rpc = "http://127.0.0.1:1"
"""
    made = scene(tmp_path, text=text)
    at = BlockRef(2, 100, HASH, HASH, int(NOW) - 30)
    worth = Observation("chain_equity_usd", (("chain", "other"),), Decimal(5), "", NOW - 30, at)
    with made.store.writing() as db:
        Sampler().write(db, [worth])
    trend = made.client().document("overview")["trend"]
    assert trend[-1]["equity_usd"] == pytest.approx(9205.0)
    assert trend[-1]["worst_health"] == pytest.approx(1.0666)
    made.store.close()


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, 2),
        ({"chain": "main"}, 2),
        ({"chain": "nowhere"}, 0),
        ({"wallet": OWNER.upper().replace("0X", "0x")}, 2),
        ({"protocol": "aave-v3"}, 1),
        ({"kind": "wallet"}, 1),
        ({"status": "safe"}, 1),
        ({"id": POSITION}, 1),
        ({"market": "nothing"}, 0),
    ],
    ids=str,
)
def test_positions__filtered__totals_stay_of_all(
    reader: Client, query: dict[str, str], ids: int
) -> None:
    found = reader.document("positions", **query)
    assert (len(found["positions"]), found["page"]["total"]) == (ids, str(ids))
    assert found["totals"]["positions"] == "2"


def test_risk__in_pieces__next_leads_to_the_end(reader: Client) -> None:
    whole = [p["id"] for p in reader.document("risk")["positions"]]
    pieces, query = [], "limit=1"
    while query:
        found = reader.get(f"/api/v1/risk?{query}").json()
        pieces += [p["id"] for p in found["positions"]]
        query = found["page"]["next"]
    assert pieces == whole
    assert whole[0] == POSITION


def test_risk__chain_silent_for_long__what_was_safe_is_unknown(
    seeded: Scene, client: Client
) -> None:
    seeded.clock.now += 3_600
    found = client.document("risk", id=POSITION)
    judged = found["positions"][0]["liquidation"]
    assert judged["status"] == "unknown"
    assert judged["causes"][0].startswith("main is stale: nothing was read for 3604 s")
    assert judged["health_raw"] is not None
    assert found["chains"][0]["status"] == "stale"
    assert found["totals"]["equity_usd"] is None


def test_risk__monitor_says_how_long_is_fresh__that_counts(seeded: Scene, client: Client) -> None:
    with seeded.store.writing() as db:
        chains.put(db, chain_state(body={"stale_after_s": 10}))
    seeded.clock.now += 11
    assert client.document("risk")["chains"][0]["status"] == "stale"


def test_risk__newest_block_is_old__chain_is_stale(seeded: Scene, client: Client) -> None:
    with seeded.store.writing() as db:
        chains.put(db, chain_state(block_timestamp=int(NOW) - 90_000))
    assert "s old" in client.document("risk")["chains"][0]["cause"]


def test_risk__liquidatable_in_a_chain_that_went_down__stays_so(
    seeded: Scene, client: Client
) -> None:
    from tests.underkeel.stress.build import loan

    seed_risk(seeded, loan(17_000))
    with seeded.store.writing() as db:
        chains.put(db, chain_state(status="down", cause="gone"))
    found = client.document("risk", status="liquidatable")
    assert [p["id"] for p in found["positions"]] == [POSITION]


def seed_risk(made: Scene, *held: Any) -> None:
    from underkeel.documents.build import risk_document

    with made.store.writing() as db:
        documents.put(db, "risk", "main", risk_document(portfolio(*held), NOW), at=NOW)


def test_approvals__studied_and_not__unknown_is_not_zero(seeded: Scene, client: Client) -> None:
    with seeded.store.writing() as db:
        stored = documents.get(db, "risk", "main")
        assert stored is not None
        body = stored.value
        given = {"asset": OWNER, "symbol": "WETH", "spender": OWNER, "decimals": "18"}
        body["positions"][0]["allowances"] = [
            {**given, "amount_raw": "5", "unlimited": False},
            {**given, "amount_raw": str(2**256 - 1), "unlimited": True},
        ]
        documents.put(db, "risk", "main", body, at=NOW)
    found = client.document("approvals")
    assert [a["takes_usd"] for a in found["approvals"]] == [None, 5.0]
    assert (found["takeable_usd"], found["unlimited"]) == (None, "1")
    with seeded.store.writing() as db:
        study = exposure()
        taking = study.allowances[0]
        twice = [taking, taking.model_copy(update={"spender": HASH[:42], "takes_usd": 3.0})]
        body["positions"][0]["allowances"] = [
            {**given, "spender": one.spender, "amount_raw": "5", "unlimited": True} for one in twice
        ]
        documents.put(db, "risk", "main", body, at=NOW)
        shown = study.model_copy(update={"allowances": twice}).model_dump(by_alias=True)
        documents.put(db, "exposure", "", shown, at=NOW)
    assert client.document("approvals")["takeable_usd"] == 5.0  # what is gone is gone once
    assert len(client.document("approvals", unlimited=True)["approvals"]) == 2
    assert client.document("approvals", wallet="nobody")["approvals"] == []


def test_alerts__without_a_state__all_but_ok_the_worst_first(reader: Client) -> None:
    found = reader.document("alerts")
    assert [a["state"] for a in found["alerts"]] == ["firing", "firing", "unknown", "resolved"]
    assert found["counts"] == {
        "critical": "1", "warning": "0", "info": "0", "acked": "0", "pending": "0",
        "unknown": "1", "silenced": "1",
    }  # fmt: skip
    first = next(a for a in found["alerts"] if a["id"] == ALERT)
    assert (first["value"], first["unit"], first["wallet"]) == (1.0666, "ratio", "ops")
    assert [d["status"] for d in first["deliveries"]] == ["waiting", "delivered"]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({"state": "ok"}, 1),
        ({"severity": "warning"}, 1),
        ({"rule": "none"}, 0),
        ({"position": POSITION}, 4),
        ({"position": "x"}, 0),
        ({"limit": 2, "offset": 3}, 1),
    ],
    ids=str,
)
def test_alerts__filtered__only_those(reader: Client, query: dict[str, Any], number: int) -> None:
    assert len(reader.document("alerts", **query)["alerts"]) == number


def test_events__in_pieces__newest_first_without_gap(reader: Client) -> None:
    ids, query = [], "limit=2&chain=main"
    while query:
        found = reader.get(f"/api/v1/events?{query}").json()
        ids += [int(e["id"]) for e in found["events"]]
        query = found["page"]["next"]
    assert ids == [5, 4, 3, 2, 1]
    assert reader.document("events", kind="other")["events"] == []


def test_events__filter_with_odd_letters__next_is_a_query_that_means_the_same(
    seeded: Scene, client: Client
) -> None:
    with seeded.store.writing() as db:
        for n in range(3):
            events.add(db, events.Event(NOW, "service", f"{n}", wallet="a&b=c #ü"))
    found = client.document("events", wallet="a&b=c #ü", limit=2)
    following = client.get(f"/api/v1/events?{found['page']['next']}").json()
    assert [e["text"] for e in following["events"]] == ["0"]


def test_history__a_metric__its_points_of_the_last_day(reader: Client) -> None:
    found = reader.document("history", metric="health_factor", position=POSITION)
    (series,) = found["series"]
    assert series["labels"] == {"chain": "main", "position": POSITION}
    assert {p["value"] for p in series["points"]} == {1.0666}
    assert found["resolution"] == "raw"
    assert {m["metric"] for m in found["metrics"]} >= {"health_factor", "chain_equity_usd"}


def test_history__no_metric__only_says_what_there_is(reader: Client) -> None:
    found = reader.document("history", since=0, until=NOW)
    assert (found["series"], found["resolution"]) == ([], "daily")
    assert found["since"] > "1970"


def test_history__few_points_asked_for__the_newest_and_that_more_were(reader: Client) -> None:
    (series,) = reader.document("history", metric="chain_equity_usd", limit=1)["series"]
    assert (len(series["points"]), series["cut"]) == (1, True)


def test_txs__journal_of_an_executor__lanes_payloads_receipts(reader: Client) -> None:
    found = reader.document("txs")
    (lane,) = found["lanes"]
    assert (lane["final_nonce"], lane["gap"], len(lane["open"])) == ("7", "1", 3)
    assert lane["wallet_name"] == "ops"
    mined = next(t for t in found["transactions"] if t["id"] == HASH)
    assert mined["receipt"]["cost_wei"] == str(10**15)
    assert mined["reserved_usd"] == 5.0
    assert [a["hash"] for a in mined["attempts"]] == [HASH]
    assert len(reader.document("txs", state="mined")["transactions"]) == 1
    assert len(reader.document("txs", chain="other")["transactions"]) == 0


def test_txs__nothing_ever_executed__no_lanes(empty: Scene) -> None:
    found = Client(empty.the_app).document("txs")
    assert (found["lanes"], found["transactions"]) == ([], [])


def test_plans__proposal_with_a_document_of_another_version__shown_without_it(
    reader: Client,
) -> None:
    (plan,) = reader.document("plans")["proposals"]
    assert (plan["hash"], plan["document"]) == (HASH, None)
    assert plan["verdicts"] == [{"step": "1", "rule": "policy", "ok": True, "text": "fine"}]
    assert reader.document("plans", status="done")["proposals"] == []


def test_system__everything__what_works_and_what_does_not(reader: Client) -> None:
    found = reader.document("system")
    assert found["ready"] is False
    assert {c["name"]: c["ok"] for c in found["checks"]} == {
        "chain main": True, "chain other": False, "monitor": True, "threads": True,
    }  # fmt: skip
    assert found["store"]["backend"] == "sqlite"
    channels = {c["name"]: c for c in found["channels"]}
    assert (channels["ops"]["delivered"], channels["ops"]["pending"]) == ("1", "1")
    assert channels["hook"]["last"] is None
    assert found["wallets"][0]["signer"] == "keystore"


@pytest.mark.parametrize("path", [p for p in EVERY if p != "csrf"])
def test_document__database_locked__is_a_problem_and_not_a_crash(broken: Scene, path: str) -> None:
    found = Client(broken.the_app).get(f"/api/v1/{path}")
    assert found.status_code == 503
    assert found.headers["content-type"] == "application/problem+json"
    assert found.headers["retry-after"]
    DOCUMENTS["underkeel.problem/1"].model_validate(found.json())
    assert "keel.sqlite" not in found.text


def test_document__another_process_writes__is_read_all_the_same(
    seeded: Scene, client: Client
) -> None:
    writer = sqlite3.connect(seeded.folder / "keel.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert client.get("/api/v1/overview").status_code == 200
    writer.close()


@pytest.mark.parametrize(
    "query",
    [
        "risk?limit=0", "risk?limit=x", "risk?offset=-1", "events?before=0", "history?since=nan",
        "history?resolution=weekly", "txs?open=maybe", "plans?limit=5000",
        f"alerts?rule={'x' * 300}",
    ],
)  # fmt: skip
def test_query__makes_no_sense__says_which_part(reader: Client, query: str) -> None:
    found = reader.get(f"/api/v1/{query}")
    assert found.status_code == 422
    assert found.json()["detail"].startswith("query.")


def test_unknown_path__any__is_a_problem(reader: Client) -> None:
    found = reader.get("/api/v1/nothing")
    assert (found.status_code, found.json()["schema"]) == (404, "underkeel.problem/1")


def test_alerts__an_alert_of_a_state_that_is_new__is_not_hidden(
    seeded: Scene, client: Client
) -> None:
    with seeded.store.writing() as db:
        db.execute(update(tables.alerts).values(silenced="", inhibited="hf-low"))
    assert client.document("overview")["alerts"] == []
    assert client.document("alerts")["alerts"][0]["inhibited_by"] == "hf-low"
