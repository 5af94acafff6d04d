"""Scan one market: which it is, whose accounts, the shards, the judgement."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from chain.calls import ReadFailed
from chain.client import ChainSpec, Client, connect
from chain.errors import ChainError, Reorged
from chain.types import Address, BlockRef, InvalidAddress, parse_address
from protocols.aave_v3.columns import Columns
from protocols.adapter import Market
from risk.bulk import Curve, CurvePoint, Exposure, curve
from risk.bulk.distance import factors_of
from underkeel.cache import cache_folder
from underkeel.config.load import Config
from underkeel.config.problems import did_you_mean
from underkeel.errors import AppError, ChainDown, UsageError
from underkeel.portfolio import spec_of
from underkeel.scan import accounts, compound
from underkeel.scan.engines import Engine
from underkeel.scan.report import Scan, judge
from underkeel.scan.shards import Failure, cut, joined, read_shard
from underkeel.shock import bases_of, same_name
from underkeel.wiring import markets_of

ADAPTER: Final = "aave-v3"
COMPOUND: Final = "compound-v2"
ADAPTERS: Final = (ADAPTER, COMPOUND)
MOVES: Final = tuple(Fraction(-5 * i, 100) for i in range(13))
"""0 to −60 %."""
HEADS: Final = 3
"""How many heads are tried when blocks are reorganised while they are read."""

Progress = Callable[[str, int, int], None]


class Open(Protocol):
    """How a client is made; `chain.client.connect` in earnest."""

    def __call__(self, spec: ChainSpec, /) -> AbstractContextManager[Client]:
        """Return a client that closes itself."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    market: str
    chain: str | None = None
    below: float | None = None
    top: int | None = None
    curve: str | None = None
    shard: int = 10_000
    borrowers_only: bool = False
    accounts: bytes | None = None
    """20 bytes each; None looks for them in the logs."""
    storage: bool = False
    """Whether balances are read from storage where that is proven."""


def scan(
    config: Config,
    asked: Request,
    engine: Engine,
    progress: Progress,
    opener: Open = connect,
    cache: Path | None = None,
) -> Scan:
    """Scan a market. Raises `UsageError`, `ChainDown`, `AppError`."""
    chain, market = find_market(config, asked.market, asked.chain)
    spec = spec_of(chain, config.settings.chains[chain], config)
    folder = cache_folder() if cache is None else cache
    try:
        with opener(spec) as client:
            if market.adapter == COMPOUND:
                return _compound(client, chain, market, asked, folder, progress)
            columns = _read(client, spec, market, asked, engine, folder, progress)
    except ChainError as error:
        raise ChainDown(config.scrub(f"{market.name} on {chain}: {error}")) from None
    except ReadFailed as failure:
        raise AppError(
            config.scrub(f"{market.name} on {chain} is no market to read: {failure.cause}")
        ) from None
    exposure = Exposure.of(columns)
    counts, rows, unit = judge(exposure, asked.below, asked.top)
    bent = _curve(exposure, asked.curve, progress) if asked.curve else None
    name = asked.curve or ""
    return Scan(chain, market, columns.at, counts, rows, bent, name, unit, columns.ways)


def find_market(config: Config, name: str, chain: str | None) -> tuple[str, Market]:
    """Return a market by name or root address, and its chain.

    An address that no config names is taken for a market of the only chain, or of `--chain`.
    """
    tables = config.settings.chains
    if chain is not None and chain not in tables:
        raise UsageError(f"--chain {chain!r} is not in the config; {did_you_mean(chain, tables)}")
    wanted = [chain] if chain is not None else list(tables)
    known = [(c, m) for c in wanted for m in markets_of(tables[c]) if m.adapter in ADAPTERS]
    root = _root(name)
    found = [
        (c, m) for c, m in known if (m.root == root if root else m.name.lower() == name.lower())
    ]
    if len(found) > 1:
        where = ", ".join(dict.fromkeys(c for c, _ in found))
        raise UsageError(f"{name!r} is on several chains ({where}); say --chain, or its address")
    if found:
        return found[0]
    if root is not None and len(wanted) == 1:
        return wanted[0], Market(ADAPTER, f"{root[:6]}…{root[-4:]}", root, {})
    if root is not None:
        raise UsageError(f"{root} is in no config; say --chain NAME")
    kinds, hint = " or ".join(ADAPTERS), did_you_mean(name, [m.name for _, m in known])
    raise UsageError(f"there is no {kinds} market {name!r}; {hint}")


