"""The least amount that reaches a target, by trying: exact to one base unit.

What is tried is the real contract in a simulation, one try a request, so a straight line through
what is known so far proposes the next amount: three to six tries where health is nearly a line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from executor.plan.lab import Failed

MOST_TRIES: Final = 140
NUDGE: Final = 64
"""A proposed step is made longer by this fraction of itself, so that it ends past the answer."""
LINES: Final = 10
"""Tries that follow straight lines; where contracts round in larger steps than one unit, halving
the rest is all that helps."""


@dataclass(frozen=True, slots=True)
class Sized:
    """An amount that reaches the target, where one unit less does not."""

    amount: int
    health: int | None
    """None: no debt is left."""
    tries: int


@dataclass(frozen=True, slots=True)
class Unsized:
    """No amount was found."""

    reason: str


def least(
    health: Callable[[int], int | Failed | None],
    target: int,
    now: int,
    guess: int,
    most: int,
) -> Sized | Unsized:
    """Return the least amount up to `most` with a health of at least `target`.

    `now` is the health of amount 0, below the target. `health` may not fall as the amount grows,
    but for rounding: what is returned was tried itself, and so was one unit less.
    """
    if most < 1:
        return Unsized("there is nothing that could be used")
    low, high = _End(0, now - target), _End(most + 1, None)
    last, amount = low, min(max(guess, 1), most)
    for tries in range(1, MOST_TRIES + 1):
        found = health(amount)
        if isinstance(found, Failed):
            return Unsized(found.reason)
        end = _End(amount, None if found is None else found - target)
        if end.past is None or end.past >= 0:
            high = end
        elif amount == most:
            return Unsized(f"even {most} base units reach a health of {found} only")
        else:
            low = end
        # a health that is met exactly is not met better by fewer units
        if high.amount <= most and (high.past == 0 or high.amount == low.amount + 1):
            return Sized(high.amount, None if high.past is None else target + high.past, tries)
        last, amount = end, _next(low, high, last, end, most, tries)
    return Unsized(f"no exact amount in {MOST_TRIES} tries")


@dataclass(frozen=True, slots=True)
class _End:
    """An amount, and how far its health is past the target."""

    amount: int
    past: int | None
    """Negative below the target; None where there is no debt left, or nothing was tried."""


def _next(low: _End, high: _End, before: _End, last: _End, most: int, tries: int) -> int:
    """Return what to try next: strictly between the ends.

    Where the line through the last two tries meets the target, and a little farther, so that the
    answer comes to lie between two tries that are close to each other.
    """
    width = high.amount - low.amount
    middle = low.amount + width // 2
    if tries > LINES and high.amount <= most:
        return middle
    if high.amount > most and tries > 2:
        return min(most, 2 * max(1, low.amount))
    if last.past is None or before.past is None or last.past == before.past:
        return middle
    step = -last.past * (last.amount - before.amount) // (last.past - before.past)
    step += max(1, abs(step) // NUDGE) * (1 if last.past < 0 else -1)
    return min(max(last.amount + step, low.amount + 1), high.amount - 1)


__all__ = ["Sized", "Unsized", "least"]
