"""What moves a market's price, where its oracle says so and the answer proves it.

Reads: of the oracle `getConfig` (Compound's own price feed contract) or `getFeed` (Benqi and
Moonwell); of the feed what `protocols.prices.feed` reads.
Scales: an oracle's price is 10^(36 − decimals) per whole token.
Rounds: a feed's answer is scaled up, or down where its decimals and the token's exceed 36; it is
believed to be behind the price only where that gives exactly `getUnderlyingPrice`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain.calls import Pointer, Read, Result, Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols.compound_v2.market import Listed
from protocols.compound_v2.state import Quote
from protocols.prices import expr, feed
from protocols.prices.book import USD
from protocols.types import Price, Token, Unpriced

READS: Final = feed.READS
PRICE_SCALE: Final = 36


@dataclass(frozen=True, slots=True)
class Sourced:
    """A market's price for health, and where it comes from."""

    quote: Quote | None
    """None where there is no price."""
    source: str
    cause: str = ""
    """Why there is none."""


def feed_of(one: Listed) -> Address | None:
    """Return the feed that the oracle says is behind the price."""
    address = one.config[1] if one.config else ZERO_ADDRESS
    return None if address == ZERO_ADDRESS else address


def reads(address: Address | Pointer) -> tuple[Read, ...]:
    """Return the reads that `sourced` decodes for a feed."""
    return feed.reads(address)


def sourced(
    oracle: Address,
    one: Listed,
    token: Token,
    address: Address | None,
    results: Sequence[Result],
    at: BlockRef,
) -> Sourced:
    """Return a market's price and what moves it; `address` is the feed that `results` are of."""
    opaque = f"{expr.Opaque(oracle)} of {one.ctoken}"
    if isinstance(one.price, Unknown):
        return Sourced(None, opaque, one.price.reason)
    if one.price == 0:
        return Sourced(None, opaque, "the oracle answers 0")
    decimals = _decimals(one, token)
    scale = PRICE_SCALE - decimals
    if one.config and address is None and one.config[2] == one.price:
        fixed = str(expr.Constant(one.price, max(0, scale)))
        return Sourced(Quote(fixed, one.price, scale, constant=True), fixed)
    problems = (one.unsaid,) if one.unsaid else ()
    if address is not None:
        found = _behind(one.price, decimals, address, results, at)
        if isinstance(found, Quote):
            return Sourced(found, str(expr.Feed(address)))
        problems = (found,)
    return Sourced(Quote(opaque, one.price, scale, problems=problems), opaque)


def _decimals(one: Listed, token: Token) -> int:
    """Return the decimals that the price counts in: those the oracle is set to, else its own."""
    if one.config and one.config[0]:
        return one.config[0]
    return token.decimals or 0


def _behind(
    price: int, decimals: int, address: Address, results: Sequence[Result], at: BlockRef
) -> Quote | str:
    """Return the price as a feed's, or why the feed that the oracle names does not give it."""
    facts = feed.facts(results, at)
    if facts.answer is None or facts.decimals is None:
        return f"the feed {address} that the oracle names: {facts.cause or 'no decimals'}"
    up = PRICE_SCALE - decimals - facts.decimals
    num, den = (10**up, 1) if up >= 0 else (1, 10**-up)
    if facts.answer * num // den != price:
        return f"the oracle answers {price}, which the feed that it names does not give"
    return Quote(
        address,
        facts.answer,
        facts.decimals,
        num,
        den,
        label=facts.label,
        updated_at=facts.updated_at,
        heartbeat_s=facts.heartbeat_s,
        problems=facts.problems,
    )


def in_dollars(quotes: Sequence[Quote | None]) -> bool:
    """Tell whether an oracle counts in dollars: a feed that gives one of its prices says so."""
    return any(quote is not None and quote.label.endswith("/ USD") for quote in quotes)


def price(token: Token, one: Listed, found: Sourced, *, dollars: bool) -> Price | Unpriced:
    """Return the price for people."""
    if found.quote is None:
        return Unpriced(token.address, found.source, found.cause)
    if not dollars:
        cause = "the oracle does not say what its prices count in"
        return Unpriced(token.address, found.source, cause)
    if token.decimals is None or token.decimals > PRICE_SCALE:
        return Unpriced(token.address, found.source, "the token does not tell its decimals")
    assert not isinstance(one.price, Unknown)  # then there is no quote
    quote = found.quote
    return Price(
        token.address,
        USD,
        one.price,
        PRICE_SCALE - token.decimals,
        found.source,
        quote.factor,
        quote.updated_at,
        quote.heartbeat_s,
        quote.label,
        quote.problems,
    )
