"""Transactions: each wallet's nonces in a lane, and every transaction that was wanted."""

from typing import Any, Final

from underkeel.cli import format as fmt
from underkeel.documents.txs import Tx, TxLane, TxsDocument
from underkeel.web.pages import words
from underkeel.web.pages.cells import Cell, Column, Row, Table, address, moment, name, number, state
from underkeel.web.pages.cells import words as plain

STATES: Final = {
    "planned": ("○", "planned", ""),
    "approved": ("○", "waits its turn", ""),
    "nonced": ("○", "has its nonce", ""),
    "signed": ("◔", "signed", "warn"),
    "broadcast": ("▶", "sent", "warn"),
    "mined": ("✓", "mined, not final", "good"),
    "done": ("✔", "done", "good"),
    "reverted": ("✖", "reverted", "bad"),
    "cancelled": ("–", "cancelled", ""),
    "held": ("‖", "held: waits for you", "warn"),
    "cancelling": ("◆", "being cancelled", "warn"),
    "replan": ("◔", "planned again", "warn"),
}
"""By `executor.types.State`."""


def view(document: TxsDocument, zone: str) -> dict[str, Any]:
    """Return what the page shows."""
    known = {tx.id: tx for tx in document.transactions}
    return {
        "mode": document.mode,
        "lanes": [lane(found, known) for found in document.lanes],
        "transactions": _table(document, zone),
    }


def tx_state(tx: Tx) -> Cell:
    """Return a state; one that this page does not know yet is shown by its own name."""
    return state(*STATES.get(tx.state, ("◔", name(tx.state, 24), "")))


def lane(found: TxLane, known: dict[str, Tx]) -> dict[str, Any]:
    """Return the nonces of one wallet on one chain, from the last final one on."""
    final = None if found.final_nonce is None else int(found.final_nonce)
    slots: list[dict[str, Any]] = []
    last = final
    for tx in (known[id] for id in found.open if id in known):
        nonce = None if tx.nonce is None else int(tx.nonce)
        if nonce is not None:
            missing = range(last, nonce) if last is not None else range(0)
            slots += [_missing(n) for n in list(missing)[:8]]
            last = nonce + 1
        slots.append(
            {
                "nonce": "no nonce yet" if nonce is None else f"{nonce:,}",
                "state": tx_state(tx),
                "what": f"plan {words.identity(tx.plan)}",
                "href": f"#tx-{tx.id}",
                "attempts": len(tx.attempts),
            }
        )
    return {
        "title": f"{words.whose(found.wallet, found.wallet_name)} on "
        f"{name(found.chain or found.chain_id)}",
        "wallet": found.wallet,
        "final": None if final is None else f"{final:,}",
        "block": None if found.final_block is None else f"{int(found.final_block):,}",
        "gap": int(found.gap),
        "whole": found.whole,
        "slots": slots,
    }


def _missing(nonce: int) -> dict[str, Any]:
    return {
        "nonce": f"{nonce:,}",
        "state": state("?", "not ours", "unknown"),
        "what": "spent elsewhere, or a gap",
        "href": None,
        "attempts": 0,
    }


def _table(document: TxsDocument, zone: str) -> Table:
    return Table(
        "transactions",
        "Every transaction that was wanted, the newest first",
        (
            Column("state", "State"),
            Column("nonce", "Nonce", number=True),
            Column("wallet", "Wallet"),
            Column("plan", "Plan", wide=True),
            Column("hash", "Hash"),
            Column("attempts", "Signed", number=True),
            Column("block", "Mined in", number=True),
            Column("cost", "Cost", number=True),
            Column("changed", "Last changed"),
            Column("reason", "Reason"),
        ),
        [_row(tx, zone) for tx in document.transactions],
        "Nothing was ever signed from here.",
        filtered=True,
    )


def _row(tx: Tx, zone: str) -> Row:
    changed = words.epoch(tx.changed_at)
    assert changed is not None
    hash_ = tx.receipt.hash if tx.receipt else tx.attempts[-1].hash if tx.attempts else None
    return Row(
        (
            tx_state(tx),
            number("–", None) if tx.nonce is None else number(f"{int(tx.nonce):,}", int(tx.nonce)),
            address(tx.wallet, tx.wallet_name or ""),
            plain(f"{words.identity(tx.plan)}, step {int(tx.step) + 1}"),
            plain("–") if hash_ is None else address(hash_),
            number(str(len(tx.attempts)), len(tx.attempts)),
            number("–", None)
            if tx.receipt is None
            else number(f"{int(tx.receipt.block_number):,}", int(tx.receipt.block_number)),
            number("–", None)
            if tx.receipt is None
            else number(fmt.amount(int(tx.receipt.cost_wei), 18), int(tx.receipt.cost_wei)),
            moment(changed, words.clock(changed, zone)),
            plain(name(tx.reason, 300)),
        ),
        id=f"tx-{tx.id}",
        tone=tx_state(tx).more["tone"] if tx.open else "",
    )
