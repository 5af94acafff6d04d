"""What `stress` prints for people."""

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from protocols.types import Position
from risk.scenario.extreme import Peaks
from underkeel.cli import format as fmt
from underkeel.cli.tables import called
from underkeel.plots.style import short
from underkeel.stress.document import Report
from underkeel.stress.grid import Grid
from underkeel.stress.run import Result
from underkeel.stress.tail import Risk, beyond, split

DAY_S: Final = 86_400
LARGEST: Final = 8
"""Positions whose part of the tail is shown."""
MOST_FAILURES: Final = 15
"""Failures of shared nodes that are shown, largest loss first; the document has all."""
WIDE: Final = 8
"""Columns of a table from which on it needs all of 80 columns of text."""


def stress_report(report: Report) -> RenderableType:
    """Return everything for people."""
    parts: list[RenderableType] = []
    failing = [r for r in report.results if r.nodes]
    if played := [r for r in report.results if not r.nodes]:
        parts += [_scenarios(played), *_notes(played), Text("")]
    if failing:
        parts += [*_failures(failing), Text("")]
    if report.grid is not None:
        parts += [_grid(report.grid), Text("")]
    if report.risk is not None:
        parts += [*_risk(report, report.risk), Text("")]
    parts.append(_greeks(report))
    if report.unknown:
        parts.append(Text("\nNot in these numbers:", style="bold yellow"))
        parts += [Text(f"? {cause}") for cause in report.unknown]
    return Group(*parts)


def usd(value: float | None) -> str:
    """Return dollars for people."""
    return "unknown" if value is None else f"{value:,.0f}"


def _table(*columns: str) -> Table:
    gap = 2 if len(columns) < WIDE else 1
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False)
    table.add_column(columns[0], overflow="fold")
    for name in columns[1:]:
        table.add_column(name, justify="right", overflow="fold")  # never half a number
    return table


def _titled(title: str, table: Table) -> Group:
    return Group(Text(title, style="bold"), table)


def _scenarios(results: Sequence[Result]) -> Group:
    columns = ("scenario", "loss USD", "of all", "liquidated", "penalties", "bad debt")
    table = _table(*columns)
    for r in sorted(results, key=lambda r: -r.loss_usd):
        share = f"{r.loss_usd / r.before_usd:.0%}" if r.before_usd > 0 else "–"
        mark = " ?" if r.unknown else ""
        style = "bold red" if r.liquidated else ""
        table.add_row(
            Text(r.name + mark, style=style),
            usd(None if r.blank else r.loss_usd),
            share,
            str(r.liquidated) if r.liquidated else "–",
            usd(r.penalty_usd) if r.penalty_usd else "–",
            usd(r.bad_debt_usd) if r.bad_debt_usd else "–",
        )
    return _titled("Scenarios, liquidations included", table)


def _failures(results: Sequence[Result]) -> list[RenderableType]:
    table = _table("what fails", "loss USD", "of all", "positions")
    for r in results[:MOST_FAILURES]:
        share = f"{r.loss_usd / r.before_usd:.0%}" if r.before_usd > 0 else "–"
        hit = sum(1 for f in r.fates if f.loss_usd)
        mark = " ?" if r.unknown else ""
        name = r.name.removeprefix("fails: ") + mark
        table.add_row(name, usd(None if r.blank else r.loss_usd), share, str(hit))
    more = len(results) - MOST_FAILURES
    told = [Text(f"And {more} that take less; --json has all.", style="dim")] if more > 0 else []
    return [_titled("Failures of what positions share, each alone, whole", table), *told]


def _notes(results: Sequence[Result]) -> list[Text]:
    assumed = dict.fromkeys(m.known.shown for r in results for m in r.moved if m.assumed)
    if not assumed:
        return []
    return [Text(f"Moved as `other`, for want of a name: {', '.join(assumed)}", style="dim")]


