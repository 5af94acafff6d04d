"""What a wallet has spent, and what its live payloads may still take: rows of the caps' ledger."""

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from chain.types import Address
from executor.journal import rows
from executor.journal.tables import attempts, intents, receipts, reservations, strays
from executor.run.change import Change
from executor.types import Intent, Kind, Lease, Spend, State


def counted(db: Connection, chain_id: int, wallet: Address, since: int) -> tuple[Spend, ...]:
    """Return every live reservation, and every spend settled and every stray found since.

    A stray that was adopted counts by its intent's reservation.
    """
    reserved = (
        select(reservations)
        .join(intents, intents.c.id == reservations.c.intent)
        .where(intents.c.chain_id == chain_id, intents.c.wallet == wallet)
        .where(reservations.c.live | (reservations.c.at >= since))
        .order_by(reservations.c.at, reservations.c.intent)
    )
    stray = (
        select(strays)
        .where(strays.c.chain_id == chain_id, strays.c.wallet == wallet, strays.c.at >= since)
        .where(strays.c.hash.not_in(select(attempts.c.hash)))
        .order_by(strays.c.at, strays.c.hash)
    )
    return (
        *(Spend(row.intent, row.at, row.wei, row.usd_e6, row.live) for row in db.execute(reserved)),
        *(Spend(row.hash, row.at, row.wei, row.usd_e6, False) for row in db.execute(stray)),
    )


def stray(db: Connection, lease: Lease, hash_: str, wei: int, usd_e6: int | None, now: int) -> None:
    """Count a transaction once."""
    if db.execute(select(strays.c.hash).where(strays.c.hash == hash_)).first() is None:
        db.execute(
            insert(strays).values(
                hash=hash_, chain_id=lease.chain_id, wallet=lease.wallet, at=now, wei=wei,
                usd_e6=usd_e6,
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
    live = [rows.attempt(row) for row in db.execute(query.where(attempts.c.nonce == intent.nonce))]
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
