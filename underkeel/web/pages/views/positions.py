"""Positions: everything the accounts hold; and one position with all that is known of it."""

from collections.abc import Sequence
from typing import Any

from underkeel.cli import format as fmt
from underkeel.documents.history import HistoryDocument
from underkeel.documents.models import Leg, Position, RiskDocument, Unknown
from underkeel.web.pages import gauge, words
from underkeel.web.pages.cells import (
    Cell,
    Column,
    Row,
    Table,
    address,
    block,
    link,
    name,
    named,
    number,
    state,
    unknown,
)
from underkeel.web.pages.cells import words as plain
from underkeel.web.pages.views.lines import lines_table

URGENT = ("liquidatable", "soft", "unknown", "safe", "not_liquidatable")


def view(document: RiskDocument, zone: str, wanted: str = "") -> dict[str, Any]:
    """Return what the page shows of the positions that hold the wanted text."""
    found = [p for p in document.positions if matches(p, wanted)]
    return {
        "wanted": wanted,
        "all": len(document.positions),
        "positions": _table(sorted(found, key=urgency), zone, len(document.positions)),
        "unread": unread(document.unknown),
        "totals": document.totals,
        "worth": words.dollars(document.totals.priced_usd)
        if document.totals.priced_usd or not document.totals.partial
        else unknown("nothing has a price"),
    }


def matches(position: Position, wanted: str) -> bool:
    """Return whether all words are somewhere in what names a position."""
    held = " ".join(
        (
            position.id,
            position.chain,
            position.protocol,
            position.market,
            position.owner_name or "",
            position.kind,
            position.liquidation.status.replace("_", " "),
            *(f"{leg.symbol} {leg.name}" for leg in position.legs),
        )
    ).casefold()
    return all(word in held for word in wanted.casefold().split())


def urgency(position: Position) -> tuple[int, float]:
    """Return a key that sorts the most urgent position first."""
    status = shown_status(position)
    raw, scale = position.liquidation.health_raw, int(position.liquidation.health_scale)
    return URGENT.index(status), float("inf") if raw is None else int(raw) / scale


def shown_status(position: Position) -> str:
    """Return the status that people are told: one with unknown parts is never calm."""
    status = position.liquidation.status
    calm = status in ("safe", "not_liquidatable")
    return "unknown" if position.unknown and calm else status


def _table(found: Sequence[Position], zone: str, total: int) -> Table:
    return Table(
        "positions",
        "Positions, the nearest to liquidation first",
        (
            Column("position", "Position", wide=True),
            Column("status", "Status"),
            Column("health", "Health", number=True),
            Column("edge", "Liquidated when"),
            Column("collateral", "Held, USD", number=True),
            Column("debt", "Debt, USD", number=True),
            Column("equity", "Equity, USD", number=True),
            Column("block", "Read at"),
        ),
        [_row(position, zone) for position in found],
        "No position has all of these words." if total else "No positions were found.",
        filtered=True,
    )


def _row(position: Position, zone: str) -> Row:
    status = shown_status(position)
    held, debt = sums(position)
    found = position.liquidation
    return Row(
        (
            title(position),
            words.status(status),
            words.health(
                found.health_raw, found.health_scale, "; ".join(found.causes or position.unknown)
            ),
            nearest(position),
            held,
            debt,
            words.dollars(position.equity_usd, "a part has no price"),
            read_at(position, zone),
        ),
        id=f"position-{position.id}",
        tone={"liquidatable": "bad", "soft": "bad", "unknown": "unknown"}.get(status, ""),
    )


def title(position: Position) -> Cell:
    """Return a link to a position, and whose it is."""
    text = f"{name(position.market)} {words.part(position.id)}".strip()
    below = words.beside(
        position.protocol, position.owner, position.owner_name, name(position.chain)
    )
    return link(text, words.page_of(position.id), below)


def sums(position: Position) -> tuple[Cell, Cell]:
    """Return what is held and what is owed, each unknown as soon as a part of it is."""
    both = []
    for debt in (False, True):
        legs = [
            leg.value_usd
            for leg in position.legs
            if (leg.side == "debt") is debt and leg.side != "reward"
        ]
        if not legs:
            both.append(number("–", 0.0))
        elif any(value is None for value in legs):
            both.append(unknown("a part has no price"))
        else:
            both.append(words.dollars(sum(value or 0 for value in legs)))
    return both[0], both[1]


def nearest(position: Position) -> Cell:
    """Return the nearest liquidation price and how far it is; where safety begins if past it."""
    found = position.liquidation
    if not found.boundary:
        return plain("–" if found.health_raw is None else "no single price")
    near = found.boundary[0]
    if found.status == "liquidatable":
        back = next((b for b in found.boundary if b.direction == "down"), near)
        return Cell("now", "edge", 0.0, {"below": words.way_back(back)})
    return Cell(words.edge(near), "edge", abs(near.distance_frac), {"below": words.distance(near)})


def read_at(position: Position, zone: str) -> Cell:
    """Return the block that a position was read at, with its age."""
    known = position.provenance
    at = int(known.timestamp)
    return block(known.block_number, at, words.clock(at, zone))


