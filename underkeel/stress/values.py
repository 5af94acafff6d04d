"""How each leg's dollars follow the factors: powers of primitives, by chain."""

from collections.abc import Mapping
from math import inf

from chain.types import ZERO_ADDRESS, Address
from protocols.aave_v3.math import quote_of
from protocols.aave_v3.state import AaveAccount, Quote
from protocols.morpho_blue.state import MorphoPosition
from protocols.prices import expr
from protocols.prices.book import USD
from protocols.types import Leg, Position, Price, Side
from risk.scenario.types import Exposed, Valued
from underkeel.stress.factors import composite
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
        powers, room = own
        more, blind = _quote(leg.price, valuation)
        powers = _times(powers, more)
    return Valued(
        leg,
        None if unit is None else float(unit) / one,
        powers,
        room,
        blind,
        "" if unit is not None else "its price or its decimals are not known",
    )


def _own(position: Position, leg: Leg) -> tuple[Powers, float] | None:
    """Return how the protocol's own oracle follows factors, in its own currency."""
    state = position.state
    if isinstance(state, AaveAccount):
        for holding in state.holdings:
            if holding.reserve.asset == leg.token.address:
                quote = quote_of(state, holding)
                return None if quote is None else (_quoted(quote), _room(quote))
    if isinstance(state, MorphoPosition) and leg.side is Side.COLLATERAL and state.oracle:
        parts = state.oracle.parts
        if parts is None:
            return {state.oracle.address: 1}, inf
        feeds = dict.fromkeys(leaf.feed for leaf in (*parts.base_feeds, *parts.quote_feeds))
        return {feed: parts.power(feed) for feed in feeds}, inf
    return None


def _quoted(quote: Quote) -> Powers:
    if quote.constant:
        return {}
    return dict.fromkeys(composite(quote.factor), 1)


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
    """Return the powers of each primitive in a price, and those that cannot be followed.

    Of a cap only what is under it is followed: the ceiling is the protocol's, not the market's. The
    lowest of several prices cannot be followed: which one it is may change.
    """
    try:
        parsed = expr.parse(source)
    except expr.NotAnExpression:
        return {source: 1}, frozenset()
    return _powers(parsed)


def _powers(parsed: expr.Expr) -> tuple[dict[str, int], frozenset[str]]:
    match parsed:
        case expr.Constant():
            return {}, frozenset()
        case expr.Product(parts):
            powers: dict[str, int] = {}
            blind: frozenset[str] = frozenset()
            for part in parts:
                more, unseen = _powers(part)
                powers, blind = _times(powers, more), blind | unseen
            return powers, blind
        case expr.Quotient(over, under):
            up, a = _powers(over)
            down, b = _powers(under)
            return _times(up, {f: -p for f, p in down.items()}), a | b
        case expr.Cap(inner, _):
            return _powers(inner)
        case expr.Min():
            return {}, frozenset(expr.factor(p) for p in expr.primitives(parsed))
        case _:
            return {expr.factor(parsed): 1}, frozenset()


def _times(one: Powers, other: Powers) -> dict[str, int]:
    total = {f: one.get(f, 0) + other.get(f, 0) for f in {**one, **other}}
    return {f: p for f, p in total.items() if p}
