"""The executor's journal, read only: wallets' nonces, transactions, payloads, receipts.

Signed bytes are never selected.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, inspect, select

from executor.journal.tables import attempts, intents, receipts, reservations, wallets
from executor.types import TERMINAL
from underkeel.config.load import Config
from underkeel.documents.txs import Tx, TxAttempt, TxLane, TxReceipt, TxsDocument
from underkeel.web.reading.common import moment, piece

OVER: Final = tuple(state.value for state in TERMINAL)
MICRO_USD: Final = 1_000_000
MOST: Final = 5_000
"""Transactions that are looked at, the newest."""


class Names:
    """What the config calls chains and wallets."""

    def __init__(self, config: Config) -> None:
        self.chains = {t.chain_id: name for name, t in config.settings.chains.items()}
        self.wallets = {w.address: name for name, w in config.settings.wallets.items()}


def txs_document(
    db: Connection,
    config: Config,
    now: float,
    paused: str | None,
    *,
    chain: str | None = None,
    wallet: str | None = None,
    state: str | None = None,
    open_only: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> TxsDocument:
    """Return `underkeel.txs/1`, the newest first; nothing where nothing was ever executed."""
    names = Names(config)
    found: Sequence[Row[Any]] = ()
    if inspect(db).has_table(intents.name):
        query = select(intents).order_by(intents.c.recorded_at.desc(), intents.c.id).limit(MOST)
        found = db.execute(query).all()
    wanted = [
        row
        for row in found
        if chain in (None, names.chains.get(row.chain_id))
        and wallet in (None, row.wallet, names.wallets.get(row.wallet))
        and state in (None, row.state)
        and not (open_only and row.state in OVER)
    ]
    asked = {"chain": chain, "wallet": wallet, "state": state, "open": open_only or None}
    rows, page = piece(wanted, limit, offset, **asked)
    return TxsDocument(
        schema="underkeel.txs/1",
        generated_at=moment(now),
        mode=config.settings.mode,
        paused=paused,
        lanes=_lanes(db, found, names) if found else [],
        transactions=_transactions(db, rows, names),
        page=page,
    )


def _transactions(db: Connection, rows: Sequence[Row[Any]], names: Names) -> list[Tx]:
    ids = [row.id for row in rows]
    if not ids:
        return []
    tried: Mapping[str, list[TxAttempt]] = _attempts(db, ids)
    mined = {r.intent: r for r in db.execute(select(receipts).where(receipts.c.intent.in_(ids)))}
    held = {
        r.intent: r for r in db.execute(select(reservations).where(reservations.c.intent.in_(ids)))
    }
    return [_tx(row, names, tried[row.id], mined.get(row.id), held.get(row.id)) for row in rows]


def _tx(
    row: Row[Any],
    names: Names,
    tried: list[TxAttempt],
    mined: Row[Any] | None,
    held: Row[Any] | None,
) -> Tx:
    usd = None if held is None or held.usd_e6 is None else held.usd_e6 / MICRO_USD
    return Tx(
        id=row.id,
        chain=names.chains.get(row.chain_id),
        chain_id=str(row.chain_id),
        wallet=row.wallet,
        wallet_name=names.wallets.get(row.wallet),
        state=row.state,
        open=row.state not in OVER,
        nonce=None if row.nonce is None else str(row.nonce),
        plan=row.plan,
        step=str(row.step),
        reason=row.reason,
        recorded_at=moment(row.recorded_at),
        changed_at=moment(row.changed_at),
        attempts=tried,
        receipt=None
        if mined is None
        else TxReceipt(
            hash=mined.hash,
            block_hash=mined.block_hash,
            block_number=str(mined.block_number),
            success=mined.success,
            cost_wei=str(mined.cost_wei),
        ),
        reserved_wei=None if held is None else str(held.wei),
        reserved_usd=usd,
    )


def _attempts(db: Connection, ids: Sequence[str]) -> Mapping[str, list[TxAttempt]]:
    columns = [c for c in attempts.c if c.name != "raw"]
    query = select(*columns).where(attempts.c.intent.in_(ids)).order_by(attempts.c.k)
    found: dict[str, list[TxAttempt]] = defaultdict(list)
    for row in db.execute(query):
        found[row.intent].append(
            TxAttempt.model_validate(
                {
                    "hash": row.hash,
                    "kind": row.kind,
                    "max_fee": str(row.cap),
                    "max_tip": str(row.tip),
                    "gas": str(row.gas),
                    "channels": row.channels,
                    "reply": row.reply,
                    "signed_at": moment(row.signed_at),
                    "first_block": _text(row.first_block),
                    "last_block": _text(row.last_block),
                }
            )
        )
    return found


def _lanes(db: Connection, found: Sequence[Row[Any]], names: Names) -> list[TxLane]:
    of: dict[tuple[int, str], list[Row[Any]]] = defaultdict(list)
    for row in found:
        of[row.chain_id, row.wallet].append(row)
    known = {(row.chain_id, row.address): row for row in db.execute(select(wallets))}
    lanes = []
    for key in sorted({*of, *known}):
        rows, state = of[key], known.get(key)
        live = [row for row in rows if row.state not in OVER]
        live.sort(key=lambda row: (row.nonce is None, row.nonce or 0, row.recorded_at))
        final = None if state is None else state.seen_nonce
        lanes.append(
            TxLane(
                chain=names.chains.get(key[0]),
                chain_id=str(key[0]),
                wallet=key[1],
                wallet_name=names.wallets.get(key[1]),
                final_nonce=_text(final),
                final_block=_text(None if state is None else state.seen_block),
                whole=state is None or state.whole,
                gap=str(_gap(rows, final)),
                open=[row.id for row in live],
            )
        )
    return lanes


def _gap(rows: Sequence[Row[Any]], final: int | None) -> int:
    """Return how many nonces from the final one on no transaction of ours has."""
    if final is None:
        return 0
    bound = {row.nonce for row in rows if row.nonce is not None and row.nonce >= final}
    return max(bound) + 1 - final - len(bound) if bound else 0


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
