"""Share an amount between routes, by their marginal prices.

Each route was quoted at a ladder of amounts. For a pool of constant product the given amount over
the quoted one is a straight line in the given one, whichever of the two is given; ranges of
concentrated liquidity are such pools piece by piece. So that quotient is taken for linear between
two rungs, which makes the marginal price c/q² there. It gets worse with the amount, so that the
best shares are those at which it is the same for all routes (or a route takes nothing, or all it
can). That is a proposal in floats: what it gives is quoted to the wei afterwards, and a single
route stays in the running.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise
from math import inf, nextafter, sqrt
from typing import Final, NamedTuple

from chain.calls import Unknown
from executor.swaps.types import Route, Side

RUNGS: Final = tuple(Fraction(*rung) for rung in ((1, 16), (1, 8), (1, 4), (1, 2), (3, 4), (1, 1)))
"""Shares of the amount at which every route is quoted; the last one is all of it."""
SMALLEST: Final = 0.002
"""Least share of the amount that is worth a leg of its own."""
MOST_ROUTES: Final = 8
"""Routes that splits are made of; more would only make more of the same."""
PROPOSALS: Final = 4
"""Splits that are quoted to the wei."""
HALVINGS: Final = 80
"""Of the range that the common marginal price is searched in."""


class Piece(NamedTuple):
    """Between two rungs: from `start` to `end` the quotient is `quotient + slope·(x − start)`."""

    start: float
    end: float
    quotient: float
    slope: float

    @property
    def constant(self) -> float:
        """The quotient that the line would have at zero; the marginal price is this over q²."""
        return self.quotient - self.slope * self.start

    def at(self, size: float) -> float:
        """Return the quotient."""
        return self.quotient + self.slope * (size - self.start)


@dataclass(frozen=True, slots=True)
class Curve:
    """What a route gives at the margin: more is better, for both sides."""

    route: Route
    sign: int
    """One for exact-in, where more comes out; minus one for exact-out, where more is to be paid."""
    pieces: tuple[Piece, ...]
    """From zero to the largest amount that was quoted."""

    @property
    def capacity(self) -> float:
        """The largest amount that was quoted."""
        return self.pieces[-1].end

    def prices(self) -> list[float]:
        """Return the marginal prices at both ends of each piece."""
        return [self._price(p, x) for p in self.pieces for x in (p.start, p.end)]

    def _price(self, piece: Piece, size: float) -> float:
        return self.sign * piece.constant / piece.at(size) ** 2

    def size(self, price: float) -> float:
        """Return how much fits in before the marginal price falls below `price`."""
        for piece in self.pieces:
            if self._price(piece, piece.start) < price:
                return piece.start
            if self._price(piece, piece.end) < price:
                quotient = sqrt(self.sign * piece.constant / price)
                size = piece.start + (quotient - piece.quotient) / piece.slope
                return min(max(size, piece.start), piece.end)
        return self.capacity

    def worth(self, size: float) -> float:
        """Return what so much gives, or takes with a minus."""
        piece = next((p for p in self.pieces if size <= p.end), self.pieces[-1])
        return self.sign * size / piece.at(size)


def ladder(amount: int) -> tuple[int, ...]:
    """Return the amounts to quote, rising; fewer where the amount is tiny."""
    sizes = (int(amount * rung) for rung in RUNGS)
    return tuple(dict.fromkeys(size for size in sizes if size))


def curve(route: Route, side: Side, rungs: Sequence[tuple[int, int | Unknown]]) -> Curve | None:
    """Return a route's curve from its quotes in rising order of amounts; None without any.

    It ends before the first amount that was not quoted, as where a pool runs dry.
    """
    points: list[tuple[float, float]] = []
    for size, total in rungs:
        if isinstance(total, Unknown):
            break
        points.append((float(size), size / total))
    if not points:
        return None
    slopes = [(q1 - q0) / (x1 - x0) for (x0, q0), (x1, q1) in pairwise(points)]
    # From zero to the first rung the next piece's line goes on, if there it still means a pool.
    (end, quotient), slope = points[0], slopes[0] if slopes else 0.0
    if quotient - slope * end <= 0:
        slope = 0.0
    pieces = [Piece(0.0, end, quotient - slope * end, slope)]
    for (x0, q0), (x1, _), slope in zip(points, points[1:], slopes, strict=False):
        piece = Piece(x0, x1, q0, slope)
        # What rounding makes of tiny amounts may be no pool's line: then one price is all there is.
        pieces.append(piece if piece.constant > 0 else Piece(x0, x1, q0, 0.0))
    return Curve(route, 1 if side is Side.EXACT_IN else -1, tuple(pieces))


def share(curves: Sequence[Curve], amount: int) -> tuple[float, ...] | None:
    """Return how much each route gets; None where all together cannot take the amount."""
    if sum(one.capacity for one in curves) < amount:
        return None
    prices = [price for one in curves for price in one.prices()]
    # At `low` every route takes all it can, just above the best price none takes anything.
    low, high = min(prices), nextafter(max(prices), inf)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if sum(one.size(middle) for one in curves) >= amount:
            low = middle
        else:
            high = middle
    more = [one.size(low) for one in curves]
    sizes = [min(one.size(high), full) for one, full in zip(curves, more, strict=True)]
    # Where a price holds over a range, all of the range has it: the first in order takes the rest.
    rest = amount - sum(sizes)
    for n, full in enumerate(more):
        step = min(max(full - sizes[n], 0.0), rest)
        sizes[n] += step
        rest -= step
    return tuple(sizes)


def whole(sizes: Sequence[float], amount: int) -> tuple[int, ...]:
    """Return the shares as integers that add up to the amount; the largest takes the dust."""
    parts = [int(size) for size in sizes]
    largest = max(range(len(parts)), key=lambda n: parts[n])
    parts[largest] += amount - sum(parts)
    return tuple(parts)


def propose(
    curves: Sequence[Curve], amount: int, most: int, leg_cost: int
) -> tuple[tuple[tuple[Route, int], ...], ...]:
    """Return the most promising splits over two to `most` routes, the best first.

    No pool is in two routes of a split, because the quotes of one do not know of the other.
    """
    found: list[tuple[float, tuple[tuple[Route, int], ...]]] = []
    promising = _promising(curves, amount)
    for count in range(2, most + 1):
        for chosen in combinations(promising, count):
            if len(frozenset[str]().union(*(one.route.pools for one in chosen))) < sum(
                len(one.route.pools) for one in chosen
            ):
                continue
            sizes = share(chosen, amount)
            if sizes is None or min(sizes) < amount * SMALLEST:
                continue
            worth = sum(one.worth(size) for one, size in zip(chosen, sizes, strict=True))
            parts = zip((one.route for one in chosen), whole(sizes, amount), strict=True)
            legs = sorted(parts, key=lambda part: (-part[1], part[0].key))
            found.append((worth - leg_cost * (count - 1), tuple(legs)))
    found.sort(key=lambda one: (-one[0], len(one[1]), [route.key for route, _ in one[1]]))
    return tuple(legs for _, legs in found[:PROPOSALS])


def _promising(curves: Sequence[Curve], amount: int) -> list[Curve]:
    """Return the curves that take most where all of them share the amount."""
    if len(curves) <= MOST_ROUTES:
        return list(curves)
    sizes = share(curves, amount) or tuple(one.prices()[0] for one in curves)
    order = sorted(range(len(curves)), key=lambda n: (-sizes[n], curves[n].route.key))
    return [curves[n] for n in order[:MOST_ROUTES]]
