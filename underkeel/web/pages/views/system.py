"""System: whether the watch itself is sound."""

from typing import Any, Final

from underkeel.documents.system import SystemDocument
from underkeel.web.pages import words
from underkeel.web.pages.cells import (
    Column,
    Row,
    Table,
    address,
    moment,
    name,
    number,
    state,
    unknown,
)
from underkeel.web.pages.cells import words as plain
from underkeel.web.pages.views.overview import chains

BACKENDS: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def view(document: SystemDocument, zone: str) -> dict[str, Any]:
    """Return what the page shows."""
    monitor, store = document.monitor, document.store
    cycle, until = words.epoch(monitor.cycle_at), words.epoch(monitor.until)
    return {
        "ready": document.ready,
        "checks": Table(
            "checks",
            "What the service asks of itself",
            (Column("ok", "Verdict"), Column("name", "Check"), Column("text", "Found", wide=True)),
            [
                Row(
                    (
                        state("✔", "ok", "good") if check.ok else state("✖", "failed", "bad"),
                        plain(name(check.name)),
                        plain(name(check.text, 300)),
                    ),
                    tone="" if check.ok else "bad",
                )
                for check in document.checks
            ],
            "Nothing is asked.",
        ),
        "monitor": {
            "running": monitor.running,
            "holder": name(monitor.holder or "nobody"),
            "until": None
            if until is None
            else {"at": int(until), "text": words.clock(until, zone)},
            "cycle": None
            if cycle is None
            else {"at": int(cycle), "text": words.clock(cycle, zone)},
        },
        "mode": document.mode,
        "paused": document.paused,
        "program": document.engine_version,
        "zone": document.timezone,
        "backend": BACKENDS[store.backend],
        "schema": name(store.schema_version or "unknown"),
        "size": words.size(store.size_bytes),
        "chain_table": chains(document.chains, zone),
        "wallets": _wallets(document),
        "channels": _channels(document, zone),
        "documents": _documents(document, zone),
    }


def _wallets(document: SystemDocument) -> Table:
    return Table(
        "system-wallets",
        "Wallets of the config",
        (
            Column("name", "Name"),
            Column("address", "Address", wide=True),
            Column("kind", "Kind"),
            Column("signer", "Signed by"),
            Column("policy", "Policy"),
        ),
        [
            Row(
                (
                    plain(name(wallet.name)),
                    address(wallet.address),
                    plain(wallet.kind),
                    plain(wallet.signer or "nothing: watched only"),
                    state("✔", "written", "good")
                    if wallet.policy
                    else state("–", "none: signs nothing"),
                )
            )
            for wallet in document.wallets
        ],
        "No wallet is in the config.",
    )


def _channels(document: SystemDocument, zone: str) -> Table:
    rows = []
    for channel in document.channels:
        last = words.epoch(channel.last_at)
        rows.append(
            Row(
                (
                    plain(name(channel.name)),
                    number(channel.delivered, int(channel.delivered)),
                    number(channel.pending, int(channel.pending)),
                    number(channel.failed, int(channel.failed)),
                    unknown("never used")
                    if last is None
                    else moment(last, words.clock(last, zone)),
                    plain(name(": ".join(t for t in (channel.last, channel.detail) if t), 200)),
                ),
                tone="bad" if channel.failed != "0" else "",
            )
        )
    return Table(
        "channels",
        "Channels, and what they last answered",
        (
            Column("name", "Channel"),
            Column("delivered", "Delivered", number=True),
            Column("pending", "Waiting", number=True),
            Column("failed", "Given up", number=True),
            Column("last", "Last used"),
            Column("detail", "Answer", wide=True),
        ),
        rows,
        "No channel is configured: alerts are shown here and nowhere else.",
    )


def _documents(document: SystemDocument, zone: str) -> Table:
    rows = []
    for stored in document.store.documents:
        at = words.epoch(stored.at)
        assert at is not None
        rows.append(
            Row(
                (
                    plain(name(stored.kind)),
                    plain(name(stored.chain or "all")),
                    number("–", None)
                    if stored.block_number is None
                    else number(f"{int(stored.block_number):,}", int(stored.block_number)),
                    moment(at, words.clock(at, zone)),
                    number(f"{int(stored.version):,}", int(stored.version)),
                )
            )
        )
    return Table(
        "documents",
        "What the pages are made of",
        (
            Column("kind", "Document"),
            Column("chain", "Chain"),
            Column("block", "Block", number=True),
            Column("at", "Written"),
            Column("version", "Version", number=True),
        ),
        rows,
        "Nothing has been written yet.",
    )
