"""`positions`, `risk` and `status`: read the portfolio, print it, choose the exit code."""

import time
from collections.abc import Sequence
from typing import Final

from underkeel.accounts import accounts_of, require_chains
from underkeel.cli.full import full_report
from underkeel.cli.options import Globals
from underkeel.cli.output import console, log_to_stderr, print_document, progress
from underkeel.cli.tables import (
    positions_report,
    risk_report,
    shock_report,
    status_report,
)
from underkeel.config.load import Config, load
from underkeel.documents.build import (
    needs_attention,
    positions_document,
    risk_document,
    status_document,
)
from underkeel.documents.scenario import shock_part
from underkeel.errors import Exit
from underkeel.portfolio import Portfolio, read_portfolio
from underkeel.shock import apply, parse_shocks

WIDE: Final = 100
"""Columns from which `positions` shows prices too."""


def show_positions(options: Globals, given: Sequence[str]) -> Exit:
    """Print everything the accounts hold."""
    config, portfolio = _read(options, given)
    if options.json:
        print_document(positions_document(portfolio, time.time()))
    else:
        screen = console(options)
        wide = screen.width >= WIDE
        screen.print(positions_report(portfolio, config.settings.timezone, wide=wide))
    return exit_of(portfolio)


def show_risk(
    options: Globals, given: Sequence[str], shocks: Sequence[str], *, full: bool = False
) -> Exit:
    """Print how far everything is from liquidation, and what shocks would do.

    `full` prints every position with all that is known; the JSON document always has it.
    """
    asked = parse_shocks(shocks)
    config, portfolio = _read(options, given)
    scenario = apply(portfolio, asked) if asked and readable(portfolio) else None
    if options.json:
        part = shock_part(scenario) if scenario else None
        print_document(risk_document(portfolio, time.time(), part))
        return exit_of(portfolio)
    screen = console(options)
    report = full_report if full else risk_report
    screen.print(report(portfolio, config.settings.timezone))
    if scenario:
        screen.print(shock_report(scenario, portfolio))
    return exit_of(portfolio)


def show_status(options: Globals, given: Sequence[str]) -> Exit:
    """Print whether all is well."""
    config, portfolio = _read(options, given)
    if options.json:
        print_document(status_document(portfolio, time.time(), config.settings.mode))
    else:
        console(options).print(status_report(portfolio, config.settings.timezone))
    code = exit_of(portfolio)
    if code is Exit.OK and needs_attention(portfolio):
        return Exit.ATTENTION
    return code


def exit_of(portfolio: Portfolio) -> Exit:
    """Return 5 when any chain's RPC failed, wholly or while it was read, else 0."""
    return Exit.CHAIN if any(chain.fault for chain in portfolio.chains) else Exit.OK


def readable(portfolio: Portfolio) -> bool:
    """Return whether any chain was read."""
    return any(chain.at is not None for chain in portfolio.chains)


def _read(options: Globals, given: Sequence[str]) -> tuple[Config, Portfolio]:
    log_to_stderr(options)
    config = load(options.config)
    require_chains(config)
    accounts = accounts_of(given, config)
    with progress(options) as tell:
        return config, read_portfolio(config, accounts, tell)
