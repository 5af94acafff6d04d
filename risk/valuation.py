"""What a position is worth in dollars: assets less debts, or nothing at all.

A partial sum would look like an answer, so one unpriced leg makes the whole equity None; so does
an unknown part, which may be a leg that is missing.
"""

from fractions import Fraction

from protocols.types import Leg, Position, Price, Side, Unpriced

DOLLAR = "USD"


def leg_usd(leg: Leg) -> Fraction | None:
    """Return the leg's value in dollars, exactly; None where it has no dollar price.

    Nothing is worth nothing, whatever its price.
    """
    if leg.amount == 0:
        return Fraction(0)
    price = leg.price
    if price is None or isinstance(price, Unpriced) or price.quote != DOLLAR:
        return None
    if leg.token.decimals is None:
        return None
    return Fraction(leg.amount * price.raw, 10 ** (leg.token.decimals + price.decimals))


def sign(side: Side) -> int:
    """Return how a side counts in equity: debts subtract, what is only claimable does not count."""
    if side is Side.DEBT:
        return -1
    return 0 if side is Side.REWARD else 1


def equity_usd(position: Position) -> float | None:
    """Return assets less debts in dollars; None where any leg that counts has no price."""
    if position.unknown:
        return None
    total = Fraction(0)
    for leg in position.legs:
        if weight := sign(leg.side):
            value = leg_usd(leg)
            if value is None:
                return None
            total += weight * value
    return float(total)


def price_of(leg: Leg) -> Price | None:
    """Return the leg's price where it has one."""
    return leg.price if isinstance(leg.price, Price) else None