def unread(found: Sequence[Unknown]) -> Table:
    """Return what could not be read at all."""
    return Table(
        "unread",
        "What could not be read: unknown, not nought",
        (
            Column("what", "What"),
            Column("whose", "Whose"),
            Column("chain", "Chain"),
            Column("cause", "Cause", wide=True),
        ),
        [
            Row(
                (
                    named("the whole chain" if u.protocol is None else f"{u.protocol} {u.market}"),
                    plain("every account") if u.owner is None else address(u.owner),
                    named(u.chain),
                    plain(name(u.cause, 300)),
                ),
                tone="unknown",
            )
            for u in found
        ],
        "Everything could be read.",
    )


def one(position: Position, history: HistoryDocument, zone: str) -> dict[str, Any]:
    """Return what the page of one position shows."""
    found = position.liquidation
    raw, scale = found.health_raw, found.health_scale
    known = None if raw is None else gauge.depth(int(raw), int(scale))
    return {
        "position": position,
        "heading": name(position.market),
        "part": words.part(position.id),
        "owner": words.whose(position.owner, position.owner_name),
        "chain": name(position.chain),
        "status": words.status(shown_status(position)),
        "health": words.health(raw, scale, "; ".join(found.causes)),
        "bed": gauge.beds([known])[0],
        "known": known is not None,
        "aground": known is not None and known < 0,
        "contours": gauge.CONTOURS,
        "equity": words.dollars(position.equity_usd, "a part has no price"),
        "time": words.seconds(found.time_to_liq_s, exact=found.time_exact),
        "read": read_at(position, zone),
        "legs": _legs(position),
        "edges": _edges(position),
        "doubts": [name(text, 300) for text in (*found.causes, *position.unknown)],
        "blocked": [name(text, 300) for text in found.blocked_by],
        "notes": [name(text, 300) for text in position.notes],
        "facts": _facts(position),
        "allowances": _allowances(position),
        "history": lines_table(
            history,
            zone,
            id="health-history",
            caption="Health over the last day",
            empty="Nothing has been recorded yet: this fills as blocks are read.",
            names={position.id: "health"},
        ),
    }


def _legs(position: Position) -> Table:
    return Table(
        "legs",
        "What it is made of",
        (
            Column("asset", "Asset", wide=True),
            Column("side", "Side"),
            Column("amount", "Amount", number=True),
            Column("price", "Price", number=True),
            Column("age", "Price's age at the block"),
            Column("value", "USD", number=True),
        ),
        [_leg(leg) for leg in position.legs],
        "It holds nothing.",
    )


def _leg(leg: Leg) -> Row:
    problems = "; ".join(leg.price_problems)
    price = unknown(problems or "no price")
    if leg.price_raw is not None and leg.price_decimals is not None:
        text = fmt.price(int(leg.price_raw), int(leg.price_decimals))
        price = Cell(
            f"{text} {name(leg.price_quote or '', 12)}".strip(),
            "note" if problems else "number",
            float(leg.price_raw) / 10 ** int(leg.price_decimals),
            {"note": name(problems, 300)},
        )
    return Row(
        (
            address(leg.asset, f"{leg.symbol} {leg.name}".strip()),
            plain(leg.side),
            words.amount(leg.amount_raw, leg.decimals, -1 if leg.side == "debt" else 1),
            price,
            words.seconds(leg.price_age_s, none="not told"),
            words.dollars(leg.value_usd, problems or "no price"),
        )
    )


def _edges(position: Position) -> Table:
    return Table(
        "edges",
        "Where one price alone liquidates it, the nearest first",
        (
            Column("factor", "Price", wide=True),
            Column("at", "Liquidated at"),
            Column("safe", "Still safe at", number=True),
            Column("now", "Now", number=True),
            Column("distance", "Distance", number=True),
        ),
        [
            Row(
                (
                    address(found.factor, found.label),
                    plain(words.edge(found)),
                    number(
                        fmt.price(
                            int(found.safe_price_raw),
                            int(found.decimals),
                            up=found.direction == "down",
                        ),
                        None,
                    ),
                    number(fmt.price(int(found.current_raw), int(found.decimals)), None),
                    number(words.distance(found), abs(found.distance_frac)),
                )
            )
            for found in position.liquidation.boundary
        ],
        "No single price liquidates it.",
    )


def _facts(position: Position) -> Table:
    held = position.facts.model_dump() if position.facts is not None else {}
    rows = []
    for key, value in held.items():
        if isinstance(value, list | dict):
            continue
        cell = unknown("the contract does not tell") if value is None else named(str(value))
        rows.append(Row((plain(key.replace("_", " ")), cell)))
    return Table(
        "facts",
        "What its protocol tells besides",
        (Column("what", "What"), Column("value", "Value", wide=True)),
        rows,
        "Nothing besides.",
    )


def _allowances(position: Position) -> Table:
    return Table(
        "allowances",
        "Who may take tokens from this owner",
        (
            Column("asset", "Asset"),
            Column("spender", "Spender", wide=True),
            Column("amount", "May take", number=True),
        ),
        [
            Row(
                (
                    address(given.asset, given.symbol),
                    address(given.spender),
                    state("▲", "unlimited", "warn")
                    if given.unlimited
                    else words.amount(given.amount_raw, given.decimals),
                )
            )
            for given in position.allowances
        ],
        "Nobody.",
    )
