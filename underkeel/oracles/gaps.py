"""How far a feed is from the market, and from other feeds of its pair."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from chain.types import Address
from protocols.prices import expr
from protocols.prices.pools import PoolQuote
from protocols.prices.state import Upkeep
from protocols.types import Price
from risk.oracle.trust import LEAST_DEPTH_USD
from risk.oracle.types import FeedGap, MarketGap
from underkeel.portfolio import ChainReport
from underkeel.shock import same_name


@dataclass(frozen=True, slots=True)
class Priced:
    """A token with a dollar price, and the feeds that price hangs on."""

    symbol: str
    usd: float
    feeds: frozenset[Address]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Everything on one chain that a feed can be compared with."""

    feeds: Sequence[Upkeep]
    tokens: Mapping[Address, Priced]
    pools: Sequence[PoolQuote]

    @classmethod
    def of(
        cls, chain: ChainReport, feeds: Sequence[Upkeep], pools: Sequence[PoolQuote]
    ) -> "Neighbours":
        """Return what one chain's reading and its pools give."""
        sides = {side for p in pools for side in (p.check.token0, p.check.token1)}
        symbols = {
            leg.token.address: leg.token.symbol for a in chain.positions for leg in a.position.legs
        }
        tokens: dict[Address, Priced] = {}
        for token in sides:
            price = chain.valuation.book.usd(token) if chain.valuation else None
            if isinstance(price, Price) and price.raw > 0:
                symbol = symbols.get(token) or _base(price.label)
                usd = price.raw / 10**price.decimals
                tokens[token] = Priced(symbol, usd, frozenset(_feeds(price)))
        return cls(feeds, tokens, pools)

    def market(self, feed: Upkeep) -> MarketGap | None:
        """Return what the deepest pool of the feed's own token says; None where there is none.

        A pool whose other side hangs on the same feed says nothing about it. Beside it, how near
        the nearest deep pool against another token is: a feed that agrees with one neighbour is not
        what the others are off by.
        """
        pair = pair_of(feed.label)
        if pair is None:
            return None
        found: list[MarketGap] = []
        for quote in self.pools:
            check = quote.check
            side0, side1 = self.tokens.get(check.token0), self.tokens.get(check.token1)
            if side0 is None or side1 is None:
                continue
            for own, other, inverse in ((side0, side1, False), (side1, side0, True)):
                if not _is(own, feed, pair[0]) or feed.feed in other.feeds:
                    continue
                scale = 10.0 ** (check.decimals0 - check.decimals1)
                mean, spot = (1.0001**t * scale for t in (check.tick, quote.spot_tick))
                if inverse:
                    mean, spot = 1 / mean, 1 / spot
                found.append(
                    MarketGap(
                        pool=check.pool,
                        source=check.source,
                        against=other.symbol,
                        mean_frac=mean * other.usd / own.usd - 1,
                        spot_frac=spot * other.usd / own.usd - 1,
                        depth_usd=check.depth1 / 10**check.decimals1 * side1.usd,
                        fee_frac=quote.fee / 1e6,
                    )
                )
        deepest = max(found, key=lambda gap: gap.depth_usd, default=None)
        if deepest is None:
            return None
        elsewhere = (
            abs(gap.mean_frac)
            for gap in found
            if gap.against != deepest.against and gap.depth_usd >= LEAST_DEPTH_USD
        )
        return replace(deepest, least_elsewhere=min(elsewhere, default=inf))

    def others(self, feed: Upkeep) -> tuple[FeedGap, ...]:
        """Return the other feeds of the same pair, and products of two that make it up."""
        value, pair = _value(feed), pair_of(feed.label)
        if value is None or pair is None:
            return ()
        rest = [(f, v, p) for f in self.feeds if (v := _value(f)) and (p := pair_of(f.label))]
        found: list[FeedGap] = []
        for other, price, named in rest:
            if other.feed != feed.feed and _same(named, pair):
                found.append(FeedGap(f"feed({other.feed})", other.label, price / value - 1))
        for one, price, named in rest:
            if feed.feed == one.feed or not same_name(named[0], pair[0]) or _same(named, pair):
                continue
            for two, factor, through in rest:
                if feed.feed != two.feed and _same((named[1], pair[1]), through):
                    source = f"mul(feed({one.feed}), feed({two.feed}))"
                    label = f"{one.label} × {two.label}"
                    found.append(FeedGap(source, label, price * factor / value - 1))
        return tuple(found)


def pair_of(label: str) -> tuple[str, str] | None:
    """Return base and quote of a label such as `ETH / USD`; None for any other."""
    base, slash, quote = label.partition("/")
    words = base.split()
    if not slash or not words or not quote.strip():
        return None
    return words[-1], quote.split("/")[-1].strip().split()[0]


def _same(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return all(same_name(a, b) for a, b in zip(one, other, strict=True))


def _is(token: Priced, feed: Upkeep, base: str) -> bool:
    """Whether a feed is a token's own: it prices the token, and is named for it."""
    return feed.feed in token.feeds and same_name(token.symbol, base)


def _value(feed: Upkeep) -> float | None:
    if feed.answer is None or feed.answer <= 0 or feed.decimals is None:
        return None
    return float(feed.answer / 10**feed.decimals)


def _base(label: str) -> str:
    pair = pair_of(label)
    return pair[0] if pair else ""


def _feeds(price: Price) -> Iterator[Address]:
    try:
        parts = expr.primitives(expr.parse(price.source))
    except ValueError:
        return
    yield from (p.address for p in parts if isinstance(p, expr.Feed | expr.Opaque))
