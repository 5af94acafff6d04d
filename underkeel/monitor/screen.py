"""Judge every position a little: its exact health at this block, and whether that may be relied on.

A full judgement searches for boundaries and costs milliseconds; this costs microseconds. What is
screened says no more than health; all else of a position is as old as its last full judgement.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from protocols.types import Position
from risk.liquidation import engine_for

MOVED: Final = Fraction(1, 100)
"""A move of health by this much asks for a new judgement."""


@dataclass(frozen=True, slots=True)
class Screened:
    """What is known of a position at one block without judging it."""

    health_raw: int | None
    """None without debt, or where it cannot be said."""
    scale: int
    sound: bool
    """Nothing speaks against it; else only a full judgement may say anything."""
    shape: tuple[object, ...]
    """What changes when its owner acts, and not by time or prices alone."""

    @property
    def health(self) -> Fraction | None:
        """Return health as a ratio; below 1 is liquidatable."""
        return None if self.health_raw is None else Fraction(self.health_raw, self.scale)


def screen(position: Position) -> Screened:
    """Screen one position; never raises for what the protocol's arithmetic refuses."""
    shape = tuple((leg.token.address, leg.side, leg.name) for leg in position.legs)
    sound = position.verified and not position.unknown
    engine = engine_for(position)
    if engine is None:
        return Screened(None, 1, sound, shape)
    try:
        health = engine.health(position.state)
        if health is None:
            return Screened(None, engine.scale, sound, shape)
        doubted = any(factor.problems for factor in engine.factors(position.state))
    except ArithmeticError:
        return Screened(None, engine.scale, False, shape)
    return Screened(health, engine.scale, sound and not doubted, shape)


def moved(before: Screened, now: Screened) -> bool:
    """Tell whether a judgement made at `before` no longer describes a position at `now`."""
    if (before.sound, before.shape) != (now.sound, now.shape):
        return True
    was, is_ = before.health_raw, now.health_raw
    if was is None or is_ is None:
        return was is not is_
    return abs(is_ - was) * MOVED.denominator > was * MOVED.numerator
