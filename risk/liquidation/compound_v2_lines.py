"""A Compound account's markets as a liquidation can meet them: stored or accrued, line by line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import product
from typing import TypeAlias

from protocols.compound_v2.math import accrue, borne, debt_bounds, exchange_rate, owed
from protocols.compound_v2.state import Book, CHolding, Clock, CompoundAccount


class PriceReverts(ArithmeticError):
    """The oracle gives no price: the Comptroller judges nobody who is in the market."""

    def __init__(self, symbol: str) -> None:
        super().__init__(f"{symbol}: at a price of zero the Comptroller judges nobody")
        self.symbol = symbol


@dataclass(frozen=True, slots=True)
class Variant:
    """A market's exchange rate and an account's debt in it, stored or accrued."""

    rate: int
    debt: int


class Kind(IntEnum):
    """How a market counts when the Comptroller looks for a shortfall."""

    STORED = 0
    ACCRUED = 1
    PAID = 2
    """Accrued, and with the coins of the repayment in it already: the cETH that a debt is repaid
    to cannot tell them from its cash when the Comptroller asks it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One market that an account is in."""

    holding: CHolding
    stored: Variant
    accrued: Variant
    book: Book | None
    """The market's, accrued."""

    @property
    def tokens(self) -> int:
        """Return the cTokens that carry debt."""
        return self.holding.tokens if self.holding.entered else 0

    @property
    def coins(self) -> bool:
        """Tell whether repaying raises what the same market's cTokens bear for a moment."""
        return self.holding.market.native and self.book is not None and bool(self.tokens)

    @property
    def touched(self) -> Kind:
        """Return how the market counts once it was accrued."""
        moves = self.holding.entered and self.stored != self.accrued
        return Kind.ACCRUED if moves else Kind.STORED

    @property
    def options(self) -> tuple[Kind, ...]:
        """Return how the market may count, where a liquidator may choose.

        A debt alone is never less when accrued, nor collateral alone worth less; of a market with
        both either may be worse.
        """
        if self.touched is Kind.STORED or (self.tokens and not self.accrued.debt):
            return (Kind.STORED,)
        return (Kind.STORED, Kind.ACCRUED) if self.tokens else (Kind.ACCRUED,)

    def variant(self, kind: Kind, repaid: int) -> Variant:
        """Return the market as it counts; `repaid` coins have arrived where it is paid."""
        if kind is Kind.PAID and self.book is not None:
            more = replace(self.book, cash=self.book.cash + repaid)
            return Variant(exchange_rate(more, self.accrued.rate), self.accrued.debt)
        return self.stored if kind is Kind.STORED else self.accrued

    def worth(self, variant: Variant, price: int) -> tuple[int, int]:
        """Return what the market bears, and what its debt weighs, at a price, wads."""
        return (
            borne(self.holding.market, self.tokens, variant.rate, price),
            owed(variant.debt, price),
        )

    def price(self, prices: Mapping[str, int]) -> int:
        """Return the oracle's price at factor prices. Raises `PriceReverts` at zero."""
        quote = self.holding.market.quote
        price = 0 if quote is None else quote.price(prices.get(quote.factor))
        if price <= 0:
            raise PriceReverts(self.holding.market.symbol)
        return price


Choice: TypeAlias = tuple[Kind, ...]
"""By line: how it counts."""


def place(state: CompoundAccount, at: int) -> int:
    """Return a time's place on the clock that interest is counted by; now where none is known."""
    if state.clock is Clock.SECONDS:
        return at
    if state.block_s is None:
        return state.now
    return state.now + max(0, int((at - state.timestamp) / state.block_s))


def lines(state: CompoundAccount, now: int | None = None, *, least: bool = False) -> list[Line]:
    """Return the lines at a place on the account's clock, None for the block's own.

    Debts at another time are the greatest they can be, or the `least`: no contract tells from what
    they have grown. Raises `AccrualReverts`.
    """
    return [_line(state, one, now, least) for one in state.holdings]


def _line(state: CompoundAccount, one: CHolding, now: int | None, least: bool) -> Line:
    market, book = one.market, one.market.book
    stored = Variant(market.stored_rate, one.stored_debt)
    if book is None:
        return Line(one, stored, Variant(market.rate, one.debt), None)
    today = accrue(book, state.now)
    if now is None or now <= state.now:
        return Line(one, stored, Variant(market.rate, one.debt), today)
    then = accrue(book, now)
    known = ((one.stored_debt, book.index), (one.debt, today.index))
    bounds = debt_bounds(known, then.index)
    rate = exchange_rate(then, market.stored_rate)
    return Line(one, stored, Variant(rate, bounds[0] if least else bounds[1]), then)


def advanced(state: CompoundAccount, at: int) -> CompoundAccount:
    """Return the account in a block of another time: stored as it was, accrued to then.

    Debts are the greatest they can be. Raises `AccrualReverts`.
    """
    then = place(state, at)
    holdings = tuple(
        replace(
            line.holding,
            market=replace(line.holding.market, rate=line.accrued.rate),
            debt=line.accrued.debt,
        )
        for line in lines(state, then)
    )
    return replace(state, holdings=holdings, now=max(then, state.now), timestamp=at)


def touched(state: CompoundAccount, one: CHolding) -> CHolding:
    """Return a holding whose market was accrued, and stored, at the account's own time."""
    market = one.market
    book = None if market.book is None else accrue(market.book, state.now)
    market = replace(market, stored_rate=market.rate, book=book)
    return replace(one, market=market, stored_debt=one.debt)


def choices(found: Sequence[Line]) -> list[Choice]:
    """Return every way of accruing that is worse than others at some prices, each once."""
    ways = {way for debt, collateral in pairs(found) for way in forced(found, debt, collateral)}
    return sorted(ways) or [tuple(line.touched for line in found)]


def pairs(found: Sequence[Line]) -> list[tuple[int, int]]:
    """Return what may be repaid and what may be seized for it, as places of lines.

    Membership does not matter to a seizure. Where there is nothing to seize, a debt stands for it.
    """
    listed = [(i, line) for i, line in enumerate(found) if line.holding.market.listed]
    debts = [i for i, line in listed if line.accrued.debt]
    held = [i for i, line in listed if line.holding.tokens and line.holding.market.quote]
    return [(debt, collateral) for debt in debts for collateral in held or debts]


def forced(found: Sequence[Line], debt: int, collateral: int) -> Iterator[Choice]:
    """Return the ways of accruing in which this pair is repaid and seized."""

    def options(i: int, line: Line) -> tuple[Kind, ...]:
        if i == debt and line.coins:
            return (Kind.PAID,)
        return (line.touched,) if i in (debt, collateral) else line.options

    return product(*(options(i, line) for i, line in enumerate(found)))


def worst(found: Sequence[Line], prices: Mapping[str, int]) -> Choice:
    """Return the way of accruing that leaves least at factor prices."""

    def margin(choice: Choice) -> int:
        worths = (
            line.worth(variant, line.price(prices)) for line, variant in chosen(found, choice)
        )
        return sum(bears - weighs for bears, weighs in worths)

    return min(choices(found), key=margin)


def chosen(
    found: Sequence[Line], choice: Choice, repaid: int = 1
) -> Iterator[tuple[Line, Variant]]:
    """Yield each line that the Comptroller counts, as it counts; the least repayment is 1."""
    for line, kind in zip(found, choice, strict=True):
        if line.holding.entered:
            yield line, line.variant(kind, repaid)
