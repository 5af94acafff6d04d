"""Market prices of what a position stands on, where a market source of them is known.

A feed that says when it was updated reports a market. A protocol's ratio, a cap, a constant or an
oracle that does not say what it is made of does not: then another source has to be known, in the
config or a pool that the portfolio is in, or the economic distance is unknown.
"""

from dataclasses import replace
from fractions import Fraction

from chain.types import Address
from protocols.aave_v3.state import AaveAccount
from protocols.morpho_blue.state import MorphoPosition
from protocols.prices import expr
from protocols.prices.book import MIN_DEPTH_USD
from protocols.types import Leg, Position, Price, Side, Unpriced
from risk.distance.economic import Apart, distance, economic_health
from risk.liquidation import engine_for
from risk.types import Liquidation
from underkeel.portfolio import Portfolio
from underkeel.valuation import Valuation


def aparts_of(portfolio: Portfolio) -> dict[str, Apart]:
    """Return both distances of every position with a debt, by its id."""
    found: dict[str, Apart] = {}
    for chain in portfolio.chains:
        for assessed in chain.positions:
            assert chain.valuation is not None  # a chain with positions was read
            both = apart(assessed.position, assessed.liquidation, chain.valuation)
            if both is not None:
                found[assessed.position.id] = both
    return found


def apart(position: Position, judged: Liquidation, valuation: Valuation) -> Apart | None:
    """Return both distances of a position; None without a debt."""
    engine = engine_for(position)
    if engine is None or judged.health_raw is None:
        return None
    oracle = distance(judged.health_raw / judged.health_scale)
    ratios: dict[Address, float] = {}
    causes: list[str] = list(position.unknown)
    for leg in position.legs:
        if leg.side not in (Side.COLLATERAL, Side.DEBT) or leg.token.address in ratios:
            continue
        found = _ratio(leg, position, valuation)
        if isinstance(found, str):
            causes.append(f"{leg.token.symbol}: {found}")
        else:
            ratios[leg.token.address] = float(found)
    if causes:
        return Apart(oracle, None, tuple(dict.fromkeys(causes)))
    health = economic_health(position.state, ratios)
    return None if health is None else Apart(oracle, distance(health))


def _ratio(leg: Leg, position: Position, valuation: Valuation) -> Fraction | str:
    """Return market price / price in use, or why it is not known."""
    state = position.state
    if isinstance(state, MorphoPosition):
        return _morpho(leg, state, valuation)
    if not isinstance(leg.price, Price):
        return "it has no price"
    try:
        source = expr.parse(leg.price.source)
    except expr.NotAnExpression:
        source = None
    if isinstance(source, expr.Feed) and leg.price.updated_at is not None:
        return Fraction(1)
    if isinstance(source, expr.Cap) and isinstance(source.inner, expr.Feed):
        return _uncapped(leg, state)
    market = _market(leg.token.address, valuation)
    used = valuation.book.leg_usd(leg)
    if market is None or isinstance(used, Unpriced):
        return f"no market price is known; the oracle's is {_kind(source)}"
    return market / Fraction(used.raw, 10**used.decimals)


def _kind(source: expr.Expr | None) -> str:
    if isinstance(source, expr.Constant):
        return "fixed"
    parts = () if source is None else expr.primitives(source)
    if isinstance(source, expr.Product | expr.Quotient):
        ratio = len(parts) == 1 or any(isinstance(p, expr.Ratio) for p in parts)
        return "a protocol's ratio" if ratio else "a product"
    return "of an oracle that does not tell what it is made of"


def _uncapped(leg: Leg, state: object) -> Fraction | str:
    if isinstance(state, AaveAccount):
        for holding in state.holdings:
            quote = holding.reserve.quote
            if holding.reserve.asset == leg.token.address and quote is not None:
                return Fraction(quote.raw * quote.num, quote.den * quote.price())
    return "what its cap hides is not known"


def _morpho(leg: Leg, state: MorphoPosition, valuation: Valuation) -> Fraction | str:
    """Return the collateral's market price over the oracle's, in the loan token; 1 for the loan.

    An oracle without a feed to divide by takes a loan token for a dollar that is quoted in none.
    """
    if leg.token.address == state.params.loan_token:
        return Fraction(1)
    oracle = state.oracle
    if oracle is None or not isinstance(leg.price, Price):
        return "it has no price"
    parts = oracle.parts
    feeds = () if parts is None else (*parts.base_feeds, *parts.quote_feeds)
    plain = parts is not None and parts.base_vault is None and parts.quote_vault is None
    if plain and feeds and all(feed.updated_at is not None for feed in feeds):
        assert parts is not None
        in_dollars = any(feed.label.endswith("/ USD") for feed in parts.base_feeds)
        if parts.quote_feeds or not in_dollars:
            return Fraction(1)
        loan = valuation.book.usd(state.params.loan_token)
        if isinstance(loan, Unpriced):
            return f"the oracle takes one {state.loan.symbol} for a dollar, and it has no price"
        return Fraction(10**loan.decimals, loan.raw)
    held = _market(state.params.collateral_token, valuation)
    owed = valuation.book.usd(state.params.loan_token)
    if held is None or isinstance(owed, Unpriced):
        return "no market price is known; the oracle's is not made of market feeds alone"
    own = Fraction(leg.price.raw, 10**leg.price.decimals)
    return held / Fraction(owed.raw, 10**owed.decimals) / own


def _market(token: Address, valuation: Valuation) -> Fraction | None:
    """Return a token's dollar price by the config's sources, else by the portfolio's pools."""
    book = valuation.book
    others = tuple(price for price in book.own if price.token != token)
    without = replace(book, own=others).usd(token)
    if isinstance(without, Price):
        return Fraction(without.raw, 10**without.decimals)
    for check in book.checks:
        sides = (check.token0, check.token1)
        if token not in sides:
            continue
        other = book.usd(sides[1] if token == sides[0] else sides[0])
        base = book.usd(check.token1)
        if isinstance(other, Unpriced) or isinstance(base, Unpriced):
            continue
        deep = Fraction(check.depth1 * base.raw, 10 ** (check.decimals1 + base.decimals))
        if deep >= MIN_DEPTH_USD and check.ratio > 0:
            usd = Fraction(other.raw, 10**other.decimals)
            return usd * check.ratio if token == sides[0] else usd / check.ratio
    return None


__all__ = ["apart", "aparts_of"]