def _compound(
    client: Client, chain: str, market: Market, asked: Request, folder: Path, progress: Progress
) -> Scan:
    """Scan a Compound v2 market, in this process."""
    if asked.storage:
        raise UsageError(f"--storage is for {ADAPTER} markets")
    at = client.head()
    owners = asked.accounts
    if owners is None:
        program = compound.sources(market.root, borrowers_only=asked.borrowers_only)
        where = client.snapshot(at).run(program)
        first = int(market.params.get("from_block", 0))
        owners = accounts.find(client, where, at, first, folder, progress)
        at = _newer(client, at)
    found = compound.read(client, market, at, owners, asked.shard)
    counts, rows, unit = compound.report(found, asked.below, asked.top)
    bent: Curve | None = None
    if asked.curve:
        factors = compound.factors_of(found)
        raws = {
            name: f.raw
            for name, f in factors.items()
            if any(same_name(asked.curve, base) for base in bases_of(f.label))
            or asked.curve.lower() == name.lower()
        }
        if not raws:
            names = {b for f in factors.values() for b in bases_of(f.label)}
            hint = did_you_mean(asked.curve, names)
            raise UsageError(f"--curve: no price is called {asked.curve!r}; {hint}")
        points = tuple(compound.curve(found, raws, MOVES))
        bent = Curve(tuple(raws), points, counts.unread)
    return Scan(chain, market, at, counts, rows, bent, asked.curve or "", unit)


def _root(text: str) -> Address | None:
    if text[:2].lower() != "0x":
        return None
    try:
        return parse_address(text)
    except InvalidAddress as error:
        raise UsageError(str(error)) from None


def _read(
    client: Client,
    spec: ChainSpec,
    market: Market,
    asked: Request,
    engine: Engine,
    folder: Path,
    progress: Progress,
) -> Columns:
    """Return all accounts at one block; at a fresh one where that left the chain meanwhile."""
    failure = Failure("")
    for _ in range(HEADS):
        try:
            parts = _parts(client, spec, market, asked, engine, folder, progress)
        except Reorged as error:
            failure = Failure(str(error), reorged=True)
            continue
        failures = [part for part in parts if isinstance(part, Failure)]
        if not failures:
            return joined([part for part in parts if isinstance(part, Columns)])
        failure = next((f for f in failures if not f.reorged), failures[0])
        if not failure.reorged:
            break
    raise ChainDown(f"{market.name}: {failure.cause}")


def _parts(
    client: Client,
    spec: ChainSpec,
    market: Market,
    asked: Request,
    engine: Engine,
    folder: Path,
    progress: Progress,
) -> list[Columns | Failure]:
    """Return the shards at the newest block."""
    head = client.head()
    owners = asked.accounts
    if owners is None:
        program = accounts.sources(market.root, borrowers_only=asked.borrowers_only)
        where = client.snapshot(head).run(program)
        first = int(market.params.get("from_block", 0))
        owners = accounts.find(client, where, head, first, folder, progress)
        head = _newer(client, head)
    shards = cut(spec, market.root, head, owners, asked.shard, storage=asked.storage)
    return engine.map(read_shard, shards, partial(_told, progress, len(shards)))


def _told(progress: Progress, total: int, done: int) -> None:
    progress("reading accounts", done, total)


def _newer(client: Client, head: BlockRef) -> BlockRef:
    """Return the newest block: a long search of the logs makes the one before too old to read.

    Accounts that came in between are the next scan's.
    """
    fresh = client.head()
    return fresh if fresh.number >= head.number else head


def _curve(exposure: Exposure, name: str, progress: Progress) -> Curve:
    """Return the curve along the factors that a name moves, as `--shock` finds them."""
    quotes = factors_of(exposure)
    raws = {
        factor: quote.raw
        for factor, quote in quotes.items()
        if any(same_name(name, base) for base in bases_of(quote.label))
    }
    if not raws:
        raws = {
            cell.quote.factor: quotes[cell.quote.factor].raw
            for cell in exposure.cells
            if cell.quote is not None
            and cell.quote.factor in quotes
            and (same_name(name, cell.reserve.symbol) or name.lower() == cell.quote.factor.lower())
        }
    if not raws:
        names = {b for q in quotes.values() for b in bases_of(q.label)}
        names |= {cell.reserve.symbol for cell in exposure.cells}
        raise UsageError(f"--curve: no price is called {name!r}; {did_you_mean(name, names)}")
    points: list[CurvePoint] = []
    for i, move in enumerate(MOVES):
        points += curve(exposure, raws, [move]).points
        progress(f"moving {name}", i + 1, len(MOVES))
    return Curve(tuple(raws), tuple(points), len(exposure.unknown))
