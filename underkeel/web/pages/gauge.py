"""Depth under the keel: how a health is drawn, on a scale that never rounds across its edge.

A health of 1 touches ground. The scale is steep there and flat far out, and what is above 1 by one
unit in the last place is drawn afloat, what is below by one is drawn aground.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import Final

HALF: Final = 0.5
"""The margin over 1 that is drawn at 70 % of the depth: 1.5."""
AGROUND: Final = 0.25
"""The shortfall under 1 that is drawn half-way up."""
LEAST: Final = 0.03
"""What is nearest to the edge is still this far on its side of it."""
MARKS: Final = (("1.05", 1.05), ("1.1", 1.1), ("1.25", 1.25), ("1.5", 1.5), ("2", 2.0), ("4", 4.0))
"""Depth contours."""


def depth(raw: int, scale: int) -> float:
    """Return how deep the water is: above 0 to 1 afloat, below 0 to −1 aground."""
    margin = float(Fraction(min(abs(raw - scale), 10**6 * scale), scale))
    # written so that each operation rounds in one direction: more health is never drawn lower
    if raw >= scale:
        return max(LEAST, sqrt(1 - HALF / (margin + HALF)))
    return -max(LEAST, 1 - AGROUND / (margin + AGROUND))


HEIGHT: Final = 180.0
"""Of a sounding's drawing; its width is stretched to its column."""
WATERLINE: Final = 18.0
KEEL: Final = 46.0
BED: Final = 164.0
"""Where the deepest bed lies."""
HIGHEST: Final = 8.0
"""How far a bed may rise over the keel."""


def bed(found: float) -> float:
    """Return a depth's place in the drawing, from its top."""
    if found >= 0:
        return KEEL + found * (BED - KEEL)
    return KEEL + found * (KEEL - HIGHEST)


CONTOURS: Final = tuple(
    (label, round(bed(depth(round(value * 10**6), 10**6)), 1)) for label, value in MARKS
)


@dataclass(frozen=True, slots=True)
class Bed:
    """The ground below one position, joined to its neighbours'."""

    left: float
    middle: float
    right: float

    @property
    def path(self) -> str:
        """Return the ground as a path in a box 100 wide and HEIGHT high."""
        return f"{self.line} L100 {HEIGHT} L0 {HEIGHT} Z"

    @property
    def line(self) -> str:
        """Return its surface; flat under the position itself, so that the depth can be read."""
        a, b, c = self.left, self.middle, self.right
        return (
            f"M0 {a:.1f} C14 {a:.1f} 18 {b:.1f} 32 {b:.1f} "
            f"L68 {b:.1f} C82 {b:.1f} 86 {c:.1f} 100 {c:.1f}"
        )


def beds(depths: Sequence[float | None]) -> list[Bed]:
    """Return the ground below each position; None, unknown, is drawn flat half-way."""
    at = [bed(0.5 if found is None else found) for found in depths]
    return [
        Bed(
            (at[i - 1] + y) / 2 if i else y,
            y,
            (at[i + 1] + y) / 2 if i + 1 < len(at) else y,
        )
        for i, y in enumerate(at)
    ]


@dataclass(frozen=True, slots=True)
class Bar:
    """A health in one line of a table: the water right of the keel, or the ground left of it."""

    x: float
    width: float
    aground: bool


BAR_WIDTH: Final = 120.0
BAR_KEEL: Final = 24.0
BAR_MARKS: Final = tuple(
    round(BAR_KEEL + depth(round(value * 10**6), 10**6) * (BAR_WIDTH - BAR_KEEL), 1)
    for _, value in MARKS
)


def bar(found: float) -> Bar:
    """Return a depth as a bar."""
    if found >= 0:
        return Bar(BAR_KEEL, round(found * (BAR_WIDTH - BAR_KEEL), 1), aground=False)
    width = round(-found * BAR_KEEL, 1)
    return Bar(BAR_KEEL - width, width, aground=True)