def _grid(grid: Grid) -> Group:
    first, second = grid.names
    table = _table(first, *(f"{move:+.0%}" for move in grid.moves[1]))
    for i, move in enumerate(grid.moves[0]):
        cells = [
            short(loss) + ("*" if grid.liquidated[i][j] else "")
            for j, loss in enumerate(grid.loss_usd[i])
        ]
        table.add_row(f"{move:+.0%}", *cells)
    title = f"Loss in USD as {first} (down) and {second} (across) move"
    return _titled(f"{title}; * something is liquidated", table)


def _risk(report: Report, risk: Risk) -> list[RenderableType]:
    days = risk.horizon_s / DAY_S
    if not risk.tails:
        return [Text("Value at risk: unknown, for no position's worth is known")]
    table = _table("level", "VaR USD", "ES USD")
    for t in risk.tails:
        table.add_row(f"{t.level:.0%}", usd(t.var_usd), usd(t.es_usd))
    if isinstance(risk.peaks, Peaks):
        for b in beyond(risk.peaks):
            row = (f"{v:,.0f} ± {se:,.0f}" for v, se in ((b.var_usd, b.var_se_usd),
                                                        (b.es_usd, b.es_se_usd)))  # fmt: skip
            table.add_row(f"{100 * b.level:.6g}% fitted", *row)
    swept = _table(
        "volatility",
        *(f"{s:.0%} to one" for s in dict.fromkeys(s.toward_one for s in risk.sweep)),
    )
    for k in dict.fromkeys(s.volatility for s in risk.sweep):
        swept.add_row(f"× {k:g}", *(usd(s.tail.var_usd) for s in risk.sweep if s.volatility == k))
    whose = _table("position", "USD")
    held = [a.position for chain in report.portfolio.chains for a in chain.positions]
    names = {p.id: _named(p, report) for p in held}
    for name, part in sorted(risk.parts.items(), key=lambda row: -row[1])[:LARGEST]:
        whose.add_row(names[name], usd(part))
    told = [
        Text(_tail_told(risk.peaks)),
        Text(f"Something is liquidated on {risk.liquidated_frac:.2%} of the paths."),
        *(
            Text(f"Worst found within {w.sigmas:g} sigmas: {usd(w.loss_usd)} USD (a search).")
            for w in risk.worst
        ),
        *(
            Text(f"~ {report.label(*split(name))}: {why}", style="dim")
            for name, why in risk.assumed.items()
        ),
    ]
    return [
        _titled(f"Over {days:g} days, {risk.paths:,} paths: {risk.method}", table),
        _titled(f"Whose the ES at {risk.tails[-1].level:.0%} is, largest first", whose),
        _titled("VaR 99 % as volatilities multiply and correlations go to one", swept),
        *told,
    ]


def _tail_told(found: Peaks | str) -> str:
    if not isinstance(found, Peaks):
        return f"Beyond the paths: unknown, {found}."
    return (
        f"Beyond the paths: a Pareto tail of shape {found.shape:.2f} ± {found.shape_se:.2f} "
        f"fitted to the {found.excesses:,} worst; ± is its standard error."
    )


def _named(position: Position, report: Report) -> str:
    """Return which position this is, and whose, on one line."""
    part = " ".join(position.id.split(":")[4:])
    owner = report.portfolio.names.get(position.owner) or fmt.short(position.owner)
    return ", ".join(filter(None, (called(position), part, owner)))


def _greeks(report: Report) -> Group:
    table = _table("price", "delta", "gamma/1%", "vega/pt", "theta/day")
    for chain, found in report.greeks.items():
        for g in found.by_factor:
            table.add_row(
                report.label(chain, g.factor),
                usd(g.delta_usd),
                usd(g.gamma_usd_per_1pct),
                _small(g.vega_usd_per_volpt),
                _small(g.theta_usd_per_day),
            )
    return _titled("Greeks, USD, all positions", table)


def _small(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"
