"""What is observed of transactions and of the service itself."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from executor.journal import tables as journal
from tests.underkeel.alerts.scene import START, settings
from underkeel.config.load import Config
from underkeel.observe.service import observe_service
from underkeel.observe.transactions import observe_transactions
from underkeel.observe.types import Observation, Observed, labels
from underkeel.store import chains, events, outbox
from underkeel.store.chains import ChainState
from underkeel.store.events import Event
from underkeel.store.outbox import Message
from underkeel.store.store import Store
from underkeel.store.tables import notifications

WALLET = "0x" + "11" * 20
SIGNER = {"address": WALLET, "kind": "eoa", "signer": {"kind": "keystore", "path": "x.json"}}


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = Store.open(
        f"sqlite:///{tmp_path / 'keel.sqlite'}", mode="dry-run", chains={"ethereum": 1},
        clock=lambda: START,
    )  # fmt: skip
    yield opened
    opened.close()


def values(found: tuple[Observed, ...], metric: str) -> dict[str, Decimal | None]:
    return {
        " ".join(text for _, text in one.labels): one.value
        for reading in found
        for one in reading.observations
        if one.metric == metric
    }


def intent(db: Any, name: str, state: str, *signed: int) -> None:
    row = {
        "id": name, "chain_id": 1, "wallet": WALLET, "account": WALLET, "plan": "", "step": 0,
        "body": "", "fee_cap_abs": 1, "state": state, "nonce": len(name), "version": 1,
        "reason": "", "recorded_at": 1, "changed_at": 1,
    }  # fmt: skip
    db.execute(journal.intents.insert().values(**row))
    for k, at in enumerate(signed):
        attempt = {
            "intent": name, "k": k, "kind": "effect", "nonce": len(name), "raw": b"",
            "hash": f"{name}{k}", "tip": 1, "cap": 1, "gas": 1, "channels": "", "reply": "",
            "signed_at": at,
        }  # fmt: skip
        db.execute(journal.attempts.insert().values(**attempt))


def test_transactions__nothing_ever_executed__nought_of_every_signer(store: Store) -> None:
    given = settings(wallets={"ops": SIGNER, "seen": {"address": "0x" + "22" * 20}})
    with store.reading() as db:
        found = observe_transactions(db, given, START)
    assert values(found, "nonce_gap") == {"base ops": 0, "ethereum ops": 0}
    assert values(found, "transaction_pending_age") == {"base ops": 0, "ethereum ops": 0}


def test_transactions__some_wait__how_many_and_since_the_first(store: Store) -> None:
    given = settings(wallets={"ops": SIGNER})
    now = int(START)
    with store.writing() as db:
        journal.metadata.create_all(db)
        intent(db, "a", "broadcast", now - 500, now - 10)
        intent(db, "bb", "cancelling", now - 90)
        intent(db, "ccc", "done", now - 9_000)
        intent(db, "dddd", "planned")
        more = Observation("plans_outcome_unknown", labels(chain="base", wallet="ops"),
                           Decimal(1), "", START, None)  # fmt: skip
        found = observe_transactions(db, given, START, {"base": [more]})
    assert values(found, "nonce_gap")["ethereum ops"] == 2
    assert values(found, "transaction_pending_age")["ethereum ops"] == 500
    assert values(found, "plans_outcome_unknown") == {"base ops": 1}


def config(tmp_path: Path, *alerts: dict[str, Any], **more: Any) -> Config:
    return Config(tmp_path / "underkeel.toml", settings(*alerts, **more), {})


def test_service__reorganisation__the_deepest_of_the_last_hour(
    store: Store, tmp_path: Path
) -> None:
    with store.writing() as db:
        for ago, depth in ((10, 1), (100, 3), (4_000, 9)):
            events.add(db, Event(START - ago, "reorg", "", chain="ethereum", body={"depth": depth}))
        found = observe_service(db, config(tmp_path), START, environ={})
    assert values(found, "reorg_depth") == {"ethereum": 3, "base": 0}


def test_service__channel_does_not_take_messages__attempts_of_what_waits(
    store: Store, tmp_path: Path
) -> None:
    with store.writing() as db:
        for name, attempts in (("a", 3), ("b", 1)):
            outbox.put(db, Message(name, "ops", "info", "", ""), START)
            db.execute(
                notifications.update().where(notifications.c.id == name).values(attempts=attempts)
            )
        found = observe_service(db, config(tmp_path), START, environ={})
    assert values(found, "delivery_failing") == {"ops": 3, "phone": 0, "boss": 0}


def test_service__sheds_and_a_part_is_dead__each_with_its_reason(
    store: Store, tmp_path: Path
) -> None:
    state = ChainState("ethereum", 1, "ok", body={"shedding": 4})
    with store.writing() as db:
        chains.put(db, state)
        chains.put(db, replace(state, chain="base", body={}))
        found = observe_service(db, config(tmp_path), START, {"web": "does not run"}, environ={})
    assert values(found, "service_degraded") == {"shedding:ethereum": 1, "web": 1}
    notes = {one.note for one in found[0].observations if one.metric == "service_degraded"}
    assert notes == {"does not run", "ethereum is read 4 times less often than it should be"}


ACTING = {
    "id": "hf", "expr": "health_factor", "levels": [{"severity": "critical", "fire_below": 1.1}],
    "action": {"plan": "repay", "restore_to": 1.8, "mode": "execute"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("signer", "environ", "files", "why"),
    [
        ({"kind": "env", "name": "KEY"}, {}, [], "the environment has no KEY"),
        ({"kind": "env", "name": "KEY"}, {"KEY": "x"}, [], ""),
        ({"kind": "web3signer", "url": "http://127.0.0.1:1"}, {}, [], ""),
        ({"kind": "keystore", "path": "x.json"}, {}, [], "there is no keystore x.json"),
        (
            {"kind": "keystore", "path": "x.json"}, {}, ["keys/x.json"],
            "its password is asked for on a terminal, and nobody sits there",
        ),
        (
            {"kind": "keystore", "path": "x.json", "password": "file:pw"}, {}, ["keys/x.json"],
            "there is no readable file pw",
        ),
        (
            {"kind": "keystore", "path": "x.json", "password": "file:pw"}, {},
            ["keys/x.json", "pw"], "",
        ),
        (
            {"kind": "keystore", "path": "x.json", "password": "env:PW"}, {}, ["keys/x.json"],
            "the environment has no PW",
        ),
        (
            {"kind": "keystore", "path": "x.json", "password": "env:PW"}, {"PW": "x"},
            ["keys/x.json"], "",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_service__action_may_execute__says_what_of_a_signer_is_missing(
    store: Store, tmp_path: Path, signer: dict[str, str], environ: dict[str, str],
    files: list[str], why: str,
) -> None:  # fmt: skip
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    wallets = {"ops": {"address": WALLET, "kind": "eoa", "signer": signer}}
    with store.reading() as db:
        found = observe_service(
            db, config(tmp_path, ACTING, wallets=wallets, mode="live"), START, environ=environ
        )
    (one,) = [o for o in found[0].observations if o.metric == "signer_locked"]
    assert one.note == why
    assert one.value == bool(why)


def test_service__nothing_may_execute__signers_are_not_looked_at(
    store: Store, tmp_path: Path
) -> None:
    with store.reading() as db:
        found = observe_service(
            db, config(tmp_path, wallets={"ops": SIGNER}, mode="live"), START, environ={}
        )
    assert values(found, "signer_locked") == {}
