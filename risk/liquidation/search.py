"""Find the edge of a set of integers whose membership can be bounded over intervals.

Health steps: prices and balances are floored, and some releases truncate a weighted average, so
it is not monotone and bisection alone may miss a liquidatable price. An engine therefore judges
whole intervals (all, none, or undecided), exactly on a single integer, and the interval that is
undecided is halved, the half nearer to the wanted edge first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

Verdict: TypeAlias = Callable[[int, int], bool | None]
"""`verdict(lo, hi)`: True if all of lo..hi belong, False if none, None if undecided."""

BUDGET: Final = 4_000
"""Intervals judged before giving up on exactness; searches in practice need less than a thousand.

Where collateral and debt hang on one feed and cancel out, health never leaves its edge and only
rounding decides at each price: no search can end.
"""


@dataclass(frozen=True, slots=True)
class Edge:
    """The extreme member, or where the search for it stopped."""

    at: int | None
    """None where no integer of the range belongs."""
    exact: bool = True
    """False when the budget ran out: nothing beyond `at`, on the searched side, belongs."""


def highest(lo: int, hi: int, verdict: Verdict, budget: int = BUDGET) -> Edge:
    """Return the highest member in lo..hi."""
    return _search(lo, hi, verdict, budget, from_right=True)


def lowest(lo: int, hi: int, verdict: Verdict, budget: int = BUDGET) -> Edge:
    """Return the lowest member in lo..hi."""
    return _search(lo, hi, verdict, budget, from_right=False)


def _search(lo: int, hi: int, verdict: Verdict, budget: int, *, from_right: bool) -> Edge:
    waiting = [(lo, hi)] if lo <= hi else []
    while waiting:
        a, b = waiting.pop()
        edge = b if from_right else a
        if budget == 0:
            return Edge(edge, exact=False)
        budget -= 1
        judged = verdict(a, b)
        if judged:
            return Edge(edge)
        if judged is None:
            middle = (a + b) // 2
            left, right = (a, middle), (middle + 1, b)
            waiting += [left, right] if from_right else [right, left]
    return Edge(None)
