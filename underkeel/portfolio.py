"""Read every configured chain, each in its own thread, and judge what was read.

A chain that cannot be read is that chain's unknown, with the cause; it hides nothing of the
others. One snapshot is one block: a reorganisation while it is read means reading again.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol, TypeVar

from chain.calls import ReadFailed, Reads, Unknown, gather
from chain.client import ChainSpec, Client, connect
from chain.errors import ChainError, StaleHead
from chain.networks import by_id
from chain.prefetch import Foresight
from chain.snapshot import Snapshot
from chain.types import Address, BlockRef
from protocols.adapter import Market
from protocols.prices.configured import PriceRow, read_prices
from protocols.types import Position, Price, Reading, Unpriced, Unreadable
from risk.types import Assessment
from underkeel.cache import cache_folder
from underkeel.config.load import Config
from underkeel.config.markets import adapters
from underkeel.config.model import ChainTable
from underkeel.discovery import Memory, Progress, Search
from underkeel.foresight import name_of, remember, remembered
from underkeel.valuation import Valuation, assess
from underkeel.wiring import markets_of, prices_of

T = TypeVar("T")

log = logging.getLogger(__name__)

SLOW_SEARCH_S: Final = 20.0
"""A search of the logs longer than this makes the head too old to be read at."""
MIN_MAX_AGE_S: Final = 300
"""Least `max_block_age` of a known network when none is configured; unknown ones have none."""


class Fault(StrEnum):
    """Why a chain could not be read."""

    DOWN = "down"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What one chain said at one block, or why it said nothing."""

    name: str
    chain_id: int
    at: BlockRef | None
    positions: tuple[Assessment, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    prices: tuple[Price | Unpriced, ...] = ()
    markets: tuple[Market, ...] = ()
    valuation: Valuation | None = None
    """None where the chain could not be read."""
    read_at: float = 0.0
    """When the head was asked for, by our clock."""
    requests: int = 0
    """HTTP requests made."""
    fault: Fault | None = None
    """With a block: the RPC failed after telling its head, and what was read by then is here."""
    cause: str = ""

    @property
    def age_s(self) -> int | None:
        """Return how old the block was when it was asked for; negative if our clock is behind."""
        return int(self.read_at) - self.at.timestamp if self.at else None


@dataclass(frozen=True, slots=True)
class Found:
    """The markets to read on a chain, and which of them are not known whole."""

    markets: tuple[Market, ...]
    missed: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class RawReport:
    """What one block says, not yet judged."""

    at: BlockRef
    positions: tuple[Position, ...]
    unreadable: tuple[Unreadable, ...]
    prices: tuple[Price | Unpriced, ...]
    markets: tuple[Market, ...]
    valuation: Valuation
    cause: str = ""
    """Why the RPC stopped answering while it was read; else empty."""


class Open(Protocol):
    """How a chain's client is made; `chain.client.connect` in earnest."""

    def __call__(self, spec: ChainSpec, /) -> AbstractContextManager[Client]:
        """Return a client that closes itself."""
        ...


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Every chain of the config, read for some accounts."""

    accounts: tuple[Address, ...]
    chains: tuple[ChainReport, ...]
    names: Mapping[Address, str]
    """What the config calls an account."""

    @property
    def assessments(self) -> tuple[Assessment, ...]:
        """Return every position of every chain."""
        return tuple(a for chain in self.chains for a in chain.positions)

    @property
    def unreadable(self) -> tuple[tuple[ChainReport, Unreadable], ...]:
        """Return every part that could not be read, and its chain."""
        return tuple((chain, u) for chain in self.chains for u in chain.unreadable)


def spec_of(name: str, table: ChainTable, config: Config) -> ChainSpec:
    """Return how to reach a chain."""
    endpoints = config.endpoints[name]
    age = table.max_block_age
    if age is None:
        network = by_id(table.chain_id)
        age = max(MIN_MAX_AGE_S, int(20 * network.block_time_s)) if network else None
    return ChainSpec(
        name=name,
        chain_id=table.chain_id,
        urls=endpoints.rpc,
        quorum=table.quorum,
        max_block_age_s=age,
        multicall3=Address(table.multicall3) if table.multicall3 else None,
        ws=endpoints.ws,
        head_lag=table.head_lag,
    )


def read_portfolio(
    config: Config,
    accounts: Sequence[Address],
    progress: Progress = lambda _what, _done, _all: None,
    opener: Open = connect,
    cache: Path | None = None,
    now: Callable[[], float] = time.time,
) -> Portfolio:
    """Read every chain of the config for `accounts`."""
    folder = cache_folder() if cache is None else cache
    tables = config.settings.chains

    def one(name: str) -> ChainReport:
        reader = ChainReader(name, tables[name], config, tuple(accounts), progress, folder, now)
        return reader.report(opener)

    chains = _at_once(one, tuple(tables))
    names = {Address(w.address): name for name, w in config.settings.wallets.items()}
    return Portfolio(tuple(accounts), chains, names)


def _at_once(one: Callable[[str], ChainReport], names: Sequence[str]) -> tuple[ChainReport, ...]:
    """Return what `one` says of each chain; `one` never raises.

    The threads are daemons, so that Ctrl-C ends the program and not just the waiting.
    """
    found: dict[str, ChainReport] = {}

    def keep(name: str) -> None:
        found[name] = one(name)

    threads = [threading.Thread(target=keep, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tuple(found[name] for name in names)


@dataclass(frozen=True, slots=True)
class ChainReader:
    """One chain, and what is to be read there."""

    name: str
    table: ChainTable
    config: Config
    accounts: tuple[Address, ...]
    progress: Progress
    cache: Path
    now: Callable[[], float]

    def report(self, opener: Open) -> ChainReport:
        """Return what the chain says; never raises for anything a chain or an adapter does."""
        try:
            with opener(spec_of(self.name, self.table, self.config)) as client:
                return self._settled(client)
        except ChainError as error:
            return self._failed(_kind(error), str(error))
        except Exception as fault:  # one chain must not end the others
            log.exception("chain %s failed", self.name)
            return self._failed(Fault.DOWN, f"internal error: {type(fault).__name__}: {fault}")

    def _failed(self, kind: Fault, cause: str) -> ChainReport:
        cause = self.config.scrub(cause)
        return ChainReport(self.name, self.table.chain_id, None, fault=kind, cause=cause)

    def _settled(self, client: Client) -> ChainReport:
        return client.at_head(lambda snapshot: self._read(client, snapshot))

    def _read(self, client: Client, snapshot: Snapshot) -> ChainReport:
        read_at, began = self.now(), time.monotonic()
        found = self.discover(client, snapshot.at)
        if time.monotonic() - began > SLOW_SEARCH_S:
            read_at, snapshot = self.now(), client.snapshot(client.head())
            found = self.discover(client, snapshot.at)
        memory = remembered(self.cache, snapshot.at.chain_id)
        raw = self.read(snapshot, found, memory)
        remember(self.cache, snapshot.at.chain_id, memory)
        return replace(self.judged(raw), read_at=read_at, requests=client.stats.posts)

    def discover(self, client: Client, head: BlockRef) -> Found:
        """Return the markets to read, completed by what the logs name up to `head`."""
        markets = markets_of(self.table)
        if not (self.table.discover and self.accounts):
            return Found(markets)
        search = Search(client, head, Memory.open(self.cache, head.chain_id), self.progress)
        found = [search.complete(market, self.accounts) for market in markets]
        missed = tuple(m for _, m in found if m is not None)
        return Found(tuple(market for market, _ in found), missed)

    def read(self, snapshot: Snapshot, found: Found, memory: Foresight) -> RawReport:
        """Return what one block says of the markets; `memory` makes it one round of requests.

        Raises `Reorged` and `Disagreement`; all other failures are in what it returns.
        """
        head, markets = snapshot.at, found.markets
        missed = list(found.missed)
        self.progress(f"{self.name}: reading {len(markets)} markets", 0, 1)
        rows = prices_of(self.table)
        outage = Outage()
        program = watched(gather(self._programs(markets, rows, head)), outage)
        outcomes = snapshot.run(memory.ahead(name_of(self.accounts), program))
        self.progress(f"{self.name}: reading {len(markets)} markets", 1, 1)
        *readings, configured = outcomes
        told: list[Reading] = []
        for market, outcome in zip(markets, readings, strict=True):
            if isinstance(outcome, Reading):
                told.append(outcome)
            else:
                missed.append(_unreadable(market, outcome, head))
        if not isinstance(configured, Reading):
            configured = _no_prices(rows, configured)
        held = [p for reading in told for p in reading.positions]
        positions = [p for p in held if isinstance(p, Position)]
        unreadable = [*missed, *(p for p in held if isinstance(p, Unreadable))]
        own = [price for reading in told for price in reading.prices]
        cause = outage.cause and f"its RPC stopped answering while it was read: {outage.cause}"
        return RawReport(
            at=head,
            positions=tuple(positions),
            unreadable=tuple(replace(u, cause=self.config.scrub(u.cause)) for u in unreadable),
            prices=(*own, *configured.prices),
            markets=markets,
            valuation=Valuation.of(own, configured.prices, positions, head),
            cause=self.config.scrub(cause),
        )

    def judged(self, raw: RawReport) -> ChainReport:
        """Judge every position that was read."""
        limit = self.table.max_price_age
        return ChainReport(
            name=self.name,
            chain_id=self.table.chain_id,
            at=raw.at,
            positions=tuple(assess(p, raw.valuation, limit) for p in raw.positions),
            unreadable=raw.unreadable,
            prices=raw.prices,
            markets=raw.markets,
            valuation=raw.valuation,
            fault=Fault.DOWN if raw.cause else None,
            cause=raw.cause,
        )

    def failed(self, error: ChainError) -> ChainReport:
        """Return the report of a chain that could not be read."""
        return self._failed(_kind(error), str(error))

    def _programs(
        self, markets: Sequence[Market], rows: Sequence[PriceRow], at: BlockRef
    ) -> list[Reads[Reading]]:
        known = adapters()
        programs = [known[m.adapter].read(m, self.accounts, at) for m in markets]
        network = by_id(at.chain_id)
        sequencer = network.sequencer_feed if network else None
        return [*programs, _prices(rows, at, sequencer)]


@dataclass(slots=True)
class Outage:
    """Whether a whole round of reads got no answer, and why."""

    cause: str = ""


def watched(program: Reads[T], outage: Outage) -> Reads[T]:
    """Run a program as it is, and note the first round that was not answered at all.

    Single unknown answers are a contract's or a limit's; a round of nothing else is the RPC's.
    """
    try:
        batch = next(program)
        while True:
            results = yield batch
            reasons = [r.reason for r in results if isinstance(r, Unknown)]
            if reasons and len(reasons) == len(results) and not outage.cause:
                outage.cause = reasons[0]
            batch = program.send(results)
    except StopIteration as stop:
        value: T = stop.value
        return value


def _prices(rows: Sequence[PriceRow], at: BlockRef, sequencer: Address | None) -> Reads[Reading]:
    if not rows:
        return Reading()
    prices = yield from read_prices(rows, at, sequencer_feed=sequencer)
    return Reading(prices=tuple(prices))


def _no_prices(rows: Sequence[PriceRow], failure: ReadFailed) -> Reading:
    return Reading(prices=tuple(Unpriced(r.token, str(r.feed), failure.cause) for r in rows))


def _unreadable(market: Market, failure: ReadFailed, at: BlockRef) -> Unreadable:
    return Unreadable(market.adapter, market.name, market.root, None, failure.cause, at)


def _kind(error: ChainError) -> Fault:
    failures = getattr(error, "failures", (error,))
    stale = failures and all(isinstance(f, StaleHead) for f in failures)
    return Fault.STALE if stale else Fault.DOWN
