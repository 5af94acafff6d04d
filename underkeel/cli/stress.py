"""`stress`: read the portfolio, play what was asked for, print it, draw it."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from protocols.types import Position
from risk.greeks import net
from risk.market.types import Covariance
from underkeel.accounts import accounts_of, require_chains
from underkeel.cli import format as fmt
from underkeel.cli.options import Globals
from underkeel.cli.output import console, log_to_stderr, print_document, progress
from underkeel.cli.reports import exit_of
from underkeel.cli.tables import called, headline
from underkeel.config.load import Config, load
from underkeel.config.problems import did_you_mean
from underkeel.errors import Exit, UsageError
from underkeel.history.collect import histories
from underkeel.history.files import with_files
from underkeel.plots.style import short
from underkeel.portfolio import Portfolio, read_portfolio
from underkeel.stress.document import Report, stress_document
from underkeel.stress.factors import matches, names_of
from underkeel.stress.failures import failures
from underkeel.stress.grid import Grid, grid
from underkeel.stress.library import Library, library
from underkeel.stress.run import STEPS, STEPS_MOST, Book, Play, Result, named
from underkeel.stress.tail import Market, Risk, at_risk, key, split

DAY_S: Final = 86_400
LARGEST: Final = 8
"""Positions whose part of the tail is shown."""
MOST_PATHS: Final = 1_000_000
WIDE: Final = 8
"""Columns of a table from which on it needs all of 80 columns of text."""
VOL: Final = re.compile(r"([^=\s][^=]{0,79})=\s*([0-9]{1,5}(?:\.[0-9]{1,9})?)\s*%")
YEAR_ROOT: Final = 365**0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    scenarios: tuple[str, ...] = ()
    grid: tuple[str, str] | None = None
    paths: int | None = None
    days: float = 7.0
    steps: int = STEPS
    gas_usd: float | None = None
    file: Path | None = None
    vols: tuple[tuple[str, float], ...] = ()
    """Name and daily standard deviation."""
    plot: Path | None = None
    history: Path | None = None
    """A file or folder of prices that wins over the chain's."""


def asked(
    *,
    scenario: Sequence[str],
    grid_: str | None,
    paths: int | None,
    days: float,
    steps: int,
    gas_usd: float | None,
    file: Path | None,
    vol: Sequence[str],
    plot: Path | None,
    history: Path | None = None,
) -> Asked:
    """Return what is asked for; raises `UsageError` that shows how to write it."""
    names: tuple[str, str] | None = None
    if grid_ is not None:
        given = [part.strip() for part in grid_.split(",")]
        if len(given) != 2 or not all(given):
            raise UsageError(f"--grid {grid_!r} is not two names; write --grid ETH,BTC")
        names = (given[0], given[1])
    if paths is not None and not 100 <= paths <= MOST_PATHS:
        raise UsageError(f"--paths {paths}: between 100 and {MOST_PATHS:,}")
    if not 1 <= steps <= STEPS_MOST:
        raise UsageError(f"--steps {steps}: between 1 and {STEPS_MOST:,}")
    if not 0 < days <= 365:
        raise UsageError(f"--days {days:g}: more than 0 and at most 365")
    if gas_usd is not None and not 0 <= gas_usd < 1e9:
        raise UsageError(f"--gas-usd {gas_usd:g}: dollars, not below 0")
    if plot is not None:
        from underkeel.plots import check_target

        check_target(plot)
    return Asked(
        tuple(scenario), names, paths, days, steps, gas_usd, file, _vols(vol), plot, history
    )


