"""Rows to values and back, inside a transaction that the journal has begun."""

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from executor.journal import codec
from executor.journal.tables import attempts, meta, receipts, reservations
from executor.run.change import Change
from executor.types import Attempt, Intent, Kind, Receipt, State


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


def reserve(db: Connection, intent: Intent, change: Change, now: int) -> None:
    """Keep the reservation in step: the dearest live payload, then what it really cost.

    One reservation per intent, because one nonce takes one payload. It stays until the nonce is
    finally spent: a payload that was replaced can still be mined. Where nobody can tell by what it
    was spent, all that was reserved counts as spent, until the owner releases the intent and it is
    signed again.
    """
    where = reservations.c.intent == intent.id
    if intent.done:
        _settle(db, intent, now)
        return
    if intent.state is State.REPLAN:
        db.execute(delete(reservations).where(where))
        return
    if intent.state is State.HELD:
        lost = update(reservations).where(where, reservations.c.live)
        db.execute(lost.values(live=False, at=now))
        return
    if change.receipt is not None:
        _found(db, intent, change.receipt.cost_wei + intent.call.value, now)
    if not change.attempts:
        return
    query = select(attempts).where(attempts.c.intent == intent.id)
    live = [attempt(row) for row in db.execute(query.where(attempts.c.nonce == intent.nonce))]
    if not live:
        return
    wei = max(a.gas * a.cap + (intent.call.value if a.kind is Kind.EFFECT else 0) for a in live)
    has = db.execute(select(reservations).where(where)).first()
    if has is None or not has.live:
        db.execute(delete(reservations).where(where))
        values = {"wei": wei, "usd_e6": change.usd_e6, "at": now, "live": True}
        db.execute(insert(reservations).values(intent=intent.id, **values))
    else:
        usd = change.usd_e6 if change.usd_e6 is not None else has.usd_e6
        values = {"wei": max(wei, has.wei), "usd_e6": _greater(usd, has.usd_e6)}
        db.execute(update(reservations).where(where).values(**values))


def _settle(db: Connection, intent: Intent, now: int) -> None:
    where = reservations.c.intent == intent.id
    row = db.execute(select(receipts).where(receipts.c.intent == intent.id)).first()
    if row is None:
        db.execute(delete(reservations).where(where, reservations.c.live))
        return
    effect = intent.state is State.DONE
    wei = row.cost_wei + (intent.call.value if effect else 0)
    _found(db, intent, wei, now)
    values: dict[str, Any] = {"wei": wei, "at": now, "live": False}
    if not effect:
        values["usd_e6"] = 0
    db.execute(update(reservations).where(where).values(**values))


def _found(db: Connection, intent: Intent, wei: int, now: int) -> None:
    """Count what is on chain where its reservation was lost with a journal.

    What it is worth nobody counted: the policy refuses for a day, rather than take it for nothing.
    """
    where = reservations.c.intent == intent.id
    has = db.execute(select(reservations).where(where)).first()
    if has is None:
        values = {"wei": wei, "usd_e6": None, "at": now, "live": True}
        db.execute(insert(reservations).values(intent=intent.id, **values))
    elif has.wei < wei:
        db.execute(update(reservations).where(where).values(wei=wei))


def _greater(a: int | None, b: int | None) -> int | None:
    return max(a, b) if a is not None and b is not None else (a if b is None else b)


def count_up(db: Connection, to: int | None = None) -> int:
    """Count one more commit of signed bytes, or as many as the mark has seen."""
    where = meta.c.key == "sequence"
    has = int(db.execute(select(meta.c.value).where(where).with_for_update()).scalar_one())
    value = has + 1 if to is None else max(has, to)
    db.execute(update(meta).where(where).values(value=str(value)))
    return value
