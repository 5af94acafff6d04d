"""Histories of every factor that is asked for, each from its file, else from its chain.

All feeds of a chain are read in step, at the block its positions were read at. What cannot be had
is in `missing` with the cause: whoever needs it widens or says unknown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from chain.calls import ReadFailed, Reads, gather
from chain.client import connect
from chain.errors import ChainError
from chain.networks import by_id
from chain.types import Address, BlockRef
from protocols.prices import expr
from protocols.prices.pools import read_observations
from risk.market.types import DAY_S, PriceSeries
from underkeel.cache import cache_folder
from underkeel.config.load import Config
from underkeel.discovery import Progress
from underkeel.history.files import file_for, read_file
from underkeel.history.rounds import Depth, Past, Share, read_past
from underkeel.history.sources import NoHistory, combined, needed, read_behind
from underkeel.history.store import Store
from underkeel.portfolio import ChainReport, Open, Portfolio, spec_of

Key = tuple[str, str]
"""The chain's name in the config, and the factor."""
Wanted = Mapping[str, Mapping[str, str]]
"""Per chain the factors, as `Price.factor`, and the label of each, or nothing."""

FINALITY_S: Final = 3_600
"""Of chains we know nothing of."""


@dataclass(frozen=True, slots=True)
class Histories:
    """What could be learned of the past."""

    series: Mapping[Key, PriceSeries] = field(default_factory=dict)
    missing: Mapping[Key, str] = field(default_factory=dict)
    """Factors without one, and why."""

    def of(self, chain: str) -> tuple[PriceSeries, ...]:
        """Return the histories of one chain's factors."""
        return tuple(one for (name, _), one in self.series.items() if name == chain)


@dataclass(frozen=True, slots=True)
class Reader:
    """One chain, and how far back to read it."""

    at: BlockRef
    depth: Depth
    store: Store

    @classmethod
    def of(cls, config: Config, at: BlockRef, cache: Path | None = None) -> "Reader":
        """Return how the config has it."""
        asked, network = config.settings.history, by_id(at.chain_id)
        depth = Depth(
            since=at.timestamp - asked.days * DAY_S,
            most=asked.rounds,
            settled=at.timestamp - (network.finality_s if network else FINALITY_S),
        )
        return cls(at, depth, Store(cache_folder() if cache is None else cache, at.chain_id))

    def past(self, feed: Address, tell: Share = lambda _share: None) -> Reads[Past]:
        """Return one feed's rounds."""
        return read_past(feed, self.depth, self.store, tell)

    def primitive(self, primitive: expr.Primitive, tell: Share) -> Reads[PriceSeries]:
        """Return the history of what one expression is made of; raises `ReadFailed`."""
        if isinstance(primitive, expr.Twap):
            return (yield from self._pool(primitive))
        if isinstance(primitive, expr.Ratio):
            raise ReadFailed("a share price has no history on chain")
        behind = yield from read_behind(primitive.address)
        parts: dict[expr.Primitive, PriceSeries] = {}
        for i, (feed, decimals) in enumerate(zip(behind.feeds, behind.decimals, strict=True)):
            past = yield from self.past(feed, part_of(tell, i, len(behind.feeds)))
            source = "rounds" if past.whole else f"rounds, the latest {len(past.rounds)}"
            one = past.series(feed, "", decimals)
            parts[expr.Feed(feed)] = PriceSeries(feed, "", one.times, one.prices, source)
        names = tuple(parts)
        whole = names[0] if len(names) == 1 else expr.Product(names)
        return combined(primitive.address, "", whole, parts)

    def _pool(self, twap: expr.Twap) -> Reads[PriceSeries]:
        found = yield from read_observations(twap.pool, self.at, twap.window_s, self.depth.since)
        ticks = np.array(found.ticks, np.float64)
        prices = 1.0001**ticks * 10.0 ** (found.decimals0 - found.decimals1)
        return PriceSeries(str(twap), "", np.array(found.ends, np.int64), prices, "observe")


def part_of(tell: Share, i: int, count: int) -> Share:
    """Return what the i-th of several parts tells its share to."""
    return lambda share: tell((i + share) / count)


def histories(
    config: Config,
    portfolio: Portfolio,
    wanted: Wanted,
    progress: Progress = lambda _what, _done, _all: None,
    *,
    files: Mapping[str, str] | None = None,
    opener: Open = connect,
    cache: Path | None = None,
) -> Histories:
    """Return the histories of all wanted factors.

    `files` (by factor, label or base; see `history.files`) win over those of the config, and a
    file wins over the chain. Raises `BadHistory` for a file that cannot be used, and for nothing
    that a chain does.
    """
    series: dict[Key, PriceSeries] = {}
    missing: dict[Key, str] = {}
    reports = {chain.name: chain for chain in portfolio.chains}
    named = {**config.settings.history.files, **(files or {})}
    for chain, factors in wanted.items():
        rest: dict[str, str] = {}
        for factor, label in factors.items():
            file = file_for(factor, label, named, config.path.parent)
            if file is None:
                rest[factor] = label
            else:
                series[chain, factor] = read_file(file[0], factor, label, file[1])
        if not rest:
            continue
        found = _of_chain(config, reports[chain], rest, progress, opener, cache)
        for factor, outcome in found.items():
            if isinstance(outcome, PriceSeries):
                series[chain, factor] = outcome
            else:
                missing[chain, factor] = config.scrub(outcome)
    return Histories(series, missing)


def _of_chain(
    config: Config,
    report: ChainReport,
    factors: Mapping[str, str],
    progress: Progress,
    opener: Open,
    cache: Path | None,
) -> dict[str, PriceSeries | str]:
    """Return each factor's history, or why there is none."""
    outcomes: dict[str, PriceSeries | str] = {}
    plans: dict[str, tuple[expr.Expr, tuple[expr.Primitive, ...]]] = {}
    for factor in factors:
        try:
            plans[factor] = needed(factor)
        except NoHistory as none:
            outcomes[factor] = str(none)
    primitives = tuple(dict.fromkeys(p for _, parts in plans.values() for p in parts))
    if not primitives:
        return outcomes
    if report.at is None:
        return outcomes | dict.fromkeys(plans, f"{report.name} was not read: {report.cause}")
    reader = Reader.of(config, report.at, cache)
    meter = Meter(f"{report.name}: price histories", len(primitives), progress)
    program = gather(reader.primitive(p, meter.share(i)) for i, p in enumerate(primitives))
    try:
        spec = spec_of(report.name, config.settings.chains[report.name], config)
        with opener(spec) as client:
            found = dict(zip(primitives, client.snapshot(report.at).run(program), strict=True))
    except ChainError as error:
        return outcomes | dict.fromkeys(plans, str(error))
    for factor, (whole, parts) in plans.items():
        failed = next((f for p in parts if isinstance(f := found[p], ReadFailed)), None)
        if failed is not None:
            outcomes[factor] = failed.cause
            continue
        got = {p: s for p in parts if isinstance(s := found[p], PriceSeries)}
        outcomes[factor] = combined(factor, factors[factor], whole, got)
    return outcomes


class Meter:
    """Adds up how far each of several things is."""

    def __init__(self, what: str, count: int, progress: Progress) -> None:
        self._what, self._progress = what, progress
        self._shares = [0.0] * count
        progress(what, 0, 100 * count)

    def share(self, i: int) -> Callable[[float], None]:
        """Return what the i-th tells its share to."""

        def tell(share: float) -> None:
            self._shares[i] = max(self._shares[i], share)
            self._progress(self._what, int(100 * sum(self._shares)), 100 * len(self._shares))

        return tell
