"""Read the feeds behind the prices of a portfolio, at the block its positions were read at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chain.calls import ReadFailed, Reads, Unknown, gather
from chain.client import connect
from chain.errors import ChainError
from chain.networks import by_id
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols.prices import expr
from protocols.prices.configured import DECIMALS
from protocols.prices.feed import HEARTBEAT_S, sequencer, sequencer_reads
from protocols.prices.pools import FACTORY, PoolQuote, read_quotes
from protocols.prices.state import Sequencer, SequencerState, Upkeep
from protocols.prices.upkeep import read_upkeep
from protocols.types import Price
from risk.oracle.trust import judge
from risk.oracle.types import FeedTrust
from underkeel.config.load import Config
from underkeel.discovery import Progress
from underkeel.history.collect import Meter, Reader, part_of
from underkeel.history.rounds import Depth, Past, Share
from underkeel.history.sources import read_behind
from underkeel.oracles.gaps import Neighbours
from underkeel.portfolio import ChainReport, Open, Portfolio, spec_of

DENSE: Final = 500
"""The newest rounds that a rule is learned from."""
MOST_TOKENS: Final = 16
"""Pools are looked for between any two of so many tokens."""


@dataclass(frozen=True, slots=True)
class FeedReport:
    """One feed of one chain, and what hangs on it."""

    chain: str
    trust: FeedTrust
    tokens: tuple[str, ...]
    """Symbols of what it prices."""
    positions: tuple[str, ...]
    """Ids of the positions with such a leg."""
    via: tuple[Address, ...] = ()
    """The oracle that it is behind, where a price names that and not the feed."""


@dataclass(slots=True)
class Use:
    """What hangs on one address."""

    tokens: dict[str, None] = field(default_factory=dict)
    positions: dict[str, None] = field(default_factory=dict)
    heartbeat_s: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read of one feed."""

    upkeep: Upkeep
    past: Past | None
    unread: tuple[str, ...]


def read_oracles(
    config: Config,
    portfolio: Portfolio,
    progress: Progress = lambda _what, _done, _all: None,
    *,
    every: bool = False,
    opener: Open = connect,
    cache: Path | None = None,
) -> tuple[FeedReport, ...]:
    """Return every feed behind the legs of positions; with `every`, behind all known prices.

    Never raises for what a chain does: what could not be read is said in the reports.
    """
    found: list[FeedReport] = []
    for chain in portfolio.chains:
        uses = used(chain, every=every)
        if uses and chain.at is not None:
            found += _of_chain(config, chain, uses, progress, opener, cache)
    return tuple(found)


def used(chain: ChainReport, *, every: bool) -> dict[Address, Use]:
    """Return the feeds and oracles that prices of a chain name, and what hangs on each."""
    found: dict[Address, Use] = {}

    def note(price: object, symbol: str | None, position: str | None) -> None:
        if not isinstance(price, Price):
            return
        for address in _addresses(price):
            use = found.setdefault(address, Use())
            if symbol is not None:
                use.tokens[symbol] = None
            if position is not None:
                use.positions[position] = None
            if price.factor == address and price.heartbeat_s != HEARTBEAT_S:
                use.heartbeat_s = price.heartbeat_s

    for assessed in chain.positions:
        for leg in assessed.position.legs:
            if chain.valuation is not None:
                note(chain.valuation.price(leg), leg.token.symbol, assessed.position.id)
            note(leg.price, leg.token.symbol, assessed.position.id)
    if every or not found:
        for price in chain.prices:
            note(price, None, None)
    return found


def _addresses(price: Price) -> Iterable[Address]:
    for text in (price.source, price.factor):
        try:
            parts = expr.primitives(expr.parse(text))
        except ValueError:
            continue
        yield from (p.address for p in parts if isinstance(p, expr.Feed | expr.Opaque))


def _of_chain(
    config: Config,
    chain: ChainReport,
    uses: Mapping[Address, Use],
    progress: Progress,
    opener: Open,
    cache: Path | None,
) -> list[FeedReport]:
    assert chain.at is not None
    reader = Reader.of(config, chain.at, cache)
    depth = Depth(since=0, dense=DENSE, most=DENSE, settled=reader.depth.settled)
    reader = Reader(reader.at, depth, reader.store)
    meter = Meter(f"{chain.name}: feeds", len(uses), progress)
    feeds = [_feeds(reader, address, meter.share(i)) for i, address in enumerate(uses)]
    network = by_id(chain.at.chain_id)
    uptime = network.sequencer_feed if network else None
    programs: list[Reads[Any]] = [_uptime(uptime, chain.at), _pools(chain), *feeds]
    try:
        spec = spec_of(chain.name, config.settings.chains[chain.name], config)
        with opener(spec) as client:
            up, quotes, *answers = client.snapshot(chain.at).run(gather(programs))
    except ChainError as error:
        cause = ReadFailed(config.scrub(str(error)))
        up, quotes, answers = cause, cause, [cause] * len(uses)
    state: Sequencer | None = up if not isinstance(up, ReadFailed) else None
    if uptime is not None and isinstance(up, ReadFailed):
        state = Sequencer(SequencerState.UNKNOWN, None, f"sequencer state unknown: {up.cause}")
    pools: Sequence[PoolQuote] = () if isinstance(quotes, ReadFailed) else quotes
    return _reports(chain, uses, answers, state, pools)


