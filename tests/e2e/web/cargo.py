"""What the harbour holds: documents, alerts, receipts, plans, nonces, a day of values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import insert

from chain.types import BlockRef
from executor.journal import tables as journal
from tests.e2e.web import documents as made
from tests.e2e.web import studies
from underkeel.alerts.engine import Phase, State
from underkeel.documents.models import RiskDocument
from underkeel.observe.types import Observation
from underkeel.store import alerts, chains, documents, events
from underkeel.store.alerts import AlertRow
from underkeel.store.samples import Sampler
from underkeel.store.store import Store
from underkeel.store.tables import deliveries, notifications, proposals

ALERT = "a1" * 16
DOUBT = "d0" * 16
LOW = "10" * 16


def state(chain: str, document: RiskDocument, now: float) -> chains.ChainState:
    head = document.chains[0]
    return chains.ChainState(
        chain,
        made.CHAINS[chain],
        "ok",
        block_number=int(head.block_number or 0),
        block_hash=made.HASH,
        block_timestamp=int(head.timestamp or 0),
        read_at=now,
        success_at=now,
        requests=9,
    )


def alert(key: str, now: float, **changes: Any) -> AlertRow:
    """Return an alert as the engine leaves it."""
    given: dict[str, Any] = {
        "key": key,
        "rule": "hf-low",
        "chain": "ethereum",
        "metric": "health_factor",
        "labels": {"chain": "ethereum", "protocol": "aave-v3", "wallet": "treasury"},
        "state": "firing",
        "severity": "critical",
        "title": "Health 1.0412 of Aave v3, treasury is below 1.15",
        "value": Decimal("1.0412"),
        "cause": "",
        "note": "",
        "since": now - 95,
        "changed_at": now - 5,
        "acked_at": None,
        "acked_by": "",
        "silenced": "",
        "inhibited": "",
        "block_number": 21_400_000,
    }
    given |= changes
    kept = State(Phase(given["state"]), given["since"])
    return AlertRow(**given, body=orjson.dumps(kept).decode())


def fill(store: Store, now: int) -> None:
    ethereum = made.ethereum(now)
    journal.metadata.create_all(store.engine)
    with store.writing() as db:
        documents.put(db, "risk", "ethereum", ethereum, at=now, block_number=21_400_000)
        documents.put(db, "ladder", "", studies.ladder(now - 40, ethereum), at=now - 40)
        documents.put(db, "exposure", "", studies.exposure(now - 300, ethereum), at=now - 300)
        chains.put(db, state("ethereum", ethereum, now))
        base(db, now)
        alerts.put(
            db,
            [
                alert(ALERT, now, labels=_labels(ethereum)),
                alert(
                    DOUBT,
                    now,
                    rule="rpc-down",
                    chain="base",
                    metric="chain_up",
                    state="unknown",
                    severity="warning",
                    labels={"chain": "base"},
                    title="base cannot be read",
                    value=None,
                    cause="no endpoint answers: connection refused",
                    block_number=None,
                ),
                alert(
                    LOW,
                    now,
                    rule="low-gas",
                    metric="wallet_native_balance",
                    state="ok",
                    severity="",
                    labels={"chain": "ethereum", "wallet": "ops"},
                    title="ops has 3.1 ETH for gas",
                    value=Decimal("3.1"),
                ),
            ],
        )
        _told(db, now)
        for i, (kind, severity, text, key) in enumerate(EVENTS):
            at = now - 3_600 + i * 600
            events.add(db, events.Event(at, kind, text, severity, "ethereum", "treasury", "", key))
        _measured(db, now, ethereum)
        _proposed(db, now, ethereum)
        _journal(db, now)


def base(db: Any, now: int) -> None:
    documents.put(db, "risk", "base", made.base(now - 7_200), at=now - 7_200)
    down = chains.ChainState(
        "base",
        8453,
        "down",
        "no endpoint answers: connection refused",
        23_100,
        made.HASH,
        now - 7_200,
        success_at=now - 7_200.0,
    )
    chains.put(db, down)


EVENTS = (
    ("service", "info", "the service runs", ""),
    ("parameter-change", "warning", "Aave v3: WETH: liquidation threshold 83 % → 81 %", ""),
    ("alert", "warning", "Health 1.31 of Aave v3, treasury is below 1.50", ALERT),
    ("alert", "critical", "Health 1.0412 of Aave v3, treasury is below 1.15", ALERT),
    ("delivery", "info", "ops was told: Health 1.0412 of Aave v3", ALERT),
)  # fmt: skip


def _labels(document: RiskDocument) -> dict[str, str]:
    first = document.positions[0]
    return {
        "chain": "ethereum",
        "market": first.market,
        "position": first.id,
        "protocol": first.protocol,
        "wallet": "treasury",
    }


def _told(db: Any, now: int) -> None:
    message = {
        "channel": "ops", "alert": ALERT, "rule": "hf-low", "severity": "critical",
        "title": "Health 1.0412 of Aave v3, treasury is below 1.15", "body": "…", "payload": {},
        "created_at": now - 90, "waited": 0, "holder": "", "maybe": False,
    }  # fmt: skip
    rows = (
        {"id": "m1", "state": "firing", "status": "delivered", "attempts": 2, "cause": "",
         "settled_at": now - 80},
        {"id": "m2", "state": "repeat", "status": "waiting", "attempts": 1,
         "cause": "HTTP 503", "retry_at": now + 60},
    )  # fmt: skip
    for row in rows:
        db.execute(insert(notifications).values(**{**message, **row}))
    for attempt, outcome in ((1, "failed"), (2, "delivered")):
        db.execute(
            insert(deliveries).values(
                notification=1, channel="ops", attempt=attempt, began_at=now - 90 + attempt,
                ended_at=now - 89 + attempt, outcome=outcome, code=200,
                cause="" if attempt == 2 else "HTTP 502", repeated=False,
            )
        )  # fmt: skip


def _measured(db: Any, now: int, document: RiskDocument) -> None:
    """A day of healths and worth: a slow fall, an hour of silence, a fall again."""
    sampler = Sampler({"health_factor": "ratio", "chain_equity_usd": "usd"})
    positions = [p for p in document.positions if p.liquidation.health_raw is not None]
    labels = ("chain", "market", "position", "protocol", "wallet")
    for i in range(96):
        at = now - 86_400 + i * 900
        block = BlockRef(1, 21_392_800 + i * 75, made.HASH, made.HASH, at)
        silent = 60 <= i < 64
        seen = []
        for k, one in enumerate(positions[:4]):
            last = int(one.liquidation.health_raw or 0) / made.WAD
            value = last * (1.12 - 0.12 * i / 95 + 0.012 * ((i * (k + 3)) % 7) / 7)
            given = dict(
                zip(labels, ("ethereum", one.market, one.id, one.protocol, ""), strict=True)
            )
            given["wallet"] = one.owner_name or one.owner
            seen.append(
                Observation(
                    "health_factor",
                    tuple(sorted(given.items())),
                    None if silent else Decimal(f"{value:.6f}"),
                    "no endpoint answered" if silent else "",
                    at,
                    block,
                )
            )
        worth = Decimal(1_391_000 + 900 * ((i * 5) % 11) - 310 * i)
        chain = (("chain", "ethereum"),)
        for metric, value_ in (("chain_equity_usd", worth), ("chain_worst_health", seen[1].value)):
            seen.append(Observation(metric, chain, None if silent else value_, "", at, block))
        base = (("chain", "base"),)
        for metric, text in (("chain_equity_usd", "58518"), ("chain_worst_health", "1.62")):
            known = None if silent or i > 86 else Decimal(text)
            seen.append(Observation(metric, base, known, "" if known else "down", at, None))
        sampler.write(db, seen)


def _proposed(db: Any, now: int, document: RiskDocument) -> None:
    first = document.positions[0]
    row = {
        "plan": "0x" + "7e" * 32, "name": "repay", "at": now - 60, "changed_at": now - 60,
        "expires_at": now + 540, "alert": ALERT, "rule": "hf-low", "chain": "ethereum",
        "wallet": "treasury", "account": "treasury", "position": first.id, "mode": "propose",
        "status": "proposed", "cause": "health 1.0412 is below 1.15: repay to 1.80",
        "document": plan(now, document),
        "verdicts": [
            {"step": 0, "rule": "max_tx_usd", "ok": True, "text": "13,200.00 USD of 25,000 USD"},
            {"step": 0, "rule": "max_day_usd", "ok": True, "text": "13,200.00 USD of 100,000 USD"},
            {"step": None, "rule": "simulation", "ok": True, "text": "health 1.8000 afterwards"},
        ],
        "command": "underkeel execute ~/.local/state/underkeel/plans/7e7e7e.json --execute",
    }  # fmt: skip
    db.execute(insert(proposals).values(**row))
    refused = {
        **row, "plan": "0x" + "3c" * 32, "status": "refused", "at": now - 4_000,
        "verdicts": [{"step": 0, "rule": "max_fee_gwei", "ok": False, "text": "81 gwei of 60"}],
        "cause": "the policy refuses it",
    }  # fmt: skip
    db.execute(insert(proposals).values(**refused))


def plan(now: int, document: RiskDocument) -> dict[str, Any]:
    """Return a plan as `underkeel plan --json` writes it."""
    first = document.positions[0]

    def side(amount: int, health: int, equity: str) -> dict[str, Any]:
        legs = [
            {"asset": made.WETH, "symbol": "WETH", "decimals": "18", "side": "collateral",
             "name": "", "amount": str(40 * made.WAD)},
            {"asset": made.USDC, "symbol": "USDC", "decimals": "6", "side": "debt", "name": "",
             "amount": str(amount)},
        ]  # fmt: skip
        return {
            "id": first.id, "protocol": first.protocol, "market": first.market,
            "kind": "lending", "legs": legs, "health_raw": str(health),
            "health_scale": str(made.WAD), "equity_usd": equity, "unknown": [], "allowances": "0",
        }  # fmt: skip

    step = {
        "id": "0x" + "51" * 32, "what": "repay 40,326.62 USDC to Aave v3",
        "sender": made.TREASURY, "call": {"to": made.POOL, "value": "0", "data": "0x573ade81"},
        "gas_used": "189204", "gas_limit": "240000", "guard": None, "until": "done",
        "deadline": None, "zero": False,
    }  # fmt: skip
    body = {
        "name": "repay", "action": "repay", "chain_id": "1",
        "block": {"chain_id": "1", "number": "21400000", "hash": made.HASH,
                  "parent_hash": made.HASH, "timestamp": str(now)},
        "time": str(now + 12), "expires_at": str(now + 540), "account": made.TREASURY,
        "wallet": made.TREASURY, "what": "Repay 40,326.62 USDC of Aave v3",
        "why": "health 1.0412 is below 1.15", "trigger": None, "conditions": [], "steps": [step],
        "before": [side(95_658_855_000, 1_041_200_000_000_000_000, "24341.14")],
        "after": [side(55_332_235_000, 1_800_000_000_000_000_000, "24341.14")],
        "cost": {"gas_used": "189204", "gas_price": "9000000000", "l1_fee_wei": "0",
                 "fee_wei": "1702836000000000", "fee_usd": "5.11", "swaps": [], "loan_fee": "0",
                 "total_usd": "5.11"},
        "simulated_by": "eth_simulateV1",
        "lost": [{"action": "add collateral", "reason": "the wallet holds no WETH",
                  "cost_usd": None}],
        "notes": [], "value_wei": None, "other_cost_wei": "0",
    }  # fmt: skip
    return {
        "schema": "underkeel.plan/1", "name": "repay", "chain": "ethereum", "status": "planned",
        "reason": "health 1.0412 is below 1.15", "generated_at": made.utc(now),
        "hash": "0x" + "7e" * 32, "plan": body, "lost": [], "unknown": [],
    }  # fmt: skip


def _journal(db: Any, now: int) -> None:
    db.execute(
        insert(journal.wallets).values(
            chain_id=1, address=made.OPS, epoch=1, holder="", until=0, whole=True, seen_nonce=41,
            seen_block=21_399_990, commits=3,
        )
    )  # fmt: skip
    states = (("done", 40, 3_600), ("broadcast", 41, 45), ("nonced", 43, 30), ("approved", None, 9))
    for i, (state, nonce, ago) in enumerate(states):
        id_ = f"0x{i + 1:064x}"
        at = now - ago
        db.execute(
            insert(journal.intents).values(
                id=id_, chain_id=1, wallet=made.OPS, account=made.OPS, plan="0x" + "7e" * 32,
                step=0, body="{}", fee_cap_abs=10**12, state=state, nonce=nonce, version=1,
                reason="", recorded_at=at, changed_at=at,
            )
        )  # fmt: skip
        if state in ("done", "broadcast"):
            db.execute(
                insert(journal.attempts).values(
                    intent=id_, k=0, kind="effect", nonce=nonce, raw=b"\x02",
                    hash=f"0x{i + 9:064x}",
                    tip=10**9, cap=30 * 10**9, gas=240_000, channels="public", reply="ok",
                    first_block=21_399_999, signed_at=at,
                )
            )  # fmt: skip
    db.execute(
        insert(journal.receipts).values(
            intent=f"0x{1:064x}", hash=f"0x{9:064x}", block_hash=made.HASH,
            block_number=21_399_700, success=True, cost_wei=1_702_836_000_000_000,
            guard_event=False,
        )
    )  # fmt: skip
