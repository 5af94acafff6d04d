"""Rows to values and back, inside a transaction that the journal has begun."""

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from executor.journal import codec
from executor.journal.tables import attempts, meta, receipts
from executor.types import Attempt, Intent, Kind, Receipt


def of_intent(intent: Intent, now: int) -> dict[str, Any]:
    """Return the columns of a new row."""
    return {
        "id": intent.id,
        "chain_id": intent.chain_id,
        "wallet": intent.wallet,
        "account": intent.account,
        "plan": intent.plan,
        "step": intent.step,
        "body": codec.body(intent),
        "fee_cap_abs": intent.fee_cap_abs,
        "state": intent.state.value,
        "nonce": intent.nonce,
        "version": 0,
        "reason": intent.reason,
        "recorded_at": now,
        "changed_at": now,
    }


def intent(row: Row[Any]) -> Intent:
    """Return the intent of a row."""
    return codec.intent(row.body, row.state, row.nonce, row.version, row.reason, row.fee_cap_abs)


def attempt(row: Row[Any]) -> Attempt:
    """Return the attempt of a row."""
    return Attempt(
        row.intent, row.k, Kind(row.kind), row.nonce, row.raw, row.hash, row.tip, row.cap, row.gas,
        frozenset(filter(None, row.channels.split(","))), row.reply, row.first_block,
        row.last_block,
    )  # fmt: skip


def receipt(row: Row[Any]) -> Receipt:
    """Return the receipt of a row."""
    return Receipt(
        row.hash, row.block_hash, row.block_number, row.success, row.cost_wei, row.guard_event
    )


def write_attempts(db: Connection, new: tuple[Attempt, ...], now: int) -> None:
    """Insert attempts, or update how often and where they were sent; never their bytes."""
    for a in new:
        sending = {
            "channels": ",".join(sorted(a.channels)), "reply": a.reply,
            "first_block": a.first_block, "last_block": a.last_block,
        }  # fmt: skip
        where = (attempts.c.intent == a.intent, attempts.c.k == a.k, attempts.c.hash == a.hash)
        if db.execute(update(attempts).where(*where).values(**sending)).rowcount:
            continue
        db.execute(
            insert(attempts).values(
                intent=a.intent, k=a.k, kind=a.kind.value, nonce=a.nonce, raw=a.raw, hash=a.hash,
                tip=a.tip, cap=a.cap, gas=a.gas, signed_at=now, **sending,
            )
        )  # fmt: skip


def write_receipt(db: Connection, intent: str, new: Receipt) -> None:
    """Replace the receipt of an intent."""
    db.execute(delete(receipts).where(receipts.c.intent == intent))
    db.execute(
        insert(receipts).values(
            intent=intent, hash=new.hash, block_hash=new.block_hash,
            block_number=new.block_number, success=new.success, cost_wei=new.cost_wei,
            guard_event=new.guard_event,
        )
    )  # fmt: skip


def count_up(db: Connection, to: int | None = None) -> int:
    """Count one more commit of signed bytes, or as many as the mark has seen."""
    where = meta.c.key == "sequence"
    has = int(db.execute(select(meta.c.value).where(where).with_for_update()).scalar_one())
    value = has + 1 if to is None else max(has, to)
    db.execute(update(meta).where(where).values(value=str(value)))
    return value
