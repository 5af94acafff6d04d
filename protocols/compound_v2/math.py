"""Compound v2's own arithmetic, in its own order of truncations.

Mirrors: `CToken.accrueInterest`, `exchangeRateStoredInternal`, `borrowBalanceStoredInternal`;
`Comptroller.getHypotheticalAccountLiquidityInternal`, `liquidateCalculateSeizeTokens`;
`CToken.seizeInternal`; the Exponential library from solc 0.5.16 on (`mul_`, `div_`, truncating).
Scales: wads; prices 10^(36 − decimals); values the oracle's currency in wad.
Rounds: every product down, one after the other.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from chain.units import UINT256_MAX, WAD, div_up
from protocols.compound_v2.state import Book, CMarket

HIGHEST_RATE: Final = 5 * 10**12
"""Borrow rate per block or second above which a market refuses to accrue at all."""


class AccrualReverts(ArithmeticError):
    """The market cannot be accrued, so nobody in it can repay or be liquidated."""


def accrue(book: Book, now: int) -> Book:
    """Return a market's book as `accrueInterest` leaves it at a block or second.

    Raises `AccrualReverts` where the rate is above what the market accepts, or numbers overflow.
    """
    elapsed = now - book.since
    if elapsed <= 0:
        return book
    if book.rate > HIGHEST_RATE:
        raise AccrualReverts(f"borrow rate {book.rate} is absurdly high")
    factor = book.rate * elapsed
    if max(factor * book.borrows, factor * book.index) > UINT256_MAX:
        raise AccrualReverts("the interest since the last accrual overflows")
    interest = factor * book.borrows // WAD
    return replace(
        book,
        borrows=book.borrows + interest,
        reserves=book.reserves + book.reserve_factor * interest // WAD,
        index=book.index + factor * book.index // WAD,
        since=now,
    )


def exchange_rate(book: Book, empty: int) -> int:
    """Return underlying per cToken, a wad; `empty` is what a market without cTokens answers."""
    if not book.supply:
        return empty
    return (book.cash + book.borrows - book.reserves) * WAD // book.supply


def debt_bounds(known: Iterable[tuple[int, int]], index: int) -> tuple[int, int]:
    """Return the least and the greatest debt at a market's index.

    A debt is ⌊principal · index / index at the last action⌋, and neither principal nor that index
    is public: what is `known` to be owed at other indexes, (debt, index), confines their quotient.
    """
    pairs = [(debt, at) for debt, at in known if debt and at]
    if not pairs:
        return 0, 0
    least = max(debt * index // at for debt, at in pairs)
    most = min(div_up((debt + 1) * index, at) - 1 for debt, at in pairs)
    return least, max(least, most)


def weight(market: CMarket, rate: int, price: int) -> int:
    """Return what one cToken bears, a wad: collateral factor, rate and price, each truncated."""
    return market.collateral_factor * rate // WAD * price // WAD


def borne(market: CMarket, tokens: int, rate: int, price: int) -> int:
    """Return what cTokens bear, in the oracle's currency, a wad."""
    return weight(market, rate, price) * tokens // WAD


def owed(debt: int, price: int) -> int:
    """Return what a debt weighs, in the oracle's currency, a wad."""
    return price * debt // WAD


def seize_ratio(incentive: int, debt_price: int, collateral_price: int, rate: int) -> int:
    """Return cTokens seized per unit of debt repaid, a wad.

    Raises `ZeroDivisionError` where the contract would divide by zero.
    """
    return incentive * debt_price // WAD * WAD // (collateral_price * rate // WAD)


def seized(ratio: int, repaid: int) -> int:
    """Return the cTokens that leave the borrower for a repayment."""
    return ratio * repaid // WAD


def most_repaid(ratio: int, tokens: int) -> int:
    """Return the greatest repayment for which no more than `tokens` are seized."""
    return UINT256_MAX if not ratio else ((tokens + 1) * WAD - 1) // ratio
