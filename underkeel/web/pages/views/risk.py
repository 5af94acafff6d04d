"""Risk: which price liquidates what, how likely, and what two prices do together."""

from collections.abc import Sequence
from typing import Any

from underkeel.documents.ladder import HeatMap, LadderCurve, LadderDocument, LadderPosition
from underkeel.web.pages import gauge, words
from underkeel.web.pages.cells import Cell, Column, Row, Table, link, name, number, unknown
from underkeel.web.pages.cells import words as plain

RUNG = 200.0
"""How long a rung is that a price must fall to nought to reach."""


def view(document: LadderDocument | None, zone: str) -> dict[str, Any]:
    """Return what the page shows; without a study, that there is none yet."""
    if document is None:
        return {"studied": None}
    at = words.epoch(document.generated_at)
    assert at is not None
    return {
        "studied": {"at": int(at), "text": words.clock(at, zone)},
        "blocks": [
            {
                "chain": name(chain.name),
                "block": None if chain.block_number is None else f"{int(chain.block_number):,}",
                "at": None if chain.timestamp is None else int(chain.timestamp),
                "cause": name(chain.cause or "", 300),
            }
            for chain in document.chains
        ],
        "ladder": ladder(document),
        "heat": None if document.heat is None else heat(document.heat),
        "heat_text": None if document.heat is None else heat_text(document.heat),
        "heat_cause": name(document.heat_cause or "", 300),
        "equity_cause": name((document.heat and document.heat.equity_cause) or "", 300),
        "left_out_health": None
        if document.left_out_health is None
        else words.ratio(document.left_out_health),
        "chances": chances(document.positions),
        "sliders": [slider(document, i, f.name) for i, f in enumerate(document.factors)],
        "left_out": int(document.left_out),
        "unknown": [name(text, 300) for text in document.unknown],
    }


def called(position: LadderPosition) -> Cell:
    """Return a link to a position, and whose it is."""
    text = f"{name(position.market)} {words.part(position.id)}".strip()
    below = words.beside(
        position.protocol, position.owner, position.owner_name, name(position.chain)
    )
    return link(text, words.page_of(position.id), below)


def ladder(document: LadderDocument) -> Table:
    """Return every liquidation price of every factor, the nearest first."""
    rungs = [
        (position, curve)
        for position in document.positions
        for curve in position.curves
        if curve.boundary is not None or curve.cause
    ]
    rungs.sort(key=lambda rung: _far(rung[1]))
    return Table(
        "ladder",
        "Liquidation prices, the nearest rung first",
        (
            Column("factor", "If the price of"),
            Column("distance", "moves by", number=True),
            Column("rung", "Distance drawn"),
            Column("edge", "Liquidated when"),
            Column("position", "Position", wide=True),
            Column("debt", "Debt, USD", number=True),
        ),
        [_rung(position, curve) for position, curve in rungs],
        "No position has a debt: there is nothing to liquidate.",
    )


def _far(curve: LadderCurve) -> float:
    return float("inf") if curve.boundary is None else abs(curve.boundary.distance_frac)


def _rung(position: LadderPosition, curve: LadderCurve) -> Row:
    edge = curve.boundary
    if edge is None:
        why = unknown(curve.cause or "not known")
        cells: tuple[Cell, ...] = (why, Cell("", "text"), why)
        tone = "unknown"
    else:
        past = position.status == "liquidatable"
        far = abs(edge.distance_frac)
        cells = (
            number("now" if past else words.distance(edge), far),
            Cell(
                "",
                "rung",
                far,
                {"width": 2.0 if past else rung(far), "up": edge.direction == "up"},
            ),
            plain(words.edge(edge)),
        )
        tone = "bad" if past else "warn" if far < 0.1 else ""
    return Row(
        (
            plain(name(curve.factor)),
            *cells,
            called(position),
            words.dollars(position.debt_usd, "a debt has no price"),
        ),
        tone=tone,
    )


def rung(far: float) -> float:
    """Return how long a rung is drawn: steep near, so that a hair's breadth is seen."""
    return round(float(min(1.0, max(far, 0.0001) ** 0.5)) * RUNG, 1)


