"""From a portfolio to its exposure: open each chain again at the block that was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chain.client import connect
from chain.errors import ChainError
from chain.types import Address
from risk.exposure.priors import Priors, UserFacts
from underkeel.cache import cache_folder
from underkeel.config.load import Config
from underkeel.discovery import Progress
from underkeel.errors import UsageError
from underkeel.exposure.assemble import Exposure, assemble
from underkeel.exposure.compare import Difference, compare, pinned
from underkeel.exposure.reading import Read, read_chain
from underkeel.portfolio import Open, Portfolio, read_portfolio, spec_of


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted."""

    priors: Priors
    facts: UserFacts
    diff: int | None = None
    """A block to compare with."""
    history: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it."""

    portfolio: Portfolio
    exposure: Exposure
    differences: tuple[Difference, ...]
    failed: tuple[tuple[str, str], ...]
    """Chains whose graph could not be read, and why."""


def find(
    config: Config,
    accounts: Sequence[Address],
    asked: Asked,
    progress: Progress = lambda _what, _done, _all: None,
    opener: Open = connect,
    cache: Path | None = None,
    portfolio: Portfolio | None = None,
) -> Found:
    """Read the accounts' positions, unless they were, and everything they stand on."""
    if asked.diff is not None and len(config.settings.chains) != 1:
        raise UsageError("--diff compares one chain's blocks; give a config with one chain")
    folder = cache_folder() if cache is None else cache
    portfolio = portfolio or read_portfolio(config, accounts, progress, opener, folder)
    reads: list[Read] = []
    differences: list[Difference] = []
    failed: list[tuple[str, str]] = []
    for report in portfolio.chains:
        if report.at is None:
            failed.append((report.name, report.cause))
            continue
        table = config.settings.chains[report.name]
        try:
            with opener(spec_of(report.name, table, config)) as client:
                read = read_chain(
                    client, report, folder, progress, logs=table.discover, history=asked.history
                )
                reads.append(read)
                if asked.diff is not None:
                    earlier = _earlier(config, accounts, asked.diff, progress, opener, folder)
                    differences.append(compare(earlier, read, client.snapshot(report.at)))
        except ChainError as error:
            failed.append((report.name, config.scrub(str(error))))
    whole = not (failed or portfolio.unreadable or any(c.fault for c in portfolio.chains))
    exposure = assemble(reads, asked.priors, asked.facts, whole=whole)
    return Found(portfolio, exposure, tuple(differences), tuple(failed))


def _earlier(
    config: Config,
    accounts: Sequence[Address],
    number: int,
    progress: Progress,
    opener: Open,
    folder: Path,
) -> Read:
    """Return the same reading at an earlier block."""
    then = pinned(opener, number)
    folder = folder / "then"  # what was searched up to now is not to be searched again
    (report,) = read_portfolio(config, accounts, progress, then, folder).chains
    if report.at is None:
        raise UsageError(f"block {number} of {report.name} could not be read: {report.cause}")
    table = config.settings.chains[report.name]
    with then(spec_of(report.name, table, config)) as client:
        return read_chain(client, report, folder, progress, logs=table.discover)
