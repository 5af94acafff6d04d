"""The durable record of what was wanted, signed, sent and seen.

    journal = Journal.open("sqlite:///journal.sqlite", mode="live", mark=Path("journal.mark"))
    lease = journal.lease(1, wallet, holder="host:pid", ttl_s=30)
    intent = journal.commit(lease, view.intent, change)

Rows are changed by `commit` only: one transaction that first touches the wallet's row at the
lease's epoch, so that a stale writer is refused, and then the intent's row at the version it was
read with. Owners' wishes and new intents need no lease.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from chain.types import Address
from executor.journal import codec, rows, spends
from executor.journal.engine import connect, reading, writing
from executor.journal.errors import (
    Damaged,
    IntentConflict,
    LeaseLost,
    RowChanged,
    WrongStamp,
)
from executor.journal.known import Known, Probe
from executor.journal.mark import Mark
from executor.journal.mark import read as read_mark
from executor.journal.mark import write as write_mark
from executor.journal.tables import (
    VERSION,
    attempts,
    intents,
    meta,
    metadata,
    receipts,
    wallets,
    wishes,
)
from executor.run.change import Change
from executor.run.view import Wishes
from executor.types import TERMINAL, Attempt, Intent, Lease, Ledger, Receipt, State

MODES: Final = ("dry-run", "live")
WISHES: Final = ("approve", "cancel", "speed_up", "release")


class Journal:
    """A journal in SQLite or Postgres; safe to share between threads and processes."""

    def __init__(
        self, engine: Engine, mode: str, mark: Path | None, clock: Callable[[], float]
    ) -> None:
        self.mode = mode
        self._engine = engine
        self._mark = mark
        self._clock = clock
        self._instance = ""

    @classmethod
    def open(
        cls,
        url: str,
        *,
        mode: str,
        mark: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> "Journal":
        """Open, or make, the journal at a database URL.

        `mark` is where to keep the mark that shows a journal gone back in time (journal/mark.py);
        it must not be backed up together with the database. Raises `Damaged`, `WrongStamp`,
        `NotWritten`.
        """
        if mode not in MODES:
            raise WrongStamp("mode", mode, " or ".join(MODES))
        journal = cls(connect(url, metadata.tables), mode, mark, clock)
        journal._make()
        journal._compare_mark()
        return journal

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()

    # Stamp and mark

    def _make(self) -> None:
        with writing(self._engine) as db:
            if self._engine.dialect.name == "postgresql":
                db.execute(select(func.pg_advisory_xact_lock(0x6B65656C)))
            metadata.create_all(db)
            has = {row.key: row.value for row in db.execute(select(meta))}
            if not has:
                has = {
                    "version": VERSION,
                    "instance": uuid.uuid4().hex,
                    "mode": self.mode,
                    "sequence": "0",
                    "whole": "yes",
                }
                db.execute(insert(meta), [{"key": k, "value": v} for k, v in has.items()])
            for key, wanted in (("version", VERSION), ("mode", self.mode)):
                if has.get(key) != wanted:
                    raise WrongStamp(key, str(has.get(key)), wanted)
            if "instance" not in has or not has.get("sequence", "").isdecimal():
                raise Damaged("its stamp is incomplete")
            self._instance = has["instance"]

    def _compare_mark(self) -> None:
        if self._mark is None:
            return
        mark, sequence = read_mark(self._mark), self.sequence()
        behind = (
            sequence > 0 or self._has_intents()
            if mark is None
            else mark.instance != self._instance or mark.sequence > sequence
        )
        if behind:
            with writing(self._engine) as db:
                db.execute(update(wallets).values(whole=False, burn=None))
                db.execute(update(meta).where(meta.c.key == "whole").values(value="no"))
                if mark is not None and mark.instance == self._instance:
                    sequence = rows.count_up(db, to=mark.sequence)
        # From here on the loss is recorded in the journal itself.
        write_mark(self._mark, Mark(self._instance, sequence))

    def _has_intents(self) -> bool:
        with reading(self._engine) as db:
            return db.execute(select(intents.c.id).limit(1)).first() is not None

    def sequence(self) -> int:
        """Return how many commits of signed bytes there were."""
        with reading(self._engine) as db:
            return int(
                db.execute(select(meta.c.value).where(meta.c.key == "sequence")).scalar_one()
            )

    def stamp_chain(self, chain_id: int, genesis: str) -> None:
        """Bind the journal to the chain with this genesis; raises `WrongStamp` for another one."""
        key = f"genesis:{chain_id}"
        with writing(self._engine) as db:
            has = db.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
            if has is None:
                db.execute(insert(meta).values(key=key, value=genesis))
            elif has != genesis:
                raise WrongStamp(f"chain {chain_id}", has, genesis)

    # Anyone may

    def record(self, intent: Intent) -> bool:
        """Record an intent that is wanted; False where it is recorded already.

        Raises `IntentConflict` if its id is taken by one that says something else.
        """
        if intent.state not in (State.PLANNED, State.APPROVED) or intent.nonce is not None:
            raise ValueError(f"a new intent is planned or approved, not {intent.state}")
        try:
            with writing(self._engine) as db:
                has = db.execute(select(intents.c.body).where(intents.c.id == intent.id)).scalar()
                if has is None:
                    db.execute(insert(intents).values(**rows.of_intent(intent, self._now())))
        except IntegrityError:  # recorded by another process meanwhile
            with reading(self._engine) as db:
                has = db.execute(select(intents.c.body).where(intents.c.id == intent.id)).scalar()
        if has is not None and has != codec.body(intent):
            raise IntentConflict(intent.id)
        return has is None

    def wish(self, intent: str, wish: str, fee_cap: int | None = None) -> bool:
        """Note what the owner wants of an intent; False where it is unknown or terminal.

        `speed_up` may raise the owner's fee cap.
        """
        if wish not in WISHES:
            raise ValueError(f"{wish!r} is none of {', '.join(WISHES)}")
        with writing(self._engine) as db:
            state = db.execute(select(intents.c.state).where(intents.c.id == intent)).scalar()
            if state is None or State(state) in TERMINAL:
                return False
            db.execute(insert(wishes).values(intent=intent, wish=wish, at=self._now()))
            if fee_cap is not None:
                db.execute(
                    update(intents).where(intents.c.id == intent).values(fee_cap_abs=fee_cap)
                )
        return True

    def vouch(self, chain_id: int, wallet: Address) -> None:
        """Take the owner's word that no payload is out that the journal does not know.

        The way on where a journal lost records and no node can tell what became of them.
        """
        where = (wallets.c.chain_id == chain_id, wallets.c.address == wallet)
        with writing(self._engine) as db:
            db.execute(update(wallets).where(*where).values(whole=True, burn=None))

    # Reading

    def intent(self, id_: str) -> Intent | None:
        """Return an intent by its id."""
        with reading(self._engine) as db:
            row = db.execute(select(intents).where(intents.c.id == id_)).first()
        return rows.intent(row) if row is not None else None

    def intents(
        self, chain_id: int, wallet: Address, *, open_only: bool = True
    ) -> tuple[Intent, ...]:
        """Return a wallet's intents, bound ones first by nonce, then in the order recorded."""
        query = select(intents).where(intents.c.chain_id == chain_id, intents.c.wallet == wallet)
        if open_only:
            query = query.where(intents.c.state.not_in([state.value for state in TERMINAL]))
        query = query.order_by(intents.c.recorded_at, intents.c.plan, intents.c.step, intents.c.id)
        with reading(self._engine) as db:
            found = [rows.intent(row) for row in db.execute(query)]
        return tuple(sorted(found, key=lambda i: (i.nonce is None, i.nonce or 0)))

    def attempts(self, intent: str) -> tuple[Attempt, ...]:
        """Return the payloads of an intent, by k."""
        query = select(attempts).where(attempts.c.intent == intent).order_by(attempts.c.k)
        with reading(self._engine) as db:
            return tuple(rows.attempt(row) for row in db.execute(query))

    def receipt(self, intent: str) -> Receipt | None:
        """Return where an intent was mined, as last recorded."""
        with reading(self._engine) as db:
            row = db.execute(select(receipts).where(receipts.c.intent == intent)).first()
        return rows.receipt(row) if row is not None else None

    def wishes(self, intent: str) -> Wishes:
        """Return what the owner asked for and was not followed yet."""
        with reading(self._engine) as db:
            found = db.execute(select(wishes.c.wish).where(wishes.c.intent == intent)).scalars()
            return Wishes(**dict.fromkeys(found, True))

    def changed_at(self, intent: str) -> int:
        """Return when an intent was last changed; 0 where it is unknown."""
        with reading(self._engine) as db:
            at = db.execute(select(intents.c.changed_at).where(intents.c.id == intent)).scalar()
        return int(at or 0)

    def ledger(
        self, chain_id: int, wallet: Address, *, since: int, balance: int | None = None
    ) -> Ledger:
        """Return every live reservation of a wallet, every spend settled and every stray since."""
        with reading(self._engine) as db:
            found = spends.counted(db, chain_id, wallet, since)
        return Ledger(self._now(), balance, found)

    def known(self, chain_id: int, wallet: Address) -> Known:
        """Return what the journal knows of a wallet."""
        query = select(wallets).where(wallets.c.chain_id == chain_id, wallets.c.address == wallet)
        with reading(self._engine) as db:
            row = db.execute(query).first()
        if row is None:
            return Known(False, None, None)
        probe = Probe(row.probe_nonce, row.probe_block, row.probe_hash) if row.probe_hash else None
        return Known(row.whole, row.seen_nonce, row.seen_block, row.burn, probe)

    # Leases

    def lease(self, chain_id: int, wallet: Address, holder: str, ttl_s: int) -> Lease | None:
        """Take the right to act for a wallet, at a new epoch; None while another holds it.

        A holder that asks again gets a new epoch too: what it did before may still be under way.
        """
        now = self._now()
        where = (wallets.c.chain_id == chain_id, wallets.c.address == wallet)
        with writing(self._engine) as db:
            row = db.execute(select(wallets).where(*where).with_for_update()).first()
            if row is None:
                whole = db.execute(select(meta.c.value).where(meta.c.key == "whole")).scalar()
                db.execute(
                    insert(wallets).values(
                        chain_id=chain_id, address=wallet, epoch=1, holder=holder,
                        until=now + ttl_s, whole=whole == "yes", commits=0,
                    )
                )  # fmt: skip
                return Lease(chain_id, wallet, 1, holder, now + ttl_s)
            if row.until > now and row.holder != holder:
                return None
            db.execute(
                update(wallets)
                .where(*where)
                .values(epoch=row.epoch + 1, holder=holder, until=now + ttl_s)
            )
        return Lease(chain_id, wallet, row.epoch + 1, holder, now + ttl_s)

    def renew(self, lease: Lease, ttl_s: int) -> Lease:
        """Prolong a lease; raises `LeaseLost` if its epoch is over."""
        until = self._now() + ttl_s
        with writing(self._engine) as db:
            self._touch(db, lease, until=until)
        return replace(lease, until=until)

    def release(self, lease: Lease) -> None:
        """Give a lease back early; nothing happens if it is lost already."""
        with writing(self._engine) as db:
            db.execute(update(wallets).where(*_at(lease)).values(until=0))

    def check(self, lease: Lease) -> None:
        """Raise `LeaseLost` unless the epoch is the wallet's own: right before a signature."""
        with writing(self._engine) as db:
            self._touch(db, lease)

    def _touch(self, db: Connection, lease: Lease, **values: Any) -> None:
        """Lock the wallet's row, at this epoch only."""
        values["commits"] = wallets.c.commits + 1
        if db.execute(update(wallets).where(*_at(lease)).values(**values)).rowcount != 1:
            raise LeaseLost(lease.wallet, lease.epoch)

    # Writing

    def commit(self, lease: Lease, before: Intent | None, change: Change) -> Intent | None:
        """Write one change, all or nothing, and return the intent as it is now.

        Raises `LeaseLost`, `RowChanged` (read again), `NotWritten` (perhaps written: read again).
        New signed bytes are on disk, and marked, when this returns.
        """
        sequence: int | None = None
        try:
            with writing(self._engine) as db:
                self._touch(db, lease)
                written = self._write_intent(db, lease, before, change)
                rows.write_attempts(db, change.attempts, self._now())
                if before is not None and written is not None and _unmined(before, written):
                    db.execute(delete(receipts).where(receipts.c.intent == written.id))
                if change.receipt is not None and written is not None:
                    rows.write_receipt(db, written.id, change.receipt)
                if change.new_intent is not None:
                    values = rows.of_intent(change.new_intent, self._now())
                    db.execute(insert(intents).values(**values))
                if change.heard and written is not None:
                    db.execute(delete(wishes).where(wishes.c.intent == written.id))
                if written is not None:
                    spends.reserve(db, written, change, self._now())
                if change.attempts:
                    sequence = rows.count_up(db)
        except IntegrityError:
            raise RowChanged(before.id if before else "a new one") from None
        if sequence is not None and self._mark is not None:
            write_mark(self._mark, Mark(self._instance, sequence))
        return written

    def _write_intent(
        self, db: Connection, lease: Lease, before: Intent | None, change: Change
    ) -> Intent | None:
        after = change.intent
        if after is None or before is None:
            return None
        if (after.chain_id, after.wallet) != (lease.chain_id, lease.wallet):
            raise LeaseLost(after.wallet, lease.epoch)
        moved = after.state is not before.state or after.nonce != before.nonce
        values: dict[str, Any] = {
            "state": after.state.value, "nonce": after.nonce, "reason": after.reason,
            "version": before.version + 1,
        }  # fmt: skip
        if moved:
            values["changed_at"] = self._now()
        where = (
            intents.c.id == before.id,
            intents.c.version == before.version,
            intents.c.state == before.state.value,
        )
        if db.execute(update(intents).where(*where).values(**values)).rowcount != 1:
            raise RowChanged(before.id)
        return replace(after, version=before.version + 1)

    def saw(self, lease: Lease, known: Known) -> None:
        """Note up to which final nonce all is accounted for, and whether the journal is whole."""
        probe = known.probe
        values = {
            "whole": known.whole, "seen_nonce": known.nonce, "seen_block": known.block,
            "burn": known.burn, "probe_nonce": probe.nonce if probe else None,
            "probe_block": probe.block if probe else None,
            "probe_hash": probe.hash if probe else None,
        }  # fmt: skip
        with writing(self._engine) as db:
            self._touch(db, lease, **values)

    def stray(self, lease: Lease, hash_: str, wei: int, usd_e6: int | None) -> None:
        """Count, once, what a transaction cost that may have been ours: its records are lost."""
        with writing(self._engine) as db:
            self._touch(db, lease)
            spends.stray(db, lease, hash_, wei, usd_e6, self._now())

    def _now(self) -> int:
        return int(self._clock())


def _unmined(before: Intent, after: Intent) -> bool:
    """Whether a reorganisation took the receipt back."""
    return before.state is State.MINED and after.state in (State.BROADCAST, State.CANCELLING)


def _at(lease: Lease) -> Sequence[Any]:
    return (
        wallets.c.chain_id == lease.chain_id,
        wallets.c.address == lease.wallet,
        wallets.c.epoch == lease.epoch,
    )
