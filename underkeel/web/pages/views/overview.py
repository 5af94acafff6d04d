"""Overview: how deep the water is, what is firing, and what everything is worth."""

from collections.abc import Sequence
from typing import Any

from underkeel.documents.alerts import Alert
from underkeel.documents.overview import Nearest, OverviewDocument
from underkeel.documents.paging import ChainNow
from underkeel.web.pages import gauge, words
from underkeel.web.pages.cells import Column, Row, Table, link, moment, name, number, state, unknown
from underkeel.web.pages.cells import words as plain
from underkeel.web.pages.views.lines import value_text


def view(document: OverviewDocument, zone: str) -> dict[str, Any]:
    """Return what the page shows."""
    totals = document.totals
    return {
        "totals": totals,
        "worth": words.dollars(totals.equity_usd if not totals.partial else totals.priced_usd),
        "priced": totals.priced_usd != 0 or not totals.partial,
        "debt": words.dollars(totals.debt_usd, "a part has no price, or could not be read"),
        "collateral": words.dollars(totals.collateral_usd, "a part has no price, or was not read"),
        "worst": document.worst and sounding(document.worst, gauge.beds([None])[0]),
        "soundings": soundings(document.nearest),
        "contours": gauge.CONTOURS,
        "counts": document.counts,
        "alerts": [brief(alert, zone) for alert in document.alerts],
        "proposals": int(document.proposals),
        "wallets": _wallets(document),
        "chain_table": chains(document.chains, zone),
        "depths": _trend(document, "worst_health", "Least health", "ratio", zone),
        "worths": _trend(document, "equity_usd", "Worth", "usd", zone),
        "unread": [name(text, 300) for text in document.unknown],
        "unpriced": [name(text, 100) for text in totals.unpriced],
    }


def _trend(document: OverviewDocument, field: str, caption: str, unit: str, zone: str) -> Table:
    rows = []
    for point in reversed(document.trend):
        at, value = words.epoch(point.at), getattr(point, field)
        assert at is not None
        shown = unknown() if value is None else number(value_text(value, unit), value)
        rows.append(Row((moment(at, words.clock(at, zone)), shown)))
    known = any(getattr(point, field) is not None for point in document.trend)
    return Table(
        f"trend-{field.split('_')[0]}",
        f"{caption} over the last day",
        (Column("at", "Time"), Column("value", caption, number=True)),
        rows if known else [],
        "? Unknown all day: a part could not be read, or has no price."
        if document.trend
        else "Nothing has been recorded yet: this fills as blocks are read.",
        draw="lines",
        title=f"{caption} over the last day, {'1 is the edge' if unit == 'ratio' else 'USD'}",
        unit=unit,
    )


def soundings(nearest: Sequence[Nearest]) -> list[dict[str, Any]]:
    """Return each position's depth, with the ground between them joined."""
    depths = [
        None if n.health_raw is None else gauge.depth(int(n.health_raw), int(n.health_scale))
        for n in nearest
    ]
    return [sounding(n, bed) for n, bed in zip(nearest, gauge.beds(depths), strict=True)]


def sounding(found: Nearest, bed: gauge.Bed) -> dict[str, Any]:
    """Return one position as the profile and the headline show it."""
    known = found.health_raw is not None
    cell = words.health(found.health_raw, found.health_scale)
    return {
        "id": found.id,
        "href": words.page_of(found.id),
        "title": name(found.market),
        "part": words.part(found.id),
        "owner": words.whose(found.owner, found.owner_name),
        "chain": name(found.chain),
        "health": cell.text if known else "unknown",
        "exact": cell.more.get("exact", ""),
        "status": words.status(found.status),
        "known": known,
        "doubtful": found.status == "unknown",
        "aground": known and int(found.health_raw or 0) < int(found.health_scale),
        "bed": bed,
        "distance": None
        if found.distance_frac is None
        else words.percent_text(found.distance_frac, signed=True),
        "factor": name(found.factor or "a price"),
        "block": f"{int(found.block_number):,}",
        "at": int(found.timestamp),
    }


def called(alert: Alert) -> str:
    """Return an alert's title; one that is calm has none, and is called by what it watches."""
    said = alert.title or alert.text
    rest = (alert.labels.get(key, "") for key in ("protocol", "market", "asset", "wallet", "chain"))
    return name(said or " ".join(dict.fromkeys(part for part in (alert.rule, *rest) if part)), 300)


def brief(alert: Alert, zone: str) -> dict[str, Any]:
    """Return an alert as lists show it."""
    since = words.epoch(alert.since)
    assert since is not None
    return {
        "id": alert.id,
        "href": f"/alerts/{alert.id}",
        "rule": name(alert.rule),
        "title": called(alert),
        "text": name(alert.text, 300),
        "cause": name(alert.cause or "", 300),
        "severity": words.severity(alert.severity),
        "state": words.alert_state(alert.state, alert.severity),
        "since": moment(since, words.clock(since, zone)),
        "position": alert.position,
        "position_href": words.page_of(alert.position or ""),
        "chain": name(alert.chain or ""),
        "silenced": alert.silenced_by,
        "inhibited": name(alert.inhibited_by or ""),
        "acked": name(alert.acked_by or ""),
        "open": alert.state in ("firing", "unknown"),
    }


def chains(found: Sequence[ChainNow], zone: str) -> Table:
    """Return every chain, its block, and how old that is."""
    return Table(
        "chains",
        "Chains, and the block that everything of each was read at",
        (
            Column("chain", "Chain"),
            Column("status", "Status"),
            Column("block", "Block", number=True),
            Column("age", "Block's age", number=True),
            Column("read", "Last read whole"),
            Column("cause", "Cause", wide=True),
        ),
        [_chain(chain, zone) for chain in found],
        "No chain is configured.",
    )


def _chain(chain: ChainNow, zone: str) -> Row:
    at = None if chain.timestamp is None else int(chain.timestamp)
    read = words.epoch(chain.success_at)
    return Row(
        (
            plain(name(chain.name)),
            state(*words.CHAINS[chain.status]),
            unknown("no block was read")
            if chain.block_number is None
            else number(f"{int(chain.block_number):,}", int(chain.block_number)),
            unknown("no block was read")
            if at is None
            else moment(at, words.clock(at, zone), words.whole(chain.stale_after_s)),
            unknown("never") if read is None else moment(read, words.clock(read, zone)),
            plain(name(chain.cause or "", 300)),
        ),
        id=f"chain-{chain.chain_id}",
        tone="" if chain.status == "ok" else "unknown",
    )


def _wallets(document: OverviewDocument) -> Table:
    rows = []
    for wallet in document.wallets:
        worst = wallet.worst
        rows.append(
            Row(
                (
                    link(
                        words.whose(wallet.address, wallet.name),
                        f"/positions?q={wallet.address}",
                    ),
                    number(wallet.positions, int(wallet.positions)),
                    words.dollars(
                        wallet.equity_usd,
                        f"a part is unknown; {words.dollars(wallet.priced_usd).text} is priced"
                        if wallet.priced_usd
                        else "nothing of it was read, or has a price",
                    ),
                    number("–", None)
                    if worst is None
                    else words.health(worst.health_raw, worst.health_scale, "not known"),
                ),
                id=f"wallet-{wallet.address.lower()}",
            )
        )
    return Table(
        "wallets",
        "Watched wallets",
        (
            Column("wallet", "Wallet", wide=True),
            Column("positions", "Positions", number=True),
            Column("worth", "Worth, USD", number=True),
            Column("health", "Least health", number=True),
        ),
        rows,
        "No wallet is watched: underkeel wallet watch ADDRESS.",
    )
