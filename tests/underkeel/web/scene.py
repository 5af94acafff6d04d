"""A store with something of everything, its application, and a client that knows the rules."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import orjson
from fastapi import FastAPI
from sqlalchemy import insert
from starlette.testclient import TestClient

from chain.types import BlockRef
from executor.journal import tables as journal
from tests.underkeel.stress.build import OWNER, portfolio
from underkeel.alerts.engine import Phase, State
from underkeel.config.load import Config, parse, read_toml
from underkeel.documents.build import risk_document, utc
from underkeel.documents.exposure import ExposureAllowance, ExposureDocument, ExposureHhi
from underkeel.documents.oracles import OraclesDocument
from underkeel.observe.types import Observation, labels
from underkeel.store import chains, documents, events, lock, tables
from underkeel.store.samples import Sampler
from underkeel.store.store import Store
from underkeel.studies.ladder import ladder
from underkeel.web.app import create_app

NOW: Final = 1_790_000_000.0
BASE: Final = "http://127.0.0.1:8899"
TOKEN: Final = "a-token-of-some-length-1234"
ALERT: Final = "ab" * 16
HASH: Final = "0x" + "12" * 32
POSITION: Final = f"1:aave-v3:x:{OWNER}"
CONFIG: Final = """version = 1
timezone = "Europe/Berlin"
[chains.main]
chain_id = 1
rpc = "http://127.0.0.1:1/v2/PLANTED-rpc-key"
[chains.other]
chain_id = 2
rpc = "env:PLANTED_RPC"
[wallets.ops]
address = "0x0000000000000000000000000000000000000009"
kind = "eoa"
signer = { kind = "keystore", path = "ops.json", password = "env:PLANTED_PASSWORD" }
[channels.ops]
apprise = "env:PLANTED_CHANNEL"
[channels.hook]
webhook = "https://hooks.example/PLANTED-hook-path"
secret = "env:PLANTED_HOOK_SECRET"
[heartbeat]
url = "https://hc.example/PLANTED-heartbeat"
[storage]
url = "env:PLANTED_STORAGE"
"""
SECRETS: Final[Mapping[str, str]] = {
    "PLANTED_RPC": "http://127.0.0.1:1/v2/PLANTED-second-rpc",
    "PLANTED_PASSWORD": "PLANTED-keystore-password",
    "PLANTED_CHANNEL": "tgram://PLANTED-bot-token/42",
    "PLANTED_HOOK_SECRET": "PLANTED-hook-secret-16",
    "PLANTED_STORAGE": "postgresql+psycopg://keel:PLANTED-database@db/keel",
    "PLANTED_TOKEN": "PLANTED-web-token-123456",
    "UNRELATED": "PLANTED-in-the-environment",
}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Scene:
    """Everything a test may touch."""

    folder: Path
    store: Store
    config: Config
    clock: Clock
    environ: dict[str, str]

    def app(self, **given: Any) -> FastAPI:
        return create_app(self.config, self.store, clock=self.clock, environ=self.environ, **given)

    def client(self, **given: Any) -> Client:
        return Client(self.app(**given))

    @cached_property
    def the_app(self) -> FastAPI:
        """One application for many readers."""
        return self.app()


class Client(TestClient):
    """A browser at the right address; `act` repeats the CSRF token."""

    def __init__(self, app: FastAPI, address: str = "127.0.0.1") -> None:
        super().__init__(
            app, BASE, raise_server_exceptions=False, client=(address, 4), follow_redirects=False
        )

    def document(self, path: str, **query: Any) -> Any:
        found = self.get(f"/api/v1/{path}", params=query)
        assert found.status_code == 200, found.text
        return found.json()

    def csrf(self) -> str:
        return str(self.document("csrf")["token"])

    def act(self, path: str, body: Mapping[str, Any], **headers: str) -> Any:
        given = {"X-CSRF-Token": self.csrf(), **headers}
        return self.post(f"/api/v1/{path}", json=dict(body), headers=given)


def scene(folder: Path, web: str = "", text: str = CONFIG, seeded: bool = True) -> Scene:
    """Return a scene in an empty folder; `web` are lines of the `[web]` table."""
    path = folder / "underkeel.toml"
    path.write_text(text + f"[web]\n{web}\n", encoding="utf-8")
    state = folder / "state"
    environ = {**SECRETS, "UNDERKEEL_STATE_DIR": str(state)}
    config = parse(read_toml(path), path, environ)
    clock = Clock()
    shutil.copy(_database(seeded), folder / "keel.sqlite")
    return Scene(folder, _open(folder / "keel.sqlite", clock), config, clock, environ)


@lru_cache
def _database(seeded: bool) -> Path:
    """Return a database that is made once and copied for every test."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    clock = Clock()
    store = _open(folder / "keel.sqlite", clock)
    if seeded:
        seed(store, clock)
    with store.engine.connect() as db:
        db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return folder / "keel.sqlite"


