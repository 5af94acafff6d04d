"""The true boundary on a ray of joint moves, in the oracle's own integers on both sides.

Along the ray factor j is at ⌊raw_j · e^{t·x_j}⌋, computed to sixty digits, so that neighbouring
steps differ by single oracle units. An interval of steps is judged whole, by bounds of every value
over it, so the step found is the first at which the protocol's own arithmetic liquidates, also
where truncation makes health rise and fall.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any, Final

from chain.types import Address
from protocols.aave_v3.math import Line, lines
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import AaveAccount
from protocols.compound_v2.state import CompoundAccount
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import State
from risk.liquidation import engine_of
from risk.liquidation.aave import AaveEngine, Box
from risk.liquidation.compound_v2 import between
from risk.liquidation.engine import Engine, Factor
from risk.liquidation.search import Verdict, lowest

STEPS: Final = 2**128
"""Steps to the end of the ray."""
REACH: Final = 2
"""How far the ray is followed, in multiples of the move that is asked about."""
DIGITS: Final = 60
LEAST_PRICE: Final = 1


@dataclass(frozen=True, slots=True)
class OnRay:
    """Where the ray first meets the boundary."""

    multiple: float
    """Of the move asked about: 1 is exactly there."""
    liquidatable: Mapping[str, int]
    """Oracle prices by factor at which the protocol first liquidates."""
    safe: Mapping[str, int]
    """The step before: at most one oracle unit from it in each factor."""
    exact: bool
    """No earlier step is liquidatable; otherwise this is a crossing, found by bisection."""


def on_ray(state: State | None, move: Mapping[str, float], at: int | None = None) -> OnRay | None:
    """Return the first boundary point when factors move together by log moves `move`.

    Factors of the position that `move` lacks stay. `at` is the time it is judged at. None where
    nothing can be liquidated, it is liquidatable already, or nothing happens up to `REACH`.
    """
    engine = engine_of(state)
    if engine is None or state is None:
        return None
    factors = _primitive(state, engine)
    path = _path(factors, move)
    verdict = _verdict(state, engine, path, at)
    if verdict is None or verdict(0, 0):
        return None
    edge = lowest(0, STEPS, verdict)
    if edge.at is None:
        return None
    step, exact = edge.at, edge.exact
    if not exact:
        if not verdict(STEPS, STEPS):
            return None
        step = _bisected(step, STEPS, verdict)
    return OnRay(step * REACH / STEPS, path(step), path(step - 1), exact)


def _primitive(state: State, engine: Engine[Any]) -> tuple[Factor, ...]:
    """Return what moves alone: of an oracle and its feeds, the feeds."""
    factors = engine.factors(state)
    if isinstance(state, MorphoPosition) and state.oracle is not None and state.oracle.parts:
        return tuple(f for f in factors if f.name != state.oracle.address)
    return factors


def _path(
    factors: tuple[Factor, ...], move: Mapping[str, float]
) -> Callable[[int], dict[str, int]]:
    """Return the prices at a step; only factors that move are named."""
    moving = [f for f in factors if move.get(f.name)]

    @lru_cache(maxsize=4096)
    def at(step: int) -> tuple[tuple[str, int], ...]:
        with localcontext() as exact:
            exact.prec = DIGITS
            share = Decimal(step * REACH) / STEPS
            return tuple(
                (f.name, max(LEAST_PRICE, int(f.raw * (share * Decimal(move[f.name])).exp())))
                for f in moving
            )

    return lambda step: dict(at(step))


def _verdict(
    state: State, engine: Engine[Any], path: Callable[[int], dict[str, int]], at: int | None
) -> Verdict | None:
    if isinstance(state, AaveAccount) and isinstance(engine, AaveEngine):
        found = lines(state, state.timestamp if at is None else at)
        if not any(line.debt for line in found):
            return None
        return lambda lo, hi: engine.judge(_boxes(found, state.rules, path(lo), path(hi)))
    if isinstance(state, CompoundAccount):
        judge = between(state, at)
        return None if judge is None else lambda lo, hi: judge(path(lo), path(hi))
    if isinstance(state, MorphoPosition) and state.oracle is not None and state.borrow_shares:
        return _morpho(state, engine, path, at)
    return None


def _boxes(
    found: tuple[Line, ...], rules: Rules, one: Mapping[str, int], other: Mapping[str, int]
) -> list[Box]:
    """Return bounds of every line between two steps: each price goes one way along the ray."""
    boxes = []
    for line in found:
        name = line.quote.factor
        low, high = sorted((line.quote.price(one.get(name)), line.quote.price(other.get(name))))
        boxes.append(
            Box(
                line.threshold,
                (line.collateral_value(low), line.collateral_value(high)),
                (line.debt_value(low, rules), line.debt_value(high, rules)),
            )
        )
    return boxes


def _morpho(
    state: MorphoPosition,
    engine: Engine[Any],
    path: Callable[[int], dict[str, int]],
    at: int | None,
) -> Verdict:
    """Judge by the corners: feeds that multiply the price at one end, those that divide it at
    the other."""
    parts = state.oracle.parts if state.oracle else None

    def up(name: str) -> bool:
        return parts is None or parts.power(Address(name)) >= 0

    def verdict(lo: int, hi: int) -> bool | None:
        one, other = path(lo), path(hi)
        best = {n: (max if up(n) else min)(one[n], other[n]) for n in one}
        worst = {n: (min if up(n) else max)(one[n], other[n]) for n in one}
        if _healthy(engine, state, worst, at):
            return False
        return None if _healthy(engine, state, best, at) else True

    return verdict


def _healthy(
    engine: Engine[Any], state: MorphoPosition, prices: Mapping[str, int], at: int | None
) -> bool:
    health = engine.health(state, prices, at)
    return health is None or health >= engine.scale


def _bisected(lo: int, hi: int, verdict: Verdict) -> int:
    """Return a liquidatable step whose predecessor is safe, given a safe and a liquidatable one."""
    while hi - lo > 1:
        middle = (lo + hi) // 2
        lo, hi = (lo, middle) if verdict(middle, middle) else (middle, hi)
    return hi
