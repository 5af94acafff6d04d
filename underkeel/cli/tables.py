"""Tables for people, in 80 columns and without a terminal as well."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import isclose

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Leg, Position, Side, Unpriced
from risk.liquidation.engine import Seizure
from risk.types import Assessment, Boundary, Direction, Status
from underkeel.cli import format as fmt
from underkeel.documents.build import portfolio_totals, unknowns
from underkeel.portfolio import ChainReport, Portfolio
from underkeel.shock import Scenario
from underkeel.valuation import Valuation

SAME = 1e-6
"""Distances that differ by less, as fractions, are shown as the same."""
SIDES = {
    Side.ASSET: "",
    Side.COLLATERAL: "collateral",
    Side.DEBT: "debt",
    Side.REWARD: "reward, not counted",
    Side.FEE: "fees",
}


def positions_report(portfolio: Portfolio, zone: str, *, wide: bool = False) -> RenderableType:
    """Return every position with its legs; `wide` with the price of each and its age."""
    return report(portfolio, zone, partial(_legs_table, wide=wide))


def risk_report(portfolio: Portfolio, zone: str) -> RenderableType:
    """Return every position with its distance from liquidation."""
    return report(portfolio, zone, _risk_table)


def report(
    portfolio: Portfolio,
    zone: str,
    table: Callable[[ChainReport, Portfolio], RenderableType],
    *,
    notes: bool = True,
) -> RenderableType:
    """Return each chain's headline and table, what was not read, and what all is worth.

    `notes` about single positions come below, unless the table has them.
    """
    parts: list[RenderableType] = []
    for chain in portfolio.chains:
        parts.append(headline(chain, zone))
        if chain.positions:
            parts.append(table(chain, portfolio))
        elif chain.fault is None:
            parts.append(Text("  no positions found"))
    below = _notes(portfolio) if notes else ()
    return Group(*parts, *below, *_unread(portfolio), worth_line(portfolio))


def headline(chain: ChainReport, zone: str) -> Text:
    """Return the chain, its block and how old that is."""
    line = Text(f"{chain.name} (chain {chain.chain_id})", style="bold")
    at = chain.at
    if at is None:
        word = "stale" if chain.fault == "stale" else "down"
        return line.append(f" · ? {word.upper()}: {chain.cause}", style="bold yellow")
    line.append(
        f" · block {at.number:,} {at.hash[:10]}… · {fmt.age(chain.age_s)}", style="not bold"
    )
    return line.append(f"\n{fmt.local_time(at.timestamp, zone)}", style="not bold dim")


def worth_line(portfolio: Portfolio) -> Text:
    """Return what everything is worth; says so when that is not everything."""
    sums = portfolio_totals(portfolio)
    line = Text("Worth ", style="bold")
    if sums.partial and not sums.priced_usd:
        line.append("unknown: ", style="bold yellow")  # not zero
    else:
        line.append(f"{fmt.usd(sums.priced_usd)} USD")
        line.append(" — partial: " if sums.partial else "", style="bold yellow")
    if sums.partial:
        missing = len(sums.unpriced) + len(unknowns(portfolio))
        parts = "1 part has" if missing == 1 else f"{missing} parts have"
        line.append(f"{parts} no price, or could not be read", style="yellow")
    return line


def called(position: Position) -> str:
    """Return the protocol and the market, once where they are one name."""
    if position.market == position.protocol:
        return position.protocol
    return f"{position.protocol} {position.market}"


def name_of(position: Position, portfolio: Portfolio) -> Text:
    """Return which position this is."""
    owner = portfolio.names.get(position.owner)
    text = Text(called(position), style="bold")
    part = position.id.split(":")[4:]
    if part:
        text.append(f" #{part[0] if len(part[0]) < 14 else fmt.short(part[0])}")
    label = f"{owner} " if owner else ""
    return text.append(f"\n{label}{fmt.short(position.owner)}", style="not bold dim")


def shown_status(assessed: Assessment) -> Status:
    """Return the status as people are told it: a position with unknown parts is never calm."""
    status = assessed.liquidation.status
    calm = status in (Status.SAFE, Status.NOT_LIQUIDATABLE)
    return Status.UNKNOWN if assessed.position.unknown and calm else status


def verdict(assessed: Assessment) -> Text:
    """Return the status as icon and word."""
    icon, word, style = fmt.WORDS[shown_status(assessed)]
    return Text(f"{icon} {word}", style=style)


def _risk_table(chain: ChainReport, portfolio: Portfolio) -> Table:
    table = grid_table()
    table.add_column("Position", ratio=1)
    table.add_column("Status", no_wrap=True)
    table.add_column("Health", justify="right", no_wrap=True)
    table.add_column("Liquidated when", ratio=1)
    table.add_column("By interest", no_wrap=True)
    for assessed in sorted(chain.positions, key=urgency):
        found = assessed.liquidation
        table.add_row(
            name_of(assessed.position, portfolio),
            verdict(assessed),
            fmt.health(found),
            _nearest(assessed),
            time_text(assessed),
        )
    return table


def _legs_table(chain: ChainReport, portfolio: Portfolio, *, wide: bool) -> Table:
    assert chain.valuation is not None  # a chain with positions was read
    table = grid_table()
    table.add_column("Position", ratio=6)
    table.add_column("Amount", justify="right", overflow="fold")
    table.add_column("Asset", ratio=5)
    if wide:
        table.add_column("Price", justify="right", ratio=5)
    table.add_column("USD", justify="right", no_wrap=True)
    table.add_column("Health", no_wrap=True)
    gap = ("",) if wide else ()
    for assessed in chain.positions:
        position = assessed.position
        judged = verdict(assessed)
        if assessed.liquidation.health_raw is not None:
            judged = Text(f"{fmt.health(assessed.liquidation)}\n").append_text(judged)
        for i, leg in enumerate(position.legs):
            table.add_row(
                name_of(position, portfolio) if i == 0 else Text(""),
                *_leg(leg, chain.valuation, wide=wide),
                judged if i == 0 else Text(""),
            )
        if not position.legs:
            table.add_row(name_of(position, portfolio), "", "", *gap, "", judged)
        if len(position.legs) > 1:
            worth = Text(fmt.usd(assessed.equity_usd), style="bold")
            table.add_row("", "", Text("equity", style="bold"), *gap, worth, "")
        table.add_section()
    return table


def grid_table() -> Table:
    """Return an empty table as all reports have it."""
    return Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1), pad_edge=False)


def _leg(leg: Leg, valuation: Valuation, *, wide: bool) -> tuple[Text, ...]:
    debt = leg.side is Side.DEBT
    style = "red" if debt else ""
    what = " ".join(dict.fromkeys(part for part in (leg.name, SIDES[leg.side]) if part))
    symbol = Text(leg.token.symbol).append(f" {what}" if what else "", style="dim")
    value = valuation.usd(leg)
    return (
        Text(fmt.amount(leg.amount, leg.token.decimals, -1 if debt else 1), style=style),
        symbol,
        *((_price(leg, valuation),) if wide else ()),
        Text(fmt.usd(value), style=style if value is not None else "yellow"),
    )


def _price(leg: Leg, valuation: Valuation) -> Text:
    """Return the price that a leg is valued at, and how old it was at the block."""
    price = valuation.price(leg)
    if isinstance(price, Unpriced):
        return Text("none", style="yellow")
    text = Text(fmt.price(price.raw, price.decimals))
    if price.updated_at is None:
        return text.append("\nage not told", style="dim")
    return text.append(f"\n{fmt.age(valuation.at.timestamp - price.updated_at)}", style="dim")


def urgency(assessed: Assessment) -> tuple[int, float]:
    """Return a key that sorts the most urgent position first."""
    order = [Status.LIQUIDATABLE, Status.SOFT, Status.UNKNOWN, Status.SAFE, Status.NOT_LIQUIDATABLE]
    found = assessed.liquidation
    level = float("inf") if found.health_raw is None else found.health_raw / found.health_scale
    return order.index(shown_status(assessed)), level


def _nearest(assessed: Assessment) -> Text:
    """Return the nearest liquidation price and how far it is; where safety begins if past it."""
    found = assessed.liquidation
    if not found.boundary:
        return Text("–" if found.health_raw is None else "no single price")
    if found.status is Status.LIQUIDATABLE:
        way = [b for b in found.boundary if b.direction is Direction.DOWN] or found.boundary
        back = named(assessed, way)
        below = back.direction is Direction.DOWN
        sign = "≥" if below else "≤"
        safe = fmt.price(back.safe_price_raw, back.decimals, up=below)
        move = fmt.percent(back.safe_price_raw - back.current_raw, back.current_raw)
        return Text(f"now; safe if\n{_label(back)} {sign} {safe}\n").append(move, style="bold")
    near = named(assessed, found.boundary)
    below = near.direction is Direction.DOWN
    sign = "≤" if below else "≥"
    text = Text(f"{_label(near)} {sign} {fmt.price(near.price_raw, near.decimals, up=below)}")
    about = "" if near.exact else "about "
    return text.append(f"\n{about}{fmt.distance(near)}", style="bold")


def named(assessed: Assessment, boundaries: Sequence[Boundary]) -> Boundary:
    """Return the nearest boundary; of those at about its distance, a feed before what it moves.

    An oracle made of feeds and one of those feeds reach the edge together but for their rounding,
    which would let now the one and now the other name the same edge.
    """
    near, state = boundaries[0], assessed.position.state
    oracle = state.oracle if isinstance(state, MorphoPosition) else None
    if oracle is None or near.factor != oracle.address:
        return near
    return next(
        (
            b
            for b in boundaries[1:]
            if b.direction is near.direction
            and isclose(b.distance_frac, near.distance_frac, rel_tol=SAME, abs_tol=SAME)
        ),
        near,
    )


def _label(boundary: Boundary) -> str:
    return boundary.label or fmt.short(boundary.factor)


def time_text(assessed: Assessment) -> str:
    """Return when interest alone makes a position liquidatable."""
    found = assessed.liquidation
    if found.health_raw is None:
        return "–"
    if found.time_to_liq_s is None:
        return "not in sight"
    about = "" if found.time_exact or found.time_to_liq_s == 0 else "about "
    return about + fmt.duration(found.time_to_liq_s)


def _notes(portfolio: Portfolio) -> Iterable[Text]:
    """Yield what one should know of single positions: doubts, causes, blocks."""
    for assessed in portfolio.assessments:
        position, found = assessed.position, assessed.liquidation
        doubts = dict.fromkeys((*found.causes, *position.unknown))
        if not position.verified:
            doubts = dict.fromkeys(("unverified", *doubts, *position.notes))
        name = f"{called(position)} {fmt.short(position.owner)}"
        if doubts:
            yield Text(f"? {name}: {fmt.lines(list(doubts))}", style="yellow")
        if found.status is Status.LIQUIDATABLE and found.blocked_by:
            yield Text(f"! {name}: liquidation is blocked by {fmt.lines(found.blocked_by)}")
        if position.verified and position.notes:
            yield Text(f"· {name}: {fmt.lines(position.notes)}", style="dim")
        unlimited = Counter(a.token.symbol for a in position.allowances if a.unlimited)
        if unlimited:
            given = ", ".join(f"{symbol} × {n}" for symbol, n in unlimited.items())
            yield Text(f"! {name}: unlimited allowances: {given}")


def _unread(portfolio: Portfolio) -> Iterable[Text]:
    for part in unknowns(portfolio):
        if part.protocol is None:
            continue  # its headline says so
        whose = fmt.short(part.owner) if part.owner else "every account"
        yield Text(
            f"? {part.chain}: {part.protocol} {part.market} is UNKNOWN for {whose}: {part.cause}",
            style="bold yellow",
        )


def shock_report(scenario: Scenario, portfolio: Portfolio) -> RenderableType:
    """Return what a shock does: before → after, and what a liquidator would take."""
    parts: list[RenderableType] = [Text("")]
    for moved in scenario.moved:
        factor = moved.factor
        was, now = (fmt.price(raw, factor.decimals) for raw in (factor.raw, moved.to_raw))
        label = factor.label or fmt.short(factor.name)
        head = Text(f"Shock {moved.shock.text}", style="bold")
        parts.append(head.append(f" · {moved.chain} · {label} {was} → {now}", style="not bold"))
    table = grid_table()
    table.add_column("Position", ratio=6)
    table.add_column("Health", ratio=6)
    table.add_column("After the shock", ratio=6)
    table.add_column("A liquidator would take", ratio=8)
    for outcome in scenario.outcomes:
        icon, word, style = fmt.WORDS[outcome.after.status]
        table.add_row(
            name_of(outcome.position, portfolio),
            f"{fmt.health(outcome.before)} → {fmt.health(outcome.after)}",
            Text(f"{icon} {word}", style=style).append(
                "\nby this shock" if outcome.becomes_liquidatable else "", style="not bold"
            ),
            Text(take_text(outcome.position, outcome.seizure, outcome.profit_usd)),
        )
    return Group(*parts, table)


def take_text(position: Position, seizure: Seizure | None, profit: float | None) -> str:
    """Return a liquidation in words."""
    if seizure is None:
        return "–"
    tokens = {leg.token.address: leg.token for leg in position.legs}
    debt, collateral = tokens[seizure.debt], tokens[seizure.collateral]
    seized = fmt.amount(seizure.seized, collateral.decimals)
    repaid = fmt.amount(seizure.repaid, debt.decimals)
    gain = "" if profit is None else f", gaining {fmt.usd(profit)} USD"
    return f"{seized} {collateral.symbol} for {repaid} {debt.symbol}{gain}"


def status_report(portfolio: Portfolio, zone: str) -> RenderableType:
    """Return one line per chain, the counts, and each position that can be liquidated."""
    parts: list[RenderableType] = [headline(chain, zone) for chain in portfolio.chains]
    counts = Counter(shown_status(assessed) for assessed in portfolio.assessments)
    listed = [f"{fmt.WORDS[s][0]} {n} {fmt.WORDS[s][1]}" for s, n in sorted(counts.items())]
    none = "none known" if portfolio_totals(portfolio).partial else "none"
    parts.append(Text("Positions: " + (", ".join(listed) or none)))
    for assessed in sorted(portfolio.assessments, key=urgency):
        if assessed.liquidation.status in (Status.LIQUIDATABLE, Status.SOFT):
            name = " ".join(name_of(assessed.position, portfolio).plain.split())
            line = verdict(assessed).append(f" {name}, health ", style="not bold")
            parts.append(line.append(fmt.health(assessed.liquidation), style="not bold"))
    return Group(*parts, *_notes(portfolio), *_unread(portfolio), worth_line(portfolio))
