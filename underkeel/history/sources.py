"""Where a factor's history is: which feeds and pools its expression is made of.

A share price has no history on chain and hardly moves, so where it is multiplied with something
that does it is held constant. An oracle without rounds is followed to the feeds it names, as far as
those alone move it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from chain.calls import ReadFailed, Reads, Result, Unknown
from chain.types import ZERO_ADDRESS, Address
from protocols.prices import expr
from protocols.prices.feed import DECIMALS, LATEST, UNDERLYING
from risk.market.types import PriceSeries

MINOR_DAILY = 0.001
"""Assumed volatility a day of a share price, of which no history is kept on chain."""


class NoHistory(ValueError):
    """A factor's expression has a part whose past cannot be known."""


@dataclass(frozen=True, slots=True)
class Behind:
    """What is to be read for one feed-like address."""

    asked: Address
    feeds: tuple[Address, ...]
    """Itself if it has rounds, else the feeds that it multiplies."""
    decimals: tuple[int, ...]


def read_behind(address: Address) -> Reads[Behind]:
    """Return whose rounds tell an address's history; raises `ReadFailed`.

    Reads, two rounds: `latestRoundData`, `decimals` and the feeds it names; their decimals.
    """
    results = yield [LATEST.at(address), DECIMALS.at(address), *(g.at(address) for g in UNDERLYING)]
    latest = LATEST.known(results[0])
    if not isinstance(latest, Unknown) and latest[0]:
        return Behind(address, (address,), (_decimals(results[1]),))
    if isinstance(results[0], Unknown):
        raise ReadFailed(f"latestRoundData: {results[0].reason}")
    named = [g.known(r) for g, r in zip(UNDERLYING, results[2:], strict=True)]
    feeds = [a for a in named if isinstance(a, str) and a != ZERO_ADDRESS]
    if not feeds:
        raise ReadFailed("it has no rounds, and names no feed that has")
    parts = tuple(Address(a) for a in feeds[:2])
    scales = yield [DECIMALS.at(part) for part in parts]
    return Behind(address, parts, tuple(_decimals(s) for s in scales))


def _decimals(result: Result) -> int:
    found: int = DECIMALS.decode(result)
    return found


def needed(factor: str) -> tuple[expr.Expr, tuple[expr.Primitive, ...]]:
    """Return a factor's expression and the primitives whose pasts make its own.

    Raises `NoHistory` for one that no past on chain tells.
    """
    try:
        found = expr.parse(factor)
    except ValueError as error:
        raise NoHistory(str(error)) from None
    if not expr.primitives(found):
        raise NoHistory("it is a constant that somebody wrote down")
    moving = tuple(p for p in expr.primitives(found) if not isinstance(p, expr.Ratio))
    if not moving:
        raise NoHistory("a share price has no history on chain")
    if len(moving) < len(expr.primitives(found)) and _levels_matter(found):
        raise NoHistory("it compares a share price with something, and that has no history")
    return found, moving


def _levels_matter(found: expr.Expr) -> bool:
    if isinstance(found, expr.Min | expr.Cap):
        return True
    return any(_levels_matter(part) for part in expr.children(found))


def combined(
    factor: str, label: str, whole: expr.Expr, parts: Mapping[expr.Primitive, PriceSeries]
) -> PriceSeries:
    """Return the history of an expression from those of its parts, each at its last known value."""
    if len(parts) == 1 and isinstance(whole, expr.Feed | expr.Opaque | expr.Twap):
        (only,) = parts.values()
        return PriceSeries(factor, label or only.label, only.times, only.prices, only.source)
    first = max(int(s.times[0]) for s in parts.values())
    times = np.unique(np.concatenate([s.times for s in parts.values()]))
    times = times[times >= first]
    known: dict[expr.Primitive, NDArray[np.float64]] = {
        p: s.prices[np.searchsorted(s.times, times, "right") - 1] for p, s in parts.items()
    }
    sources = " × ".join(dict.fromkeys(s.source for s in parts.values()))
    return PriceSeries(factor, label, times, _value(whole, known, len(times)), sources)


def _value(
    whole: expr.Expr, known: Mapping[expr.Primitive, NDArray[np.float64]], n: int
) -> NDArray[np.float64]:
    match whole:
        case expr.Constant(raw, decimals):
            return np.full(n, raw / 10**decimals)
        case expr.Ratio():
            return np.ones(n)
        case expr.Quotient(over, under):
            return _value(over, known, n) / _value(under, known, n)
        case expr.Cap(inner, ceiling):
            return np.minimum(_value(inner, known, n), _value(ceiling, known, n))
        case expr.Product(parts):
            return reduce(np.multiply, (_value(part, known, n) for part in parts))
        case expr.Min(parts):
            return reduce(np.minimum, (_value(part, known, n) for part in parts))
        case _:
            return known[whole]
