"""`stress`: read the portfolio, play what was asked for, print it, draw it."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from risk.exposure.priors import priors, user_facts
from risk.greeks import net
from risk.market.types import Covariance
from underkeel.accounts import accounts_of, require_chains
from underkeel.cli.options import Globals
from underkeel.cli.output import (
    console,
    log_to_stderr,
    print_document,
    progress,
    say_written,
)
from underkeel.cli.reports import exit_of
from underkeel.cli.stress_tables import stress_report
from underkeel.cli.tables import headline
from underkeel.config.load import Config, load
from underkeel.config.problems import did_you_mean
from underkeel.errors import Exit, UsageError
from underkeel.exposure.run import Asked as Wanted
from underkeel.exposure.run import find
from underkeel.history.collect import histories
from underkeel.history.files import with_files
from underkeel.portfolio import Portfolio, read_portfolio
from underkeel.stress.borrowers import borrowers_of
from underkeel.stress.document import Report, stress_document
from underkeel.stress.factors import matches, names_of
from underkeel.stress.failures import failures
from underkeel.stress.grid import grid
from underkeel.stress.library import Library, library
from underkeel.stress.nodes import node_failures
from underkeel.stress.run import STEPS, STEPS_MOST, Book, Play, named
from underkeel.stress.tail import Market, Risk, at_risk, key

DAY_S: Final = 86_400
MOST_PATHS: Final = 1_000_000
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
    failures: bool = False
    borrowers: bool = False


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
    failures: bool = False,
    borrowers: bool = False,
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
        tuple(scenario), names, paths, days, steps, gas_usd, file, _vols(vol), plot, history,
        failures, borrowers,
    )  # fmt: skip


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
        say_written(options, wanted.plot)
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
    lending = borrowers_of(config, portfolio, tell) if wanted.borrowers else None
    book = Book.of(portfolio, lending)
    how = Play(wanted.steps, wanted.gas_usd)
    plain = not (wanted.scenarios or wanted.grid or wanted.paths or wanted.failures)
    names = wanted.scenarios or (tuple(known.scenarios) if plain else ())
    results = [named(book, known, name, how) for name in names]
    if plain:
        results += failures(book, how)
    if wanted.failures:
        stood = find(
            config, portfolio.accounts, Wanted(priors(), user_facts()), tell, portfolio=portfolio
        )
        results += node_failures(book, stood.exposure, stood.failed)
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
