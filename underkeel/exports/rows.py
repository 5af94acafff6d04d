"""The rows of each export: plain values, one dictionary each.

Integers of the chain are text, so that no program rounds them; what is not known is None. No cost
basis is made up: which purchase a sale belongs to is for the accountant to say.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy import Connection, inspect, select

from executor.journal import tables as journal
from underkeel.exports.times import Span, iso
from underkeel.store import events, history, stamp

Row = dict[str, Any]
TIMES: Final = ("time", "time_utc")
BLOCK: Final = ("chain", "chain_id", "block_number", "block_hash")
POSITIONS: Final = (
    *TIMES, *BLOCK, "protocol", "market", "root", "position", "owner", "owner_name", "kind",
    "present", "status", "health_raw", "health_scale", "side", "asset", "symbol", "leg", "decimals",
    "amount_raw", "amount", "price_raw", "price_decimals", "price_quote", "price_source",
    "price_age_s", "price_problems", "value_usd", "position_equity_usd", "verified", "unknown",
)  # fmt: skip
EVENTS: Final = (
    *TIMES, "id", "kind", "severity", "chain", "wallet", "position", "alert", "text", "details",
)  # fmt: skip
TRANSACTIONS: Final = (
    *TIMES, "changed", "changed_utc", "chain", "chain_id", "wallet", "account", "id", "plan",
    "step", "state", "effect", "nonce", "to", "value_wei", "data", "conditions", "attempts", "hash",
    "block_number", "block_hash", "success", "gas_paid_wei", "gas_paid", "other_cost_wei", "reason",
)  # fmt: skip
COLUMNS: Final = {"positions": POSITIONS, "events": EVENTS, "transactions": TRANSACTIONS}
NUMBERS: Final = frozenset({"value_usd", "position_equity_usd"})
"""Floating point; every other column is text, true or false."""
PIECE: Final = 500
EFFECTS: Final = {
    "done": "took place, final",
    "reverted": "failed, final",
    "cancelled": "did not take place",
}


def rows(db: Connection, kind: str, span: Span) -> Iterator[Row]:
    """Yield the rows of one kind in order of time."""
    return {"positions": _positions, "events": _events, "transactions": _transactions}[kind](
        db, span
    )


def _times(span: Span, at: float, prefix: str = "time") -> Row:
    return {prefix: span.local(at), f"{prefix}_utc": iso(at)}


def _positions(db: Connection, span: Span) -> Iterator[Row]:
    ids = {k[6:]: v for k, v in stamp.read(db).items() if k.startswith("chain:")}
    for past in history.between(db, span.since, span.until):
        block = None if past.block_number is None else str(past.block_number)
        base: Row = dict.fromkeys(POSITIONS) | _times(span, past.at)
        base |= {
            "chain": past.chain, "chain_id": ids.get(past.chain), "block_number": block,
            "block_hash": past.block_hash, "position": past.position,
            "present": past.value is not None,
        }  # fmt: skip
        if past.value is None:
            yield base
            continue
        yield from _legs(base, past.value)


def _legs(base: Row, position: dict[str, Any]) -> Iterator[Row]:
    """Yield a row per leg; a position without legs has one."""
    liquidation = position["liquidation"]
    base |= {
        name: position.get(name)
        for name in ("protocol", "market", "root", "owner", "owner_name", "kind", "verified")
    }
    base |= {
        "status": liquidation["status"], "health_raw": liquidation["health_raw"],
        "health_scale": liquidation["health_scale"],
        "position_equity_usd": position["equity_usd"],
        "unknown": "; ".join([*position["unknown"], *liquidation.get("causes", ())]) or None,
    }  # fmt: skip
    for leg in position["legs"] or [{}]:
        yield base | {
            "side": leg.get("side"), "asset": leg.get("asset"), "symbol": leg.get("symbol"),
            "leg": leg.get("name") or None, "decimals": leg.get("decimals"),
            "amount_raw": leg.get("amount_raw"),
            "amount": shifted(leg.get("amount_raw"), leg.get("decimals")),
            "price_raw": leg.get("price_raw"), "price_decimals": leg.get("price_decimals"),
            "price_quote": leg.get("price_quote"), "price_source": leg.get("oracle_expr"),
            "price_age_s": leg.get("price_age_s"),
            "price_problems": "; ".join(leg.get("price_problems", ())) or None,
            "value_usd": leg.get("value_usd"),
        }  # fmt: skip


def _events(db: Connection, span: Span) -> Iterator[Row]:
    last = 0
    while found := events.after(db, last, PIECE, since=span.since, until=span.until):
        for event in found:
            yield _times(span, event.at) | {
                "id": str(event.id), "kind": event.kind, "severity": event.severity,
                "chain": event.chain or None, "wallet": event.wallet or None,
                "position": event.position or None, "alert": event.alert or None,
                "text": event.text,
                "details": orjson.dumps(event.body).decode() if event.body else None,
            }  # fmt: skip
        last = found[-1].id


def _transactions(db: Connection, span: Span) -> Iterator[Row]:
    """Yield what the executor wanted, by when it was recorded; strays it found come last."""
    if not inspect(db).has_table(journal.intents.name):
        return
    names = {v: k[6:] for k, v in stamp.read(db).items() if k.startswith("chain:")}
    i = journal.intents
    query = (
        select(i)
        .where(i.c.recorded_at >= span.since, i.c.recorded_at < span.until)
        .order_by(i.c.recorded_at, i.c.plan, i.c.step, i.c.id)
    )
    for row in db.execute(query):
        yield _transaction(db, row, span, names)
    s = journal.strays
    found = select(s).where(s.c.at >= span.since, s.c.at < span.until).order_by(s.c.at, s.c.hash)
    for row in db.execute(found):
        yield dict.fromkeys(TRANSACTIONS) | _times(span, row.at) | {
            "chain": names.get(str(row.chain_id)), "chain_id": str(row.chain_id),
            "wallet": row.wallet, "hash": row.hash, "state": "found",
            "effect": "unknown: found on chain, its records are lost",
            "gas_paid_wei": str(row.wei), "gas_paid": shifted(str(row.wei), "18"),
        }  # fmt: skip


def _transaction(db: Connection, row: Any, span: Span, names: dict[str, str]) -> Row:
    a, r = journal.attempts, journal.receipts
    hashes = list(
        db.execute(select(a.c.hash).where(a.c.intent == row.id).order_by(a.c.k)).scalars()
    )
    receipt = db.execute(select(r).where(r.c.intent == row.id)).first()
    body = orjson.loads(row.body)
    cost = None if receipt is None else str(receipt.cost_wei)
    return (
        _times(span, row.recorded_at)
        | _times(span, row.changed_at, "changed")
        | {
            "chain": names.get(str(row.chain_id)), "chain_id": str(row.chain_id),
            "wallet": row.wallet, "account": row.account, "id": row.id, "plan": row.plan,
            "step": str(row.step), "state": row.state, "effect": _effect(row.state, receipt),
            "nonce": None if row.nonce is None else str(row.nonce),
            "to": body["call"]["to"], "value_wei": body["call"]["value"],
            "data": "0x" + body["call"]["data"],
            "conditions": orjson.dumps(body["conditions"]).decode() if body["conditions"] else None,
            "attempts": str(len(hashes)),
            "hash": receipt.hash if receipt else hashes[-1] if hashes else None,
            "block_number": str(receipt.block_number) if receipt else None,
            "block_hash": receipt.block_hash if receipt else None,
            "success": receipt.success if receipt else None,
            "gas_paid_wei": cost, "gas_paid": shifted(cost, "18"),
            "other_cost_wei": body["other_cost_wei"], "reason": row.reason or None,
        }
    )  # fmt: skip


def _effect(state: str, receipt: Any) -> str:
    if state == "mined" and receipt is not None:
        return "took place, not final" if receipt.success else "failed, not final"
    return EFFECTS.get(state, "open")


def shifted(raw: str | None, decimals: str | None) -> str | None:
    """Return base units as a plain decimal number, exactly; None where either is not known."""
    if raw is None or decimals is None:
        return None
    sign, digits, _ = Decimal(raw).as_tuple()
    return f"{Decimal((sign, digits, -int(decimals))):f}"
