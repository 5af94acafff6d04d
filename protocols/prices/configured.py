"""Read the prices that a configuration names: `[[chains.X.prices]] token, feed, quote`.

Reads, one round: per feed what `feed.reads` says; per vault `convertToAssets(1e18)` and the
decimals on both sides; per pool `observe` and the decimals of its tokens; the rollup's
sequencer-uptime feed, where the chain has one.
Scales: a price is `raw / 10**decimals` whole quotes per whole token; a bare feed keeps its own
integers, an expression is evaluated exactly and rounded down to 18 decimals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from chain.abi import Function
from chain.calls import Pointer, Read, ReadFailed, Reads, Result
from chain.types import Address, BlockRef, InvalidAddress, parse_address
from protocols.prices import expr, feed
from protocols.prices.twap import OBSERVE, mean_tick, whole_ratio
from protocols.types import Price, Unpriced

ASSET: Final = Function("asset()(address)")
TO_ASSETS: Final = Function("convertToAssets(uint256)(uint256)")
TOKEN0: Final = Function("token0()(address)")
TOKEN1: Final = Function("token1()(address)")
DECIMALS: Final = Function("decimals()(uint8)")

PROBE: Final = 10**18
"""Shares whose worth is asked for; more digits than one share where shares have few decimals."""
EVALUATED_DECIMALS: Final = 18


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One configured price."""

    token: Address
    """The zero address is the native coin."""
    feed: expr.Expr
    quote: str
    """`"USD"`, a coin's symbol such as `"ETH"`, or a token's address."""
    heartbeat_s: int | None = None
    """Longest promised silence of every feed in the expression; 25 hours where None."""


def parse_row(row: Mapping[str, Any]) -> PriceRow:
    """Return a configured price; raises `ValueError` with what to write instead."""
    rest = dict(row)
    try:
        token, source, quote = rest.pop("token"), rest.pop("feed"), rest.pop("quote")
    except KeyError as error:
        raise ValueError(f"a price needs token, feed and quote; {error} is missing") from error
    heartbeat = rest.pop("heartbeat", None)
    if rest:
        raise ValueError(f"a price has no key {sorted(rest)[0]!r}")
    if not all(isinstance(text, str) for text in (token, source, quote)):
        raise ValueError("token, feed and quote are text")
    if heartbeat is not None and not (type(heartbeat) is int and heartbeat > 0):
        raise ValueError(f"heartbeat is a number of seconds, not {heartbeat!r}")
    return PriceRow(parse_address(token), expr.parse(source), parse_quote(quote), heartbeat)


def parse_quote(text: str) -> str:
    """Return a quote as prices carry it: an address with its checksum, or an upper-case symbol."""
    if text[:2].lower() == "0x":
        return parse_address(text)
    if not (text.isascii() and text.isalnum() and len(text) <= 12):
        raise InvalidAddress(text, "a quote is USD, a symbol such as ETH, or a token's address")
    return text.upper()


def read_prices(
    rows: Sequence[PriceRow], at: BlockRef, sequencer_feed: Address | None = None
) -> Reads[tuple[Price | Unpriced, ...]]:
    """Yield the reads, return a price or the cause of its absence per row, in order."""
    wanted = list(dict.fromkeys(p for row in rows for p in expr.primitives(row.feed)))
    asked: list[Read] = []
    spans: dict[expr.Primitive, tuple[int, int]] = {}
    for primitive in wanted:
        reads = _reads(primitive)
        spans[primitive] = (len(asked), len(asked) + len(reads))
        asked += reads
    uptime = feed.sequencer_reads(sequencer_feed) if sequencer_feed else ()
    results = yield [*uptime, *asked]
    down = feed.sequencer_problems(results[: len(uptime)], at) if sequencer_feed else ()
    answers = results[len(uptime) :]
    return tuple(
        _price(row, {p: answers[slice(*spans[p])] for p in expr.primitives(row.feed)}, at, down)
        for row in rows
    )


def _reads(primitive: expr.Primitive) -> tuple[Read, ...]:
    match primitive:
        case expr.Feed(address) | expr.Opaque(address):
            return feed.reads(address)
        case expr.Ratio(vault):
            asset = Pointer(ASSET.at(vault))
            return TO_ASSETS.at(vault, PROBE), DECIMALS.at(vault), DECIMALS.at(asset)
        case expr.Twap(pool, window):
            sides = (Pointer(TOKEN0.at(pool)), Pointer(TOKEN1.at(pool)))
            return OBSERVE.at(pool, [window, 0]), *(DECIMALS.at(side) for side in sides)


def _price(
    row: PriceRow,
    answers: Mapping[expr.Primitive, Sequence[Result]],
    at: BlockRef,
    down: tuple[str, ...],
) -> Price | Unpriced:
    source = str(row.feed)
    known: dict[expr.Primitive, Fraction] = {}
    seen: list[feed.Feed] = []
    for primitive, results in answers.items():
        try:
            known[primitive], behind = _value(primitive, results, at, row.heartbeat_s)
        except ReadFailed as failure:
            return Unpriced(row.token, source, f"{primitive}: {failure.cause}")
        seen += behind
    problems = [*down, *dict.fromkeys(p for f in seen for p in f.problems)]
    if isinstance(row.feed, expr.Feed):
        only = seen[0]
        assert only.answer is not None
        assert only.decimals is not None
        raw, decimals = only.answer, only.decimals
    else:
        try:
            value = expr.evaluate(row.feed, known)
        except ZeroDivisionError:
            return Unpriced(row.token, source, "divides by zero")
        raw, decimals = int(value * 10**EVALUATED_DECIMALS), EVALUATED_DECIMALS
        if raw == 0:
            return Unpriced(row.token, source, "is worth nothing to 18 decimals")
    return Price(
        token=row.token,
        quote=row.quote,
        raw=raw,
        decimals=decimals,
        source=source,
        factor=expr.factor(row.feed),
        updated_at=min((f.updated_at for f in seen if f.updated_at is not None), default=None),
        heartbeat_s=min((f.heartbeat_s for f in seen), default=None),
        label=" × ".join(f.label for f in seen if f.label),
        problems=tuple(problems),
    )


def _value(
    primitive: expr.Primitive, results: Sequence[Result], at: BlockRef, heartbeat_s: int | None
) -> tuple[Fraction, list[feed.Feed]]:
    """Return a primitive's value, and the feed it is; raises `ReadFailed`."""
    match primitive:
        case expr.Feed() | expr.Opaque():
            facts = feed.facts(results, at, heartbeat_s)
            if facts.answer is None or facts.decimals is None:
                raise ReadFailed(facts.cause)
            return Fraction(facts.answer, 10**facts.decimals), [facts]
        case expr.Ratio():
            assets: int = TO_ASSETS.decode(results[0])
            shares_scale, assets_scale = (DECIMALS.decode(result) for result in results[1:])
            if assets == 0:
                raise ReadFailed("a share is worth nothing")
            return Fraction(assets * 10**shares_scale, PROBE * 10**assets_scale), []
        case expr.Twap(_, window):
            cumulatives, _ = OBSERVE.decode(results[0])
            scale0, scale1 = (DECIMALS.decode(result) for result in results[1:])
            if len(cumulatives) != 2:
                raise ReadFailed("observe: answered another number of times than asked")
            return whole_ratio(mean_tick(cumulatives, window), scale0, scale1), []
