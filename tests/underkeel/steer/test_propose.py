"""What is asked for by an alert, what a dry run says, and what people read of a plan."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from executor.plan.types import LegView, PositionView
from tests.executor.plan.test_codec import VIEW
from tests.underkeel.steer.build import NOW, OTHER, OWNER, SECRET, Desk, config, firing, plan
from underkeel.config.plans import PlanTable
from underkeel.config.steer import ActionTable, action_problems
from underkeel.documents.execution import ExecuteDocument
from underkeel.errors import UsageError
from underkeel.observe.metrics import METRICS
from underkeel.steer import rows, words
from underkeel.steer.child import Child, Files, end_all
from underkeel.steer.observe import observations
from underkeel.steer.propose import Planner, verdicts, wish
from underkeel.steer.types import Proposal

ROWS = f"""
[[plan]]
name = "rescue"
kind = "flash-deleverage"
account = "watched"
wallet = "ops"
fire_below = 1.1
restore_to = 1.5
guard = "{OTHER}"
match = {{ position = "mine" }}
[[plan]]
name = "open"
kind = "repay"
fire_below = 1.1
restore_to = 1.5
"""


def test_wish__kind__the_alert_says_whose_and_which(tmp_path: Path) -> None:
    found = wish(config(tmp_path), "repay", {"wallet": "ops", "position": "1:a:b:c"}, Decimal(2))
    assert (found.account, found.wallet) == (OWNER, OWNER)
    assert (found.row.match.position, found.row.restore_to, found.forced) == (
        "1:a:b:c",
        Decimal(2),
        True,
    )


def test_wish__row__what_it_says_itself_wins(tmp_path: Path) -> None:
    has = config(tmp_path, more=ROWS)
    found = wish(has, "rescue", {"wallet": "ops", "position": "other"})
    assert (found.account, found.wallet) == (OTHER, OWNER)
    assert (found.row.match.position, found.forced) == ("mine", False)
    found = wish(has, "open", {"wallet": OTHER, "position": "other"})
    assert (found.account, found.wallet) == (OTHER, OTHER)
    assert (found.row.match.position, found.row.restore_to) == ("other", Decimal("1.5"))
    with pytest.raises(UsageError, match="whose positions"):
        wish(has, "open", {})


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"plan": "repai", "restore_to": 2}, "names the plan 'repai'"),
        ({"plan": "repay"}, "does not say to which health"),
        ({"plan": "restore-health"}, "does not say to which health"),
    ],
    ids=["name", "health", "ladder"],
)
def test_action__makes_no_sense__is_refused(action: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        asked(action)


def asked(action: dict[str, Any], metric: str = "health_factor", wallets: int = 2) -> None:
    rows = [PlanTable(name="rescue", kind="repay"), PlanTable(name="own", kind="repay", wallet="a")]
    action_problems([("hf", metric, ActionTable.model_validate(action))], rows, wallets)


def test_action__row_or_kind__is_taken() -> None:
    for action in ({"plan": "rescue"}, {"plan": "exit-vault"}, {"plan": "repay", "restore_to": 2}):
        asked(action)


def test_action__of_what_is_no_wallets__needs_a_row_that_says_whose() -> None:
    with pytest.raises(ValueError, match="oracle_age has no wallet"):
        asked({"plan": "rescue"}, "oracle_age")
    asked({"plan": "own"}, "oracle_age")
    asked({"plan": "rescue"}, "oracle_age", wallets=1)


@pytest.mark.parametrize(
    "given",
    [{"restore_to": 0.9}, {"restore_to": 1_001}, {"cool_down": "2d"}],
    ids=["low", "high", "long"],
)
def test_action__out_of_range__is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is no health|longer than a day"):
        ActionTable.model_validate({"plan": "repay", **given})


def executed(**changed: Any) -> str:
    step = {
        "id": plan().hash, "what": "repay", "kind": "2", "nonce": "1", "to": OWNER, "value": "0",
        "data": "0x", "gas": "1", "max_fee": "1", "max_tip": "1", "signing_hash": plan().hash,
        "usd": "5.25", "refusals": [],
    }  # fmt: skip
    refused = {"rule": "tx-usd", "what": "$9 of $5", "todo": "raise it"}
    document = {
        "schema": "underkeel.execute/1", "generated_at": "2026-01-01T00:00:00Z", "mode": "live",
        "plan": plan().hash, "name": "repay", "chain": "demo", "chain_id": "1", "wallet": OWNER,
        "account": OWNER, "signer": "env", "expires_at": "1", "simulation": None,
        "total_usd": None, "steps": [step, {**step, "usd": None, "refusals": [refused]}], **changed,
    }  # fmt: skip
    ExecuteDocument.model_validate(document)
    return json.dumps(document)


def test_verdicts__steps_and_refusals__one_line_each() -> None:
    allowed, refused = verdicts(6, executed(), "")
    assert allowed == {"step": "0", "rule": "policy", "ok": True, "text": "counts 5.25 USD"}
    assert refused == {
        "step": "1", "rule": "tx-usd", "ok": False, "text": "tx-usd: $9 of $5; raise it",
    }  # fmt: skip
    first, *_ = verdicts(6, executed(simulation="it expired"), "")
    assert first == {"step": None, "rule": "simulation", "ok": False, "text": "it expired"}


def test_verdicts__no_document__is_not_allowed_and_says_why() -> None:
    (found,) = verdicts(5, "", "the chain is down")
    assert (found["ok"], found["text"]) == (False, "the chain is down")
    (found,) = verdicts(-9, "", "")
    assert "ended with -9" in found["text"]
    (found,) = verdicts(6, executed(steps=[]), "odd")
    assert (found["ok"], found["text"]) == (False, "odd")


def test_verdicts__safe__its_owners_sign() -> None:
    (found,) = verdicts(0, json.dumps({"schema": "underkeel.proposal/1"}), "")
    assert (found["ok"], found["rule"]) == (True, "safe")


def test_dry_run__in_a_process_of_its_own__leaves_nothing(tmp_path: Path) -> None:
    desk = Desk.open(tmp_path)
    desk.go(5, "", f"error: http://127.0.0.1:1/{SECRET} is down")
    (found,) = desk.planner.dry_run(tmp_path / "p.json")
    assert (found["ok"], found["text"]) == (False, "http://127.0.0.1:1/… is down")
    assert list((tmp_path / "state/plans").iterdir()) == []
    assert desk.started()[0].endswith(f"--json --no-input execute {tmp_path / 'p.json'}")


def test_dry_run__service_stops__is_ended(tmp_path: Path) -> None:
    desk = Desk.open(tmp_path)
    desk.planner.stopping.set()
    (found,) = desk.planner.dry_run(tmp_path / "p.json")
    assert "did not come to its end" in found["text"]


def test_dry_run__no_program__says_so(tmp_path: Path) -> None:
    desk = Desk.open(tmp_path)
    planner = replace(desk.planner, program=("/no/such",))
    (found,) = planner.dry_run(tmp_path / "p.json")
    assert "could not be started" in found["text"]


def test_propose__chain_cannot_be_read__no_plan_and_no_key_of_a_url(tmp_path: Path) -> None:
    planner = Planner(config(tmp_path), cache=tmp_path, stopping=threading.Event())
    found = planner.propose(planner.wanted(firing()))
    assert found.plan is None
    assert "nothing is planned on what is not read" in found.cause
    assert SECRET not in found.cause


def test_command__to_be_typed__is_quoted(tmp_path: Path) -> None:
    planner = Planner(config(tmp_path))
    assert planner.command(Path("/a b/p.json")).startswith("underkeel execute '/a b/p.json' --ex")


def test_words__changed__health_and_amounts() -> None:
    leg = VIEW.legs[0]
    before = replace(VIEW, legs=(replace(leg, amount=5 * 10**18),), health_raw=11 * 10**17)
    after = replace(VIEW, legs=(replace(leg, amount=2 * 10**18),), health_raw=18 * 10**17)
    same = replace(VIEW, id="another")
    found = plan(before=(before, same), after=(after, same), trigger=None)
    assert words.changed(found) == [
        "aave-v3 Aave: health 1.1000 → 1.8000",
        "aave-v3 Aave: T variable debt 5 → 2",
    ]
    assert words.summary(found) == "health 1.1000 → 1.8000"
    gone = plan(
        before=(), after=(replace(after, legs=(leg, LegView(leg.asset, "T", 18, "x", "", 0))),)
    )
    assert words.changed(gone)[0] == "aave-v3 Aave: health – → 1.8000"
    assert words.summary(plan(before=(same,), after=(same,))) == ""


def test_words__interest_of_minutes__is_no_change_and_a_purse_is_told_whole() -> None:
    debt = replace(VIEW.legs[0], name="debt", side="debt")
    coin = replace(VIEW.legs[0], name="", side="asset")

    def view(debts: int, coins: int) -> tuple[PositionView, ...]:
        lending = replace(VIEW, legs=(replace(debt, amount=debts),))
        purse = replace(lending, id="w", protocol="wallet", market="wallet", health_raw=None)
        return lending, replace(purse, legs=(replace(coin, amount=coins),))

    many = 10**6 * 10**18
    drifted = plan(before=view(many, many), after=view(many + 10**12, many - 10**12), trigger=None)
    assert words.changed(drifted) == ["wallet: T 1,000,000 → 999,999.999999"]
    paid = plan(before=view(many, many), after=view(many // 2, many), trigger=None)
    assert words.changed(paid) == ["aave-v3 Aave: T debt 1,000,000 → 500,000"]


def test_words__policy__the_same_of_two_steps_is_said_once() -> None:
    refused = [{"ok": False, "text": "no-policy: write one"}] * 2
    assert words.policy(cast(Proposal, SimpleNamespace(verdicts=refused))) == [
        "no-policy: write one"
    ]


def test_files__child_runs__another_of_its_name_cannot_start(tmp_path: Path) -> None:
    files = Files.of(tmp_path / "x", "run-1")
    assert not files.running()
    child = Child.start(["/bin/sh", "-c", "echo yes; exec sleep 30"], files)
    assert files.running()
    with pytest.raises(BlockingIOError):
        Child.start(["/bin/true"], files)
    assert not child.wait(0)
    end_all(tmp_path / "x", 10)
    assert child.wait(10)
    assert child.code is not None
    assert not files.running()
    files.remove()
    assert files.read() == ("", "")


def test_observations__outcomes__counted_by_wallet_and_chain(tmp_path: Path) -> None:
    desk = Desk.open(tmp_path)
    with desk.store.writing() as db:
        for wallet, status in (("ops", "unknown"), ("ops", "done"), ("fund", "done")):
            rows.put(
                db, at=NOW, alert="k", rule="r", name="repay", chain="demo", wallet=wallet,
                account=wallet, mode="execute", status=status,
            )  # fmt: skip
    with desk.store.reading() as db:
        found = observations(db, "demo", NOW)
        assert observations(db, "other", NOW) == []
        assert [dict(o.labels)["wallet"] for o in observations(db, "demo", NOW + 90_000)] == ["ops"]
    counted = {dict(one.labels)["wallet"]: str(one.value) for one in found}
    assert counted == {"ops": "1", "fund": "0"}
    assert all(o.metric in METRICS for o in found)