def _reports(
    chain: ChainReport,
    uses: Mapping[Address, Use],
    answers: Sequence[tuple[Answer, ...] | ReadFailed],
    state: Sequencer | None,
    pools: Sequence[PoolQuote],
) -> list[FeedReport]:
    assert chain.at is not None
    merged: dict[Address, tuple[Answer, Use, list[Address]]] = {}
    for (address, use), answer in zip(uses.items(), answers, strict=True):
        if isinstance(answer, ReadFailed):
            answer = (Answer(Upkeep(address, unknown=(answer.cause,)), None, ()),)
        for one in answer:
            _, same, via = merged.setdefault(one.upkeep.feed, (one, Use(), []))
            same.tokens |= use.tokens
            same.positions |= use.positions
            if one.upkeep.feed != address:
                via.append(address)
            else:
                same.heartbeat_s = use.heartbeat_s
    neighbours = Neighbours.of(chain, [a.upkeep for a, _, _ in merged.values()], pools)
    return [
        FeedReport(
            chain=chain.name,
            trust=judge(
                answer.upkeep,
                answer.past.dense if answer.past else (),
                chain.at,
                promised_s=use.heartbeat_s,
                market=neighbours.market(answer.upkeep),
                others=neighbours.others(answer.upkeep),
                sequencer=state,
                unread=answer.unread,
            ),
            tokens=tuple(use.tokens),
            positions=tuple(use.positions),
            via=tuple(via),
        )
        for answer, use, via in merged.values()
    ]


def _feeds(reader: Reader, address: Address, tell: Share) -> Reads[tuple[Answer, ...]]:
    """Return the feed at an address, or the feeds behind it; an oracle of neither is itself."""
    try:
        behind = (yield from read_behind(address)).feeds
    except ReadFailed as failure:
        upkeep = yield from read_upkeep(address)
        return (Answer(upkeep, None, (f"rounds: {failure.cause}",)),)
    found: list[Answer] = []
    for i, feed in enumerate(behind):
        upkeep = yield from read_upkeep(feed)
        past: Past | None = None
        unread: tuple[str, ...] = ()
        try:
            past = yield from reader.past(feed, part_of(tell, i, len(behind)))
        except ReadFailed as failure:
            unread = (f"rounds: {failure.cause}",)
        found.append(Answer(upkeep, past, unread))
    return tuple(found)


def _uptime(feed: Address | None, at: BlockRef) -> Reads[Sequencer | None]:
    if feed is None:
        return None
    results = yield sequencer_reads(feed)
    return sequencer(results, at)


def _pools(chain: ChainReport) -> Reads[tuple[PoolQuote, ...]]:
    """Return the Uniswap pools between the tokens that positions hold and prices name."""
    roots = [m.root for m in chain.markets if m.adapter == "uniswap-v3"]
    tokens = _tokens(chain)
    if not roots or len(tokens) < 2:
        return ()
    results = yield [*(FACTORY.at(root) for root in roots), *(DECIMALS.at(t) for t in tokens)]
    told = zip(tokens, results[len(roots) :], strict=True)
    scales = [(t, int(d)) for t, r in told if not isinstance(d := DECIMALS.known(r), Unknown)]
    found: list[PoolQuote] = []
    for result in results[: len(roots)]:
        factory = FACTORY.known(result)
        if not isinstance(factory, Unknown):
            found += yield from read_quotes(factory, scales)
    return tuple(found)


def _tokens(chain: ChainReport) -> tuple[Address, ...]:
    network = by_id(chain.chain_id)
    held = [leg.token.address for a in chain.positions for leg in a.position.legs]
    priced = [price.token for price in chain.prices if isinstance(price, Price)]
    wrapped = [network.native.wrapped] if network else []
    found = dict.fromkeys((*held, *wrapped, *priced))
    return tuple(token for token in found if token != ZERO_ADDRESS)[:MOST_TOKENS]
