"""What a swap costs against the oracle's prices: fees and price impact in one figure."""

from fractions import Fraction
from math import ceil

from chain.calls import Unknown
from chain.units import BPS, WAD
from executor.swaps.types import Cost
from protocols.types import Price, Token, Unpriced


def cost(
    token_in: Token,
    price_in: Price | Unpriced | None,
    amount_in: int,
    token_out: Token,
    price_out: Price | Unpriced | None,
    amount_out: int,
) -> Cost | Unknown:
    """Return the loss of value between what goes in and what comes out, rounded against us.

    Unknown where a price is missing, is none, has a problem, or counts in another unit than the
    other one.
    """
    one, other = value(token_in, price_in, amount_in), value(token_out, price_out, amount_out)
    if isinstance(one, Unknown):
        return one
    if isinstance(other, Unknown):
        return other
    assert isinstance(price_in, Price)
    assert isinstance(price_out, Price)
    if price_in.quote != price_out.quote:
        return Unknown(
            f"{token_in.symbol} is priced in {price_in.quote}, "
            f"{token_out.symbol} in {price_out.quote}"
        )
    loss = one - other
    return Cost(ceil(loss / one * BPS), ceil(loss * WAD), price_in.quote)


def value(token: Token, price: Price | Unpriced | None, amount: int) -> Fraction | Unknown:
    """Return what an amount is worth, exactly, in what its price counts in."""
    match price:
        case None:
            return Unknown(f"no oracle price for {token.symbol}")
        case Unpriced(cause=cause):
            return Unknown(f"no oracle price for {token.symbol}: {cause}")
        case Price(problems=problems) if problems:
            return Unknown(f"the oracle price of {token.symbol}: {'; '.join(problems)}")
    if price.token != token.address:
        return Unknown(f"the price is that of {price.token}, not of {token.symbol}")
    if token.decimals is None or price.raw <= 0:
        return Unknown(f"no oracle price for {token.symbol}: no decimals, or none above zero")
    return Fraction(amount * price.raw, 10 ** (token.decimals + price.decimals))
