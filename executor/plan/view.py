"""Positions as a plan shows them, before and after."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from executor.plan.types import LegView, PositionView
from protocols.prices.book import PriceBook
from protocols.types import Leg, Position, Price, Side, Unpriced
from risk.liquidation import engine_for

CENT = Decimal("0.01")


def view(position: Position, book: PriceBook) -> PositionView:
    """Return what a plan says of a position."""
    engine = engine_for(position)
    health = None
    unknown = position.unknown if position.verified else (*position.unknown, *position.notes)
    if engine is not None:
        try:
            health = engine.health(position.state)
        except ArithmeticError as failure:
            unknown = (*unknown, f"health: {failure}")
    worth = equity(position, book)
    return PositionView(
        id=position.id,
        protocol=position.protocol,
        market=position.market,
        kind=position.kind,
        legs=tuple(_leg(leg) for leg in position.legs),
        health_raw=health,
        health_scale=engine.scale if engine is not None else 1,
        equity_usd=None if worth is None else usd_text(worth),
        unknown=unknown,
        allowances=sum(given.amount > 0 for given in position.allowances),
    )


def _leg(leg: Leg) -> LegView:
    token = leg.token
    return LegView(
        token.address, token.symbol, token.decimals, leg.side.value, leg.name, leg.amount
    )


def equity(position: Position, book: PriceBook) -> Decimal | None:
    """Return assets less debts in dollars; None where anything is unknown or has no price."""
    if position.unknown:
        return None
    worths = [leg_usd(leg, book) for leg in position.legs if leg.side is not Side.REWARD]
    return total(worths)


def leg_usd(leg: Leg, book: PriceBook) -> Decimal | None:
    """Return what a leg is worth, negative for a debt; its protocol's own price first."""
    if not leg.amount:
        return Decimal(0)
    price = book.leg_usd(leg)
    if isinstance(price, Unpriced) and isinstance(leg.price, Price):
        price = book.usd(leg.token.address)
    if isinstance(price, Unpriced) or leg.token.decimals is None:
        return None
    sign = -1 if leg.side is Side.DEBT else 1
    with localcontext() as exact:
        exact.prec = 40
        places = leg.token.decimals + price.decimals
        return Decimal(sign * leg.amount * price.raw).scaleb(-places)


def total(parts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum; None where a part is not known."""
    found = Decimal(0)
    for part in parts:
        if part is None:
            return None
        found += part
    return found


def usd_text(value: Decimal) -> str:
    """Return dollars to the cent, as text that says the same in every process."""
    with localcontext() as exact:
        exact.prec = 60
        rounded = value.quantize(CENT, rounding=ROUND_HALF_EVEN)
    return str(abs(rounded) if rounded == 0 else rounded)
