"""What was found, for people: losses, the worst nodes, who can change what, exits, changes."""

from collections.abc import Iterator, Sequence
from math import inf

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from risk.exposure.control import AdminKind
from risk.exposure.graph import Node, NodeKind
from underkeel.cli import format as fmt
from underkeel.cli.tables import name_of
from underkeel.exposure.assemble import ChainExposure, Exposure
from underkeel.exposure.compare import Difference, Effect
from underkeel.exposure.picture import caption
from underkeel.exposure.run import Found
from underkeel.portfolio import Portfolio

TOP = 12
"""How many rows of a ranking are shown; the document has all."""
_CODE = (NodeKind.CODE, NodeKind.FORWARDER, NodeKind.ADMIN_CODE, NodeKind.TOKEN, NodeKind.ORACLE)


def report(found: Found) -> RenderableType:
    """Return everything, the most important first."""
    exposure = found.exposure
    parts: list[RenderableType] = [_summary(exposure)]
    parts += [Text(f"? {name}: {cause}", style="bold yellow") for name, cause in found.failed]
    for difference in found.differences:
        parts += [Text(""), *_difference(difference, found.portfolio)]
    parts += [Text(""), _positions(exposure, found.portfolio), Text(""), _worst(exposure)]
    for chain in exposure.chains:
        parts += [Text(""), _rulers(chain)]
    parts += list(_allowances(exposure, found.portfolio))
    parts.append(_hhi(exposure))
    unknown = exposure.unknown
    if unknown:
        parts += [
            Text(""),
            Text(f"Unknown, and counted against: {len(unknown)}", style="bold yellow"),
        ]
        parts += [Text(f"  ? {text}", style="yellow") for text in unknown[:TOP]]
        if len(unknown) > TOP:
            parts.append(Text(f"  … and {len(unknown) - TOP} more, all in --json", style="dim"))
    return Group(*parts)


def _table(title: str, *columns: str) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, title=title, title_justify="left",
                  title_style="bold")  # fmt: skip
    for i, name in enumerate(columns):
        table.add_column(name, overflow="fold", justify="left" if i == 0 else "right")
    return table


def _row(table: Table, *cells: str) -> None:
    """Add a row as it is: what tokens call themselves is no markup."""
    table.add_row(*(Text(cell) for cell in cells))


def _usd(value: float | None) -> str:
    return "unknown" if value is None else fmt.usd(value)


def _summary(exposure: Exposure) -> Text:
    losses = exposure.losses
    years = exposure.priors.horizon_years
    line = Text(f"Expected loss within {years:g} year: ", style="bold")
    line.append(f"{_usd(losses.el_usd)} USD" if losses.el_usd is not None else "unknown")
    if losses.el_usd is None:
        line.append(f", at least {fmt.usd(losses.known_usd)} USD", style="yellow")
    if losses.cover and losses.net_usd is not None:
        line.append(f"; after insurance {fmt.usd(losses.net_usd)} USD")
    line.append("\nBy stated priors, not by measurement: docs/exposure.md", style="not bold dim")
    return line


def _called(position: str, portfolio: Portfolio) -> str:
    """Return a position as the other reports call it; its id where it is no longer held."""
    for assessed in portfolio.assessments:
        if assessed.position.id == position:
            return " ".join(name_of(assessed.position, portfolio).plain.split())
    return position


def _word(kind: AdminKind) -> str:
    return kind.value.replace("eoa", "key").replace("-", " ")


def _positions(exposure: Exposure, portfolio: Portfolio) -> Table:
    columns = ("At risk USD", "Expected loss", "Exit", "Worst admin", "After")
    table = _table("Positions", "Position", *columns)
    chains = {chain.read.name: chain for chain in exposure.chains}
    for loss in exposure.losses.positions:
        chain = chains[loss.exposed.chain]
        kind, delay = chain.ruled(loss.exposed.id)
        days = [one.days for one in chain.exits[loss.exposed.id]]
        if any(d is None for d in days):
            leaves = "not all, or unknown"
        else:
            longest = max((d for d in days if d is not None), default=0.0)
            leaves = "now" if longest == 0.0 else f"about {longest:g} days"
        _row(
            table,
            _called(loss.exposed.id, portfolio),
            _usd(loss.exposed.ead_usd),
            _usd(loss.el_usd),
            leaves,
            _word(kind),
            "–" if delay is None else _duration(delay),
        )
    return table