def _vols(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    found = []
    for text in texts:
        told = VOL.fullmatch(text.strip())
        if told is None or not 0 < float(told[2]) <= 10_000:
            raise UsageError(f"--vol {text!r} is not understood; write NAME=PERCENT%, as ETH=70%")
        found.append((told[1].strip(), float(told[2]) / 100 / YEAR_ROOT))
    return tuple(found)


def show_stress(options: Globals, given: Sequence[str], wanted: Asked) -> Exit:
    """Print what shocks would do; 5 where a chain could not be read."""
    known = library(wanted.file)
    for name in wanted.scenarios:
        known.scenario(name)
    log_to_stderr(options)
    config = with_files(load(options.config), wanted.history)
    require_chains(config)
    accounts = accounts_of(given, config)
    with progress(options) as tell:
        portfolio = read_portfolio(config, accounts, tell)
        report = played(config, portfolio, known, wanted, tell)
    if wanted.plot is not None:
        _draw(report, wanted.plot)
    if options.json:
        print_document(stress_document(report, time.time()))
    else:
        screen = console(options)
        for chain in portfolio.chains:
            screen.print(headline(chain, config.settings.timezone))
        screen.print(stress_report(report))
    return exit_of(portfolio)


def _draw(report: Report, target: Path) -> None:
    """Draw the grid where one was asked for, else the liquidation ladder."""
    if report.grid is not None:
        from underkeel.plots.grid import draw_grid

        draw_grid(report.grid, target)
    else:
        from underkeel.plots.ladder import draw_ladder

        draw_ladder(report.portfolio.assessments, target)


def played(
    config: Config,
    portfolio: Portfolio,
    known: Library,
    wanted: Asked,
    tell: Callable[[str, int, int], Any],
) -> Report:
    """Play everything that was asked for: all scenarios and failures where nothing was."""
    book = Book.of(portfolio)
    how = Play(wanted.steps, wanted.gas_usd)
    plain = not (wanted.scenarios or wanted.grid or wanted.paths)
    names = wanted.scenarios or (tuple(known.scenarios) if plain else ())
    results = [named(book, known, name, how) for name in names]
    if plain:
        results += failures(book, how)
    sigma = _sigmas(book, known, wanted)
    market: Market | None = None
    found: Risk | None = None
    if wanted.paths is not None:
        labels = {
            chain: {k.name: k.label for k in book.factors if k.chain == chain}
            for chain in book.held
        }
        past = histories(config, portfolio, labels, tell)
        market = Market.of(book, past.series, past.missing, sigma)
        found = at_risk(book, market, how, int(wanted.days * DAY_S), wanted.paths, tell)
    elif sigma:
        market = Market.of(book, {}, {}, sigma)
    return Report(
        portfolio=portfolio,
        how=how,
        results=tuple(results),
        greeks={c: net(held, _covariance(market, c, sigma)) for c, held in book.held.items()},
        factors=book.factors,
        unread=book.unread,
        grid=grid(book, known, wanted.grid, how, tell=tell) if wanted.grid else None,
        risk=found,
    )


def _sigmas(book: Book, known: Library, wanted: Asked) -> dict[str, float]:
    """Return the stated volatility of each factor that a `--vol` names."""
    sigma: dict[str, float] = {}
    for name, daily in wanted.vols:
        hits = matches(name, book.factors, known.groups)
        if not hits:
            hint = did_you_mean(name, names_of(book.factors))
            raise UsageError(f"--vol: no position hangs on a price called {name!r}; {hint}")
        sigma |= {key(k.chain, k.name): daily for k in hits}
    return sigma


def _covariance(market: Market | None, chain: str, sigma: dict[str, float]) -> Covariance | None:
    """Return one chain's covariance; only of factors that are known or stated."""
    if market is None:
        return None
    known, prefix = market.covariance, f"{chain} "
    own = [
        i
        for i, name in enumerate(known.factors)
        if name.startswith(prefix) and (name not in known.assumed or name in sigma)
    ]
    names = tuple(known.factors[i].removeprefix(prefix) for i in own)
    return Covariance(names, known.daily[own][:, own], known.method)


def stress_report(report: Report) -> RenderableType:
    """Return everything for people."""
    parts: list[RenderableType] = []
    if report.results:
        parts += [_scenarios(report.results), *_notes(report.results), Text("")]
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
