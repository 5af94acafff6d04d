"""`positions`, `risk` and `status`: read the portfolio, print it, choose the exit code."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic_core import PydanticCustomError

from underkeel.accounts import accounts_of, require_chains
from underkeel.cli.full import full_report
from underkeel.cli.joint import Extras, joint_report, remedies_report
from underkeel.cli.options import Globals
from underkeel.cli.output import console, log_to_stderr, print_document, progress
from underkeel.cli.tables import (
    positions_report,
    risk_report,
    shock_report,
    status_report,
)
from underkeel.config.load import Config, load
from underkeel.config.values import seconds
from underkeel.distance.means import read_means
from underkeel.distance.remedies import Ways, parse_health, ways_of
from underkeel.documents.build import (
    needs_attention,
    positions_document,
    risk_document,
    status_document,
)
from underkeel.documents.scenario import shock_part
from underkeel.documents.study import extended
from underkeel.errors import Exit, UsageError
from underkeel.portfolio import Portfolio, read_portfolio
from underkeel.shock import apply, parse_shocks

if TYPE_CHECKING:
    from underkeel.distance.study import Study

HORIZON_S: Final = 86_400
"""Of joint distances, unless asked for otherwise."""
HORIZON_LEAST_S: Final = 3_600
HORIZON_MOST_S: Final = 90 * 86_400
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What `risk` is asked for."""

    shocks: Sequence[str] = ()
    full: bool = False
    """Print every position with all that is known; read histories."""
    horizon: str | None = None
    """Of the joint distance, such as `7d`; reads histories."""
    target_health: str | None = None
    """Say what to repay or add to reach it."""
    history: Path | None = None
    """A file or folder of prices that wins over the chain's."""


def show_risk(options: Globals, given: Sequence[str], asked: Asked) -> Exit:
    """Print how far everything is from liquidation, and what else was asked for."""
    from underkeel.distance.economic import aparts_of  # arrays, which other commands do without

    shocks = parse_shocks(asked.shocks)
    health = parse_health(asked.target_health) if asked.target_health is not None else None
    horizon_s = HORIZON_S if asked.horizon is None else parse_horizon(asked.horizon)
    config, portfolio = _read(options, given)
    if asked.history is not None:
        from underkeel.history.files import with_files  # arrays, for who asks for them

        config = with_files(config, asked.history)
    scenario = apply(portfolio, shocks) if shocks and readable(portfolio) else None
    extras = Extras(
        _study(options, config, portfolio, horizon_s) if asked.full or asked.horizon else None,
        _ways(config, portfolio, health) if health is not None else {},
        aparts_of(portfolio),
    )
    if options.json:
        part = shock_part(scenario) if scenario else None
        document = risk_document(portfolio, time.time(), part)
        print_document(extended(document, extras.study, extras.ways, extras.apart))
        return exit_of(portfolio)
    screen = console(options)
    zone = config.settings.timezone
    screen.print(
        full_report(portfolio, zone, extras) if asked.full else risk_report(portfolio, zone)
    )
    if extras.study is not None and readable(portfolio):
        screen.print(joint_report(extras.study, portfolio))
    if health is not None and readable(portfolio) and not asked.full:
        screen.print(remedies_report(extras.ways, portfolio))
    if scenario:
        screen.print(shock_report(scenario, portfolio))
    return exit_of(portfolio)


def _ways(config: Config, portfolio: Portfolio, health: Fraction) -> Mapping[str, Ways]:
    return ways_of(portfolio, health, read_means(config, portfolio))


def _study(options: Globals, config: Config, portfolio: Portfolio, horizon_s: int) -> "Study":
    from underkeel.distance.study import study  # histories and arrays, for who asks for them

    with progress(options) as tell:
        return study(config, portfolio, tell, horizon_s=horizon_s)


def parse_horizon(text: str) -> int:
    """Return a horizon such as `7d` in seconds; raises `UsageError`."""
    try:
        horizon = seconds(text)
    except PydanticCustomError:
        horizon = 0
    if not HORIZON_LEAST_S <= horizon <= HORIZON_MOST_S:
        raise UsageError(
            f"--horizon {text!r} is not a time from an hour to 90 days; write for example 7d"
        )
    return horizon


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
