"""Read what a pool's oracle says of an asset, and what moves it.

Reads: of the oracle `getAssetPrice`, `getSourceOfAsset`; of the source, through it, what
`protocols.prices.feed` reads, and of capped adapters their parts.
Scales: the oracle's base currency; the price is always `getAssetPrice`, never the feed's own
answer, so that a fallback oracle is followed as the pool follows it.
Rounds: a capped ratio adapter gives `base · ratio / 10^decimals`, down; it is taken apart only
where that gives the oracle's very price, and is a feed of its own otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain.calls import Ok, Read, Result, Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols.aave_v3 import contracts as c
from protocols.aave_v3.state import Quote
from protocols.prices import expr, feed
from protocols.types import Price, Unpriced

PRICE_READS: Final = 2 + feed.READS + 6
USD: Final = "USD"


@dataclass(frozen=True, slots=True)
class Base:
    """What the oracle's prices count in."""

    currency: Address | Unknown
    unit: int | Unknown
    fallback: Address | Unknown

    @classmethod
    def of(cls, currency: Result, unit: Result, fallback: Result) -> "Base":
        """Return the base currency as the oracle says it."""
        return cls(
            c.BASE_CURRENCY.known(currency),
            c.BASE_CURRENCY_UNIT.known(unit),
            c.GET_FALLBACK_ORACLE.known(fallback),
        )

    @property
    def decimals(self) -> int | None:
        """Return the decimals of the base currency's unit; None where it has none."""
        if isinstance(self.unit, Unknown) or self.unit < 1:
            return None
        digits = len(str(self.unit)) - 1
        return digits if self.unit == 10**digits else None

    @property
    def quote(self) -> str | None:
        """Return `USD` for the dollar of eight decimals, else the base currency's address."""
        if isinstance(self.currency, Unknown) or self.decimals is None:
            return None
        return USD if (self.currency, self.unit) == (ZERO_ADDRESS, 10**8) else self.currency


@dataclass(frozen=True, slots=True)
class Sourced:
    """An asset's price for people and, where there is one, for health."""

    price: Price | Unpriced
    quote: Quote | None


def price_reads(oracle: Address, asset: Address) -> tuple[Read, ...]:
    """Return the reads that `sourced` decodes."""
    source = c.GET_SOURCE.pointer(oracle, asset)
    return (
        c.GET_ASSET_PRICE.at(oracle, asset),
        c.GET_SOURCE.at(oracle, asset),
        *feed.reads(source),
        c.LATEST_ANSWER.at(source),
        c.RATIO_BASE.at(source),
        c.GET_RATIO.at(source),
        c.RATIO_DECIMALS.at(source),
        c.CAPPED_BASE.at(source),
        c.GET_PRICE_CAP.at(source),
    )


def sourced(
    oracle: Address, base: Base, asset: Address, results: Sequence[Result], at: BlockRef
) -> Sourced:
    """Return an asset's price and what moves it."""
    price, source = c.GET_ASSET_PRICE.known(results[0]), c.GET_SOURCE.known(results[1])
    if isinstance(price, Unknown) or isinstance(source, Unknown):
        cause = price.reason if isinstance(price, Unknown) else source.reason
        return Sourced(Unpriced(asset, str(expr.Opaque(oracle)), cause), None)
    if price == 0:
        return Sourced(Unpriced(asset, str(expr.Opaque(oracle)), "the oracle answers 0"), None)
    text, quote = _moved_by(base, asset, price, source, results[2:], at)
    if base.quote is None or base.decimals is None:
        cause = "the oracle does not say what its prices count in"
        return Sourced(Unpriced(asset, text, cause), quote)
    return Sourced(
        Price(
            asset,
            base.quote,
            price,
            base.decimals,
            text,
            quote.factor,
            quote.updated_at,
            quote.heartbeat_s,
            quote.label,
            quote.problems,
        ),
        quote,
    )


def _moved_by(
    base: Base, asset: Address, price: int, source: Address, results: Sequence[Result], at: BlockRef
) -> tuple[str, Quote]:
    """Return the source as an expression, and the price with its factor."""
    decimals = base.decimals or 0
    if asset == base.currency:
        constant = expr.Constant(price, decimals)
        return str(constant), Quote(str(constant), price, decimals, constant=True)
    of_feed, parts = results[: feed.READS], results[feed.READS :]
    facts = feed.facts(of_feed, at)
    problems = facts.problems
    answer = c.LATEST_ANSWER.known(parts[0]) if source != ZERO_ADDRESS else 0
    if not isinstance(answer, Unknown) and answer <= 0:
        text = _fallback(base, asset)
        why = "the fallback oracle prices it"
        if source != ZERO_ADDRESS:
            why = f"its feed answers {answer}, so {why}"
        return text, Quote(text, price, decimals, label=facts.label, problems=(why,))
    if isinstance(answer, Unknown):
        problems += (answer.reason,)
    if isinstance(of_feed[0], Ok) and facts.cause:
        problems += (facts.cause,)

    whole: expr.Expr = expr.Feed(source)
    raw, num, den, cap = price, 1, 1, None
    if (ratio := _ratio(price, of_feed[3], parts[1:4])) is not None:
        underlying, raw, num, places = ratio
        den = 10**places
        whole = expr.Product((expr.Feed(underlying), expr.Constant(num, places)))
    elif (capped := _capped(price, of_feed[4], parts[4:6])) is not None:
        underlying, raw, cap = capped
        whole = expr.Cap(expr.Feed(underlying), expr.Constant(cap, decimals))
    return str(whole), Quote(
        expr.factor(whole),
        raw,
        decimals,
        num,
        den,
        cap,
        label=facts.label,
        updated_at=facts.updated_at,
        heartbeat_s=facts.heartbeat_s,
        problems=problems,
    )


def _fallback(base: Base, asset: Address) -> str:
    oracle = "oracle" if isinstance(base.fallback, Unknown) else str(expr.Opaque(base.fallback))
    return f"fallback {oracle} of {asset}"


def _ratio(
    price: int, round_data: Result, parts: Sequence[Result]
) -> tuple[Address, int, int, int] | None:
    """Return (base feed, its answer, ratio, ratio decimals) of an adapter that multiplies them."""
    underlying, ratio, places = (
        c.RATIO_BASE.known(parts[0]),
        c.GET_RATIO.known(parts[1]),
        c.RATIO_DECIMALS.known(parts[2]),
    )
    latest = feed.LATEST.known(round_data)
    if any(isinstance(part, Unknown) for part in (underlying, ratio, places, latest)):
        return None
    answer = latest[1]
    if answer > 0 and ratio > 0 and answer * ratio // 10**places == price:
        return underlying, answer, ratio, places
    return None


def _capped(
    price: int, round_data: Result, parts: Sequence[Result]
) -> tuple[Address, int, int] | None:
    """Return (feed, its answer, cap) of an adapter that only cuts it off above a fixed price."""
    underlying, cap = c.CAPPED_BASE.known(parts[0]), c.GET_PRICE_CAP.known(parts[1])
    latest = feed.LATEST.known(round_data)
    if any(isinstance(part, Unknown) for part in (underlying, cap, latest)):
        return None
    return (underlying, latest[1], cap) if 0 < min(latest[1], cap) == price else None
