"""How each leg's dollars follow the factors: powers of primitives, by chain."""

from collections.abc import Mapping
from math import inf

from chain.types import ZERO_ADDRESS, Address
from protocols.aave_v3.math import quote_of
from protocols.aave_v3.state import AaveAccount, Quote
from protocols.compound_v2.state import CompoundAccount
from protocols.morpho_blue.state import MorphoPosition
from protocols.prices import expr
from protocols.prices.book import USD
from protocols.types import Leg, Position, Price, Side
from risk.scenario.types import Exposed, Valued
from underkeel.stress.factors import followed, multiplied
from underkeel.valuation import Valuation, worth

Powers = Mapping[str, int]


def exposed(position: Position, valuation: Valuation) -> Exposed:
    """Return a position with each leg's worth today and what moves it."""
    return Exposed(position, tuple(_valued(position, leg, valuation) for leg in position.legs))


def _valued(position: Position, leg: Leg, valuation: Valuation) -> Valued:
    price = valuation.price(leg)
    if not isinstance(price, Price):
        return Valued(leg, None, {}, cause=price.cause)
    one = 10 ** (leg.token.decimals or 0)
    unit = worth(one, leg.token, price)
    powers: Powers
    powers, blind = expr_powers(price.source)
    room = inf
    own = _own(position, leg)
    if own is not None and isinstance(leg.price, Price):
        powers, room, unseen = own
        more, blind = _quote(leg.price, valuation)
        powers, blind = multiplied(powers, more), blind | unseen
    return Valued(
        leg,
        None if unit is None else float(unit) / one,
        powers,
        room,
        blind,
        "" if unit is not None else "its price or its decimals are not known",
    )


def _own(position: Position, leg: Leg) -> tuple[Powers, float, frozenset[str]] | None:
    """Return how the protocol's own oracle follows factors, in its own currency."""
    state = position.state
    if isinstance(state, AaveAccount):
        for holding in state.holdings:
            if holding.reserve.asset == leg.token.address:
                quote = quote_of(state, holding)
                return None if quote is None else _quoted(quote)
    if isinstance(state, CompoundAccount):
        for one in state.holdings:
            if one.market.underlying.address == leg.token.address and one.market.quote is not None:
                found = one.market.quote
                powers, blind = ({}, frozenset()) if found.constant else expr_powers(found.factor)
                return powers, inf, blind
    if isinstance(state, MorphoPosition) and leg.side is Side.COLLATERAL and state.oracle:
        parts = state.oracle.parts
        if parts is None:
            return {state.oracle.address: 1}, inf, frozenset()
        feeds = dict.fromkeys(leaf.feed for leaf in (*parts.base_feeds, *parts.quote_feeds))
        return {feed: parts.power(feed) for feed in feeds}, inf, frozenset()
    return None


def _quoted(quote: Quote) -> tuple[Powers, float, frozenset[str]]:
    if quote.constant:
        return {}, inf, frozenset()
    powers, blind = expr_powers(quote.factor)
    return powers, _room(quote), blind


def _room(quote: Quote) -> float:
    if quote.cap is None or not quote.raw * quote.num:
        return inf
    return quote.cap * quote.den / (quote.raw * quote.num)


def _quote(price: Price, valuation: Valuation) -> tuple[dict[str, int], frozenset[str]]:
    """Return what moves the currency that a price counts in."""
    if price.quote == USD:
        return {}, frozenset()
    book = valuation.book
    token = ZERO_ADDRESS if price.quote == book.native_symbol else Address(price.quote)
    quote = book.usd(token)
    return expr_powers(quote.source) if isinstance(quote, Price) else ({}, frozenset())


def expr_powers(source: str) -> tuple[dict[str, int], frozenset[str]]:
    """Return the powers of each primitive in a price's text; see `factors.followed`."""
    try:
        parsed = expr.parse(source)
    except expr.NotAnExpression:
        return {source: 1}, frozenset()
    return followed(parsed)
