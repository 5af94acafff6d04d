"""Approvals: who may take tokens, and what that would cost now."""

from typing import Any

from underkeel.documents.approvals import Approval, ApprovalsDocument
from underkeel.web.pages import words
from underkeel.web.pages.cells import Column, Row, Table, address, block, name, state
from underkeel.web.pages.cells import words as plain
from underkeel.web.pages.views.exposure import keeper


def view(document: ApprovalsDocument, zone: str) -> dict[str, Any]:
    """Return what the page shows."""
    studied = words.epoch(document.studied_at)
    return {
        "unlimited": int(document.unlimited),
        "takeable": words.dollars(
            None if studied is None else document.takeable_usd,
            "not computed yet" if studied is None else "a part is not known",
        ),
        "studied": None
        if studied is None
        else {"at": int(studied), "text": words.clock(studied, zone)},
        "approvals": Table(
            "approvals",
            "Approvals, the costliest first",
            (
                Column("asset", "Token"),
                Column("owner", "Of"),
                Column("spender", "Spender", wide=True),
                Column("amount", "May take", number=True),
                Column("takes", "Could take now", number=True),
                Column("usd", "USD", number=True),
                Column("keeper", "Spender ruled by"),
                Column("block", "Read at"),
            ),
            [_row(found, zone) for found in document.approvals],
            "Nobody may take anything."
            if all(chain.status == "ok" for chain in document.chains)
            else "? None is known: a chain could not be read.",
            filtered=True,
        ),
    }


def _row(found: Approval, zone: str) -> Row:
    at = int(found.timestamp)
    return Row(
        (
            address(found.asset, found.symbol),
            plain(f"{words.whose(found.owner, found.owner_name)} on {name(found.chain)}"),
            address(found.spender, found.spender_label or ""),
            state("▲", "unlimited", "warn")
            if found.unlimited
            else words.amount(found.amount_raw, found.decimals),
            words.amount(found.takes_raw, found.decimals, cause="not computed yet"),
            words.dollars(found.takes_usd, "not known"),
            plain("–") if found.admin_kind is None else keeper(found.admin_kind),
            block(found.block_number, at, words.clock(at, zone)),
        ),
        tone="warn" if found.unlimited else "",
    )
