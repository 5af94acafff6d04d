"""What each token is worth in dollars, from every source there is: a pure merge.

A position is valued by its protocol's own oracle where it has one; everything else by the first
sound source. Sources that disagree are not averaged: the price that is used carries the problem.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

from chain.types import ZERO_ADDRESS, Address
from protocols.prices.twap import PoolCheck
from protocols.types import Leg, Price, Unpriced

USD: Final = "USD"
CONFLICT: Final = Fraction(2, 100)
"""How far two oracles' prices of one token may differ."""
TWAP_CONFLICT: Final = Fraction(4, 100)
"""How far a pool may differ: oracles lag by up to their threshold, pools carry their fee."""
MIN_DEPTH_USD: Final = 10_000
"""What moving a pool by 1 % must cost before its opinion counts; anyone may open a thin pool."""


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Dollar prices on one chain at one block."""

    own: Sequence[Price | Unpriced] = ()
    """From the protocols' oracles: `Reading.prices` of every adapter, in adapter order."""
    configured: Sequence[Price | Unpriced] = ()
    checks: Sequence[PoolCheck] = ()
    native_symbol: str = "ETH"
    wrapped_native: Address | None = None
    """An ERC-20 that is worth exactly the native coin."""
    _sources: Mapping[Address, tuple[Price | Unpriced, ...]] = field(
        init=False, repr=False, compare=False
    )
    _told: dict[Address, Price | Unpriced] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    """Answers given before: thousands of legs ask for a handful of tokens."""
    _turned: dict[Price, Price | Unpriced] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    """Prices of legs, in dollars."""

    def __post_init__(self) -> None:
        sources: dict[Address, tuple[Price | Unpriced, ...]] = {}
        for price in (*self.own, *self.configured):
            token = self._same(price.token)
            known = sources.get(token, ())
            if price not in known:
                sources[token] = (*known, price)
        object.__setattr__(self, "_sources", sources)

    def usd(self, token: Address) -> Price | Unpriced:
        """Return a token's dollar price with everything that speaks against it, or why none."""
        told = self._told.get(token)
        if told is None:
            told = self._usd(token, ())
            if isinstance(told, Price):
                told = replace(told, problems=(*told.problems, *self._against_pools(told)))
            self._told[token] = told
        return told

    def leg_usd(self, leg: Leg) -> Price | Unpriced:
        """Return the dollar price that values a leg: its protocol's own, else the book's."""
        if leg.price is None:
            return self.usd(leg.token.address)
        if isinstance(leg.price, Unpriced):
            return leg.price
        told = self._turned.get(leg.price)
        if told is None:
            told = self._turned[leg.price] = self._in_usd(leg.price, ())
        return told

    def _usd(self, token: Address, above: tuple[Address, ...]) -> Price | Unpriced:
        token = self._same(token)
        if token in above:
            return Unpriced(token, "", "its sources are quoted in each other")
        found: list[Price] = []
        causes: list[str] = []
        for source in self._sources.get(token, ()):
            price = (
                source if isinstance(source, Unpriced) else self._in_usd(source, (*above, token))
            )
            if isinstance(price, Unpriced):
                causes.append(f"{price.source}: {price.cause}" if price.source else price.cause)
            else:
                found.append(price)
        if not found:
            return Unpriced(token, "", "; ".join(causes) or "no source has a price for it")
        best = next((price for price in found if not price.problems), found[0])
        apart = tuple(
            f"differs by {_percent(gap)} from {other.source}"
            for other in found
            if (gap := _gap(_value(best), _value(other))) > CONFLICT
        )
        return replace(best, problems=(*best.problems, *apart))

    def _in_usd(self, price: Price, above: tuple[Address, ...]) -> Price | Unpriced:
        """Convert a price by the dollar price of its quote; integers stay exact."""
        if price.raw <= 0:
            return Unpriced(price.token, price.source, f"its price is {price.raw}")
        if price.quote == USD:
            return price
        if price.quote.startswith("0x"):
            unit = Address(price.quote)
        elif price.quote == self.native_symbol:
            unit = ZERO_ADDRESS
        else:
            return Unpriced(price.token, price.source, f"nothing says what {price.quote} is worth")
        quote = self._usd(unit, above)
        if isinstance(quote, Unpriced):
            cause = f"its quote {price.quote} has no dollar price: {quote.cause}"
            return Unpriced(price.token, price.source, cause)
        times = [t for t in (price.updated_at, quote.updated_at) if t is not None]
        beats = [b for b in (price.heartbeat_s, quote.heartbeat_s) if b is not None]
        source = f"mul({price.source}, {quote.source})"
        return Price(
            token=price.token,
            quote=USD,
            raw=price.raw * quote.raw,
            decimals=price.decimals + quote.decimals,
            source=source,
            factor=source,
            updated_at=min(times, default=None),
            heartbeat_s=max(beats, default=None),
            label=" × ".join(label for label in (price.label, quote.label) if label),
            problems=tuple(dict.fromkeys((*price.problems, *quote.problems))),
        )

    def _against_pools(self, price: Price) -> tuple[str, ...]:
        problems = []
        token = self._same(price.token)
        for check in self.checks:
            sides = (self._same(check.token0), self._same(check.token1))
            if token not in sides:
                continue
            usd0, usd1 = (self._usd(side, ()) for side in sides)
            if isinstance(usd0, Unpriced) or isinstance(usd1, Unpriced):
                continue
            depth = Fraction(check.depth1, 10**check.decimals1) * _value(usd1)
            gap = _gap(_value(usd0), check.ratio * _value(usd1))
            if depth >= MIN_DEPTH_USD and gap > TWAP_CONFLICT:
                problems.append(f"differs by {_percent(gap)} from {check.source}")
        return tuple(problems)

    def _same(self, token: Address) -> Address:
        return ZERO_ADDRESS if token == self.wrapped_native else token


def _value(price: Price) -> Fraction:
    return Fraction(price.raw, 10**price.decimals)


def _gap(a: Fraction, b: Fraction) -> Fraction:
    """Return how far two positive prices are apart, relative to the lower one."""
    return max(a, b) / min(a, b) - 1


def _percent(gap: Fraction) -> str:
    """Return a gap in words; one too large for a float is as bad as a million."""
    return f"{float(gap):.1%}" if gap < 10**6 else "more than a million times"