def _open(file: Path, clock: Clock) -> Store:
    chains_ = {"main": 1, "other": 2}
    return Store.open(f"sqlite:///{file}", mode="dry-run", chains=chains_, clock=clock)


def break_it(made: Scene) -> None:
    """Put something else where the database was."""
    made.store.close()
    for name in ("keel.sqlite-wal", "keel.sqlite-shm"):
        (made.folder / name).unlink(missing_ok=True)
    (made.folder / "keel.sqlite").write_bytes(b"this is no database at all" * 400)


def seed(store: Store, clock: Clock) -> None:
    """Write something of everything."""
    found = portfolio()
    with store.writing() as db:
        at = clock()
        documents.put(db, "risk", "main", risk_document(found, at), at=at, block_number=100)
        documents.put(db, "ladder", "", ladder(found, at), at=at)
        documents.put(db, "exposure", "", exposure(), at=at)
        documents.put(db, "oracles", "", oracles(), at=at)
        chains.put(db, chain_state())
        chains.put(db, chains.ChainState("other", 2, "down", "no answer", read_at=at))
        _told(db, at)
        _measured(db, at)
        _proposed(db, at)
        journal.metadata.create_all(db)
        _executed(db)
    lock.Lock(store, who="host:1").take()


def chain_state(**changed: Any) -> chains.ChainState:
    given: dict[str, Any] = {
        "chain": "main",
        "chain_id": 1,
        "status": "ok",
        "block_number": 100,
        "block_hash": HASH,
        "block_timestamp": int(NOW) - 5,
        "read_at": NOW - 4,
        "success_at": NOW - 4,
        "requests": 7,
    }
    return chains.ChainState(**{**given, **changed})


def exposure() -> ExposureDocument:
    taking = ExposureAllowance(
        chain="main", position=POSITION, asset=OWNER, symbol="WETH", spender=OWNER,
        allowance_raw="5", takes_raw="5", takes_usd=5.0,
    )  # fmt: skip
    return ExposureDocument(
        schema="underkeel.exposure/1", generated_at=utc(NOW), horizon_years=1.0, chains=[],
        accounts=[OWNER], positions=[], nodes=[], edges=[], el_usd=None, el_known_usd=1.0,
        net_el_usd=None, worst=[], hhi=ExposureHhi(**dict.fromkeys(ExposureHhi.model_fields, 0.5)),
        allowances=[taking], takeable_usd=5.0, cover=[], unknown=["x"],
    )  # fmt: skip


def oracles() -> OraclesDocument:
    return OraclesDocument(
        schema="underkeel.oracles/1", generated_at=utc(NOW), engine_version="e",
        model_version="m", chains=[], feeds=[],
    )  # fmt: skip


def alert_row(key: str = ALERT, **changed: Any) -> dict[str, Any]:
    return {
        "key": key, "rule": "hf-low", "chain": "main", "metric": "health_factor",
        "labels": {"chain": "main", "wallet": "ops", "position": POSITION, "protocol": "aave-v3"},
        "state": "firing", "severity": "critical", "title": "health factor 1.07",
        "value": Decimal("1.0666"), "cause": "", "note": "1.0666 is below 1.15",
        "since": NOW - 60, "changed_at": NOW - 60, "acked_at": None, "acked_by": "",
        "silenced": "", "inhibited": "", "block_number": 100, "body": "{}",
    } | changed  # fmt: skip


