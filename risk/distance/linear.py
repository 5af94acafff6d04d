"""A lending position as a function of its factors' log moves: threshold-weighted collateral − debt.

h(x) = Σ weight_k · min(e^{powers_k · x}, ceiling_k), liquidatable where h(x) < 0. The factors are
the leaves of the oracles' expressions. A leaf that enters a price once, as on Aave, makes h linear
in that leaf's simple return; products and quotients of leaves, as behind a Morpho oracle, are
handled exactly: they are linear in logs, so they are exponents and nothing is linearised. A fixed
cap is a ceiling. What rounding does is left to the integer engines; see `risk.distance.ray`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from chain.units import BPS, WAD
from protocols.aave_v3.math import lines
from protocols.aave_v3.state import AaveAccount, Quote
from protocols.compound_v2.state import CompoundAccount
from protocols.morpho_blue.math import ORACLE_PRICE_SCALE, accrue, average_rate
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import State
from risk.liquidation.compound_v2_lines import chosen, place, worst
from risk.liquidation.compound_v2_lines import lines as compound_lines

Array: TypeAlias = NDArray[np.float64]
Powers: TypeAlias = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Margin:
    """What a position could lose in value and still bear its debt, by its factors' log moves."""

    factors: tuple[str, ...]
    """[n], sorted."""
    weights: Array
    """[k], in the market's unit of value: collateral times threshold above zero, debt below."""
    powers: Array
    """[k, n]: how often each factor multiplies a term's price, less how often it divides it."""
    ceilings: Array
    """[k]: how far a term's price may rise, as a ratio to now; infinite where nothing caps it."""

    @property
    def h0(self) -> float:
        """The margin now."""
        return float(self.value(np.zeros(len(self.factors))))

    @property
    def debt(self) -> float:
        """What is owed now: the scale of the margin; health is 1 + h0 / debt."""
        now = self.weights * np.minimum(1.0, self.ceilings)
        return float(-now[now < 0].sum())

    @property
    def slope(self) -> Array:
        """Return g, [n]: the margin's change per simple return of each factor, now."""
        return self.gradient(np.zeros(len(self.factors)))

    def value(self, x: Array) -> Array:
        """Return the margin at log moves `x`, [..., n] → [...]."""
        grown: Array = np.minimum(np.exp(x @ self.powers.T), self.ceilings)
        total: Array = grown @ self.weights
        return total

    def gradient(self, x: Array) -> Array:
        """Return the margin's slope in the log moves at `x`, [n]; a term at its cap has none."""
        grown = np.exp(self.powers @ x)
        slope: Array = (self.weights * np.where(grown < self.ceilings, grown, 0.0)) @ self.powers
        return slope


@dataclass(frozen=True, slots=True)
class _Term:
    weight: float
    powers: Powers
    ceiling: float = inf


def margin_of(
    state: State | None, at: int | None = None, *, cautious: bool = False
) -> Margin | None:
    """Return a lending position's margin, accrued to `at` seconds, None for the block's own time.

    None where there is nothing to liquidate: no debt, or no engine that knows the state, or a
    price that is not positive. A `cautious` one lies below what the contract's truncated average
    threshold (Aave to 3.4) takes off, up to one bps of all collateral, and below every way in which
    a liquidator may have accrued markets (Compound).
    """
    if isinstance(state, AaveAccount):
        less = int(cautious and not state.rules.exact_threshold)
        return _margin(_aave(state, state.timestamp if at is None else at, less))
    if isinstance(state, CompoundAccount):
        return _margin(_compound(state, state.timestamp if at is None else at, cautious))
    if isinstance(state, MorphoPosition):
        return _margin(_morpho(state, state.timestamp if at is None else at))
    return None


def _aave(state: AaveAccount, at: int, less_bps: int) -> Iterable[_Term]:
    for line in lines(state, at):
        quote = line.quote
        price, powers, ceiling = _priced(quote)
        if line.collateral:
            share = (line.threshold - less_bps) / BPS
            yield _Term(line.collateral / line.unit * price * share, powers, ceiling)
        if line.debt:
            yield _Term(-line.debt / line.unit * price, powers, ceiling)


def _priced(quote: Quote) -> tuple[float, Powers, float]:
    """Return the price before any cap, what moves it, and the cap as a ratio to that price."""
    price = quote.raw * quote.num / quote.den
    if quote.constant:
        return float(quote.price()), (), inf
    ceiling = inf if quote.cap is None or price <= 0 else quote.cap / price
    return price, ((quote.factor, 1),), ceiling


def _compound(state: CompoundAccount, at: int, cautious: bool) -> Iterable[_Term]:
    """Yield what every market bears and weighs, accrued as is worst at the prices of now.

    With `cautious` each side as is worst at any.
    """
    found = compound_lines(state, place(state, at))
    if not any(line.accrued.debt for line in found):
        return
    for line, variant in chosen(found, worst(found, {})):
        quote = line.holding.market.quote
        if quote is not None:
            price = quote.raw * quote.num / quote.den / WAD
            powers: Powers = () if quote.constant else ((quote.factor, 1),)
            ways = (line.stored, line.accrued) if cautious else (variant,)
            rate, debt = min(way.rate for way in ways), max(way.debt for way in ways)
            weight = line.holding.market.collateral_factor * rate // WAD
            yield _Term(weight / WAD * line.tokens * price, powers)
            yield _Term(-debt * price, powers)


def _morpho(state: MorphoPosition, at: int) -> Iterable[_Term]:
    oracle = state.oracle
    if not state.borrow_shares or oracle is None:
        return
    if oracle.parts is None:
        powers: Powers = ((oracle.address, 1),)
    else:
        feeds = {leaf.feed for leaf in (*oracle.parts.base_feeds, *oracle.parts.quote_feeds)}
        found = ((feed, oracle.parts.power(feed)) for feed in sorted(feeds))
        powers = tuple((feed, power) for feed, power in found if power)
    worth = state.collateral / ORACLE_PRICE_SCALE * oracle.price
    yield _Term(worth * (state.params.lltv / WAD), powers)
    yield _Term(-float(_owed(state, at)), ())


def _owed(state: MorphoPosition, at: int) -> int:
    if at == state.timestamp:
        return state.borrowed
    rate = state.rate
    if state.rate_at_target is not None:
        rate = average_rate(state.rate_at_target, state.stored, at)
    return accrue(state.stored, rate, at).totals.borrowed(state.borrow_shares)


def _margin(terms: Iterable[_Term]) -> Margin | None:
    """Add up terms that move together; None without debt, or where a price is not positive."""
    merged: dict[tuple[Powers, float], float] = {}
    owed = False
    for term in terms:
        key = (term.powers, term.ceiling)
        merged[key] = merged.get(key, 0.0) + term.weight
        owed = owed or term.weight < 0
    kept = {key: weight for key, weight in merged.items() if weight or key[0]}
    factors = tuple(sorted({name for powers, _ in kept for name, _ in powers}))
    place = {name: i for i, name in enumerate(factors)}
    rows = np.zeros((len(kept), len(factors)))
    for row, (powers, _) in zip(rows, kept, strict=True):
        for name, power in powers:
            row[place[name]] = power
    if not owed:
        return None
    ceilings = np.array([ceiling for _, ceiling in kept])
    return Margin(factors, np.array(list(kept.values())), rows, ceilings)


__all__ = ["Margin", "margin_of"]