def heat(found: HeatMap) -> Table:
    """Return two factors against each other, a row for each cell: the drawing's twin."""
    rows = []
    for j, y in enumerate(found.y_steps):
        for i, x in enumerate(found.x_steps):
            worst = found.worst[j][i]
            rows.append(
                Row(
                    (
                        number(words.percent_text(x, 0, signed=True), x),
                        number(words.percent_text(y, 0, signed=True), y),
                        number("–", None) if worst is None else number(words.ratio(worst), worst),
                        number(str(found.liquidatable[j][i]), found.liquidatable[j][i]),
                        number(str(found.unknown[j][i]), found.unknown[j][i]),
                        words.dollars(found.equity_usd[j][i], "a part is not known"),
                    ),
                    tone="bad" if found.liquidatable[j][i] else "",
                )
            )
    return Table(
        "heat",
        f"{name(found.x, 16)} and {name(found.y, 16)} moved together",
        (
            Column("x", f"{name(found.x, 16)} moves", number=True),
            Column("y", f"{name(found.y, 16)} moves", number=True),
            Column("worst", "Least health", number=True),
            Column("liquidatable", "Positions past the edge", number=True),
            Column("unknown", "Positions unknown", number=True),
            Column("equity", "Equity, USD", number=True),
        ),
        rows,
        "No two prices to move.",
        draw="heat",
        title=f"Least health as {name(found.x, 16)} and {name(found.y, 16)} move",
    )


def heat_text(found: HeatMap) -> str:
    """Return what the heat map says, in a sentence."""
    cells = [count for row in found.liquidatable for count in row]
    past = sum(1 for count in cells if count)
    both = f"{name(found.x, 16)} and {name(found.y, 16)}"
    return (
        f"Of {len(cells)} joint moves of {both}, {past} take at least one of "
        f"{found.positions} positions past its edge, {max(cells, default=0)} at most; "
        "the number in a cell counts them."
    )


def chances(found: Sequence[LadderPosition]) -> Table:
    """Return how likely each position is liquidated, by horizon."""
    rows = []
    for position in found:
        if not position.chances:
            cause = unknown(position.chances_cause or "not computed")
            rows.append(Row((called(position), number("–", None), cause, cause, plain("–"))))
        for chance in position.chances:
            known = chance.p is not None and chance.ci_lo is not None and chance.ci_hi is not None
            rows.append(
                Row(
                    (
                        called(position),
                        words.seconds(chance.horizon_s),
                        words.percent(chance.p, 2, cause=chance.cause or "not known"),
                        number(
                            f"{words.percent_text(chance.ci_lo or 0)} to "
                            f"{words.percent_text(chance.ci_hi or 0)}",
                            chance.ci_hi,
                        )
                        if known
                        else number("–", None),
                        plain(name(chance.method)),
                    )
                )
            )
    return Table(
        "chances",
        "The chance of being liquidated, by simulation",
        (
            Column("position", "Position", wide=True),
            Column("horizon", "Within", number=True),
            Column("p", "Chance", number=True),
            Column("ci", "95 % of its own noise", number=True),
            Column("method", "Method"),
        ),
        rows,
        "No position has a debt.",
    )


def slider(document: LadderDocument, index: int, factor: str) -> dict[str, Any]:
    """Return every position's health at every step of one factor."""
    steps = document.steps
    rows = []
    for position in document.positions:
        curve = next((c for c in position.curves if c.factor == factor), None)
        if curve is None:
            continue
        rows.append(
            Row(
                (
                    called(position),
                    *(_at(curve, i) for i in range(len(steps))),
                )
            )
        )
    return {
        "factor": name(factor, 16),
        "start": min(range(len(steps)), key=lambda i: abs(steps[i]), default=0),
        "steps": [words.percent_text(step, 0, signed=True) for step in steps],
        "table": Table(
            f"shock-{index}",
            f"Health as {name(factor, 16)} moves, everything else as now",
            (
                Column("position", "Position", wide=True),
                *(
                    Column(f"s{i}", words.percent_text(step, 0, signed=True), number=True)
                    for i, step in enumerate(steps)
                ),
            ),
            rows,
            "It moves no position with a debt.",
        ),
    }


def _at(curve: LadderCurve, i: int) -> Cell:
    health, status = curve.health[i], curve.status[i]
    if health is None:
        return unknown(curve.cause or "not known") if status == "unknown" else number("–", None)
    past = status in ("liquidatable", "soft")
    depth = gauge.depth(round(min(health, 1e6) * 10**9), 10**9)
    return Cell(
        words.ratio(health),
        "health",
        health,
        {"bar": gauge.bar(depth if past == (depth < 0) else -gauge.LEAST), "past": past},
    )