def _worst(exposure: Exposure) -> Table:
    table = _table("Worst single failures", "What fails", "Would take USD", "Chance", "Positions")
    nodes = {
        f"{chain.read.name}/{node.id}": (node, chain.labels)
        for chain in exposure.chains
        for node in chain.graph.nodes.values()
    }
    for worst in exposure.losses.worst[:TOP]:
        what, which = caption(*nodes[worst.nodes[0]])
        more = f" and {len(worst.nodes) - 1} of the same code" if len(worst.nodes) > 1 else ""
        loss = fmt.usd(worst.loss_usd) + (" +?" if worst.unknown else "")
        _row(table, f"{what} {which}{more}", loss, f"{worst.pd:.2%}", str(len(worst.positions)))
    return table


def _rulers(chain: ChainExposure) -> Table:
    table = _table(f"Who can change what, {chain.read.name}", "Contract", "Worst", "After", "Way")
    rows = [n for n in chain.graph.nodes.values() if n.kind in _CODE and n.control is not None]
    rows.sort(key=_danger, reverse=True)
    for node in rows[: 2 * TOP]:
        assert node.control is not None
        what, which = caption(node, chain.labels)
        control = node.control
        if control.kind is AdminKind.NONE:
            continue
        after = "unknown" if control.delay_s is None else _duration(control.delay_s)
        way = control.ways[0]
        _row(table, f"{what} {which}", _word(control.kind), after,
                      f"{way.verb.value} → {fmt.short(way.end)}")  # fmt: skip
    return table


def _danger(node: Node) -> tuple[int, int]:
    assert node.control is not None
    kinds = list(AdminKind)
    return kinds.index(node.control.kind), -(node.control.delay_s or 0)


def _duration(seconds: int) -> str:
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {word}"
    return "at once" if seconds == 0 else f"{seconds} s"


def _allowances(exposure: Exposure, portfolio: Portfolio) -> Iterator[RenderableType]:
    rows = [
        (_called(position, portfolio), taking, usd)
        for chain in exposure.chains
        for position, given in chain.read.takings.items()
        for taking, usd in given
    ]
    if not rows:
        return
    table = _table("Open allowances", "Of", "Spender", "Token", "Could take", "USD")
    # what is not known may be the most
    for owner, taking, usd in sorted(rows, key=lambda r: -inf if r[2] is None else -r[2]):
        given = taking.allowance
        amount = "unknown"
        if taking.takes is not None:
            amount = fmt.amount(taking.takes, given.token.decimals)
        _row(table, owner, fmt.short(given.spender), given.token.symbol, amount, _usd(usd))
    yield Text("")
    yield table
    total = exposure.takeable_usd
    yield Text(f"All spenders together: {_usd(total)} USD", style="dim")


def _hhi(exposure: Exposure) -> Text:
    said = ", ".join(
        f"{name.replace('codehash', 'code')} {value:.2f}"
        for name, value in exposure.losses.hhi.items()
        if value is not None
    )
    return Text(f"\nConcentration (1 is all on one): {said or 'nothing'}", style="dim")


def _difference(one: Difference, portfolio: Portfolio) -> Sequence[RenderableType]:
    title = f"Changes on {one.name} from block {one.then} to {one.now}"
    if not one.changes:
        return [Text(f"{title}: none", style="bold"), *_effects(one.effects, portfolio)]
    table = _table(title, "Where", "What", "Before", "After")
    for change in one.changes:
        subject = change.subject
        _row(
            table,
            fmt.short(subject) if subject.startswith("0x") else _called(subject, portfolio),
            change.what,
            change.before,
            change.after,
        )
    return [table, *_effects(one.effects, portfolio)]


def _effects(effects: Sequence[Effect], portfolio: Portfolio) -> Iterator[RenderableType]:
    for effect in effects:
        name = _called(effect.position, portfolio)
        if effect.cause:
            yield Text(f"{name}: effect unknown: {effect.cause}", style="yellow")
        elif effect.now != effect.under_old_rules:
            told = " → ".join(
                _health(value, effect.scale)
                for value in (effect.then, effect.under_old_rules, effect.now)
            )
            yield Text(
                f"{name}: health then → now under the old rules → now: {told}",
                style="bold",
            )


def _health(value: int | None, scale: int) -> str:
    return "no debt" if value is None else f"{value / scale:.4f}"