def _told(db: Any, at: float) -> None:
    firing = orjson.dumps(State(Phase.FIRING, NOW - 60, level=1)).decode()
    rows = [
        alert_row(body=firing),
        alert_row("cd" * 16, state="unknown", severity="warning", value=None, cause="chain down"),
        alert_row("ef" * 16, state="ok", severity=""),
        alert_row("01" * 16, state="resolved"),
        alert_row("23" * 16, silenced="1"),
    ]
    db.execute(insert(tables.alerts), rows)
    sent = {
        "id": "m1", "channel": "ops", "alert": ALERT, "rule": "hf-low", "state": "firing",
        "severity": "critical", "title": "t", "body": "b", "payload": {}, "created_at": at,
        "status": "delivered", "attempts": 1, "retry_at": None, "waited": 0, "holder": "",
        "held_until": None, "maybe": False, "cause": "", "settled_at": at,
    }  # fmt: skip
    db.execute(insert(tables.notifications), [
        sent, sent | {"id": "m2", "status": "waiting", "retry_at": at + 5, "settled_at": None},
    ])  # fmt: skip
    db.execute(insert(tables.deliveries).values(
        notification=1, channel="ops", attempt=1, began_at=at, ended_at=at, outcome="delivered",
        cause="", repeated=False,
    ))  # fmt: skip
    db.execute(insert(tables.silences).values(
        matchers={"rule": "low-gas"}, until=at + 60, created_at=at, by="cli", why="known",
    ))  # fmt: skip
    for n in range(5):
        events.add(db, events.Event(
            at + n, "alert", f"event {n}", "warning", "main", "ops", POSITION, ALERT, {"n": n}
        ))  # fmt: skip


def _measured(db: Any, at: float) -> None:
    block = BlockRef(1, 100, HASH, HASH, int(at))
    seen = [
        Observation(metric, labels(chain="main", **more), value, "", at - age, block)
        for age in (1_800.0, 900.0, 0.0)
        for metric, more, value in (
            ("health_factor", {"position": POSITION}, Decimal("1.0666")),
            ("chain_equity_usd", {}, Decimal("9200")),
            ("chain_worst_health", {}, Decimal("1.0666")),
        )
    ]
    Sampler().write(db, seen)


def _proposed(db: Any, at: float) -> None:
    db.execute(insert(tables.proposals).values(
        plan=HASH, name="repay", at=at, changed_at=at, expires_at=at + 600, alert=ALERT,
        rule="hf-low", chain="main", wallet="ops", account="ops", position=POSITION,
        mode="propose", status="proposed", cause="", document={"schema": "underkeel.plan/0"},
        verdicts=[{"step": "1", "rule": "policy", "ok": True, "text": "fine"}],
        command="underkeel execute plan.json",
    ))  # fmt: skip


def _executed(db: Any) -> None:
    at = int(NOW)
    intent = {
        "id": HASH, "chain_id": 1, "wallet": OWNER, "account": OWNER, "plan": HASH, "step": 0,
        "body": "{}", "fee_cap_abs": 10**11, "state": "mined", "nonce": 7, "version": 3,
        "reason": "", "recorded_at": at, "changed_at": at,
    }  # fmt: skip
    other = "0x" + "34" * 32
    db.execute(insert(journal.intents), [
        intent,
        intent | {"id": other, "state": "broadcast", "nonce": 9},
        intent | {"id": "0x" + "56" * 32, "state": "approved", "nonce": None},
    ])  # fmt: skip
    tried = {
        "intent": HASH, "k": 0, "kind": "effect", "nonce": 7, "raw": b"PLANTED-signed-bytes",
        "hash": HASH, "tip": 1, "cap": 2, "gas": 21_000, "channels": "public", "reply": "",
        "first_block": 99, "last_block": 99, "signed_at": at,
    }  # fmt: skip
    db.execute(insert(journal.attempts), [tried, tried | {"intent": other, "hash": other}])
    db.execute(insert(journal.receipts).values(
        intent=HASH, hash=HASH, block_hash=HASH, block_number=100, success=True, cost_wei=10**15,
        guard_event=False,
    ))  # fmt: skip
    db.execute(insert(journal.reservations).values(
        intent=HASH, wei=10**18, usd_e6=5_000_000, at=at, live=True
    ))  # fmt: skip
    db.execute(insert(journal.wallets).values(
        chain_id=1, address=OWNER, epoch=1, holder="h", until=0, whole=True, seen_nonce=7,
        seen_block=99, commits=1,
    ))  # fmt: skip


GUARDED = 'bind = "0.0.0.0:8899"\ntoken = "env:WEB_TOKEN"\nhosts = ["keel.example.org"]'
"""A page for other machines: a token is asked for."""


def opened(folder: Path, web: str = GUARDED) -> Scene:
    """Return a scene where the token is in the environment."""
    made = scene(folder, web)
    made.environ["WEB_TOKEN"] = TOKEN
    return made
