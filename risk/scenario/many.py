"""What many simulated paths do to one position, liquidations on the way included.

Where no path comes near a liquidation a position is revalued at once for all of them, in floats.
A path that touches one is played by the contracts' integers, at those steps alone that come near:
between two of them nothing happens to a position but its prices. What it ends with is, bit by bit,
what `risk.scenario.play` gives, step by step.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protocols.compound_v2.state import CompoundAccount
from protocols.uniswap_v3.math import Q96, sqrt_ratio_at_tick
from protocols.uniswap_v3.state import UniswapV3State
from risk.distance.linear import Margin, margin_of
from risk.kernel import Accounts, block_size, tally
from risk.liquidation import engine_of
from risk.liquidation.compound_v2 import ENGINE as COMPOUND
from risk.liquidation.engine import Engine
from risk.scenario.liquidity import pair
from risk.scenario.play import Run, advance, moved, range_units, value
from risk.scenario.types import Exposed, Moves, Valued
from risk.valuation import sign

F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Parts = Callable[[str], tuple[tuple[str, int], ...]]
"""Returns the factors whose powers' product one of an engine's is; one that moves alone itself."""

NEAR: Final = 1e-6
"""Of the debt: steps whose margin comes as near as this are judged by integers."""
UNITS: Final = 1_000
"""Base units: more than all roundings of one account together."""
FUSED_FROM: Final = 100_000_000
"""Tests from which on loading the compiled kernel is worth its seconds."""


def alone(name: str) -> tuple[tuple[str, int], ...]:
    """Return a factor as one that moves alone."""
    return ((name, 1),)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What every path does to one position."""

    loss_usd: F64
    """[paths]; NaN where it is not known."""
    liquidated: Bool
    """[paths]"""
    cause: str = ""


def outcomes(
    held: Exposed,
    factors: Sequence[str],
    log: F64,
    parts: Parts = alone,
    gas_usd: float = 0.0,
    *,
    safe: bool = False,
) -> Outcomes:
    """Return what paths [paths, steps, n] of cumulative log returns do to a position.

    `safe` where it is known that none of them comes near a liquidation: see `untouched`.
    """
    paths = log.shape[0]
    start = value(held, None, {})
    causes = held.causes({})
    if start is None or causes:
        why = "; ".join(causes) or "not all of it has a price"
        return Outcomes(np.full(paths, np.nan), np.zeros(paths, bool), why)
    place = {name: i for i, name in enumerate(factors)}
    lost = start - final_values(held, place, log[:, -1])
    hit = np.zeros(paths, bool)
    engine = engine_of(held.position.state)
    if engine is None or safe:
        return Outcomes(lost, hit)
    near = _near(held.position.state, place, log, parts)
    rows = np.flatnonzero(near.any(axis=1))
    if not len(rows):
        return Outcomes(lost, hit)
    player = _Player.of(held, engine, factors, log[rows], parts, gas_usd)
    for i, row in enumerate(rows.tolist()):
        after, hit[row] = player.play(i, near[row])
        lost[row] = np.nan if after is None else start - after
    return Outcomes(lost, hit)


@dataclass(frozen=True, slots=True)
class _Player:
    """One position and the paths that touch its liquidation."""

    held: Exposed
    engine: Engine[Any]
    factors: Sequence[str]
    place: Mapping[str, int]
    log: F64
    """[rows, steps, n]"""
    moves: F64
    """[rows, steps, n]: multipliers of the factors."""
    raws: tuple[tuple[str, int], ...]
    """The engine's own factors that move, with their prices now."""
    own: F64
    """[rows, steps, own]: multipliers of those."""
    parts: Parts
    gas_usd: float

    @classmethod
    def of(
        cls,
        held: Exposed,
        engine: Engine[Any],
        factors: Sequence[str],
        log: F64,
        parts: Parts,
        gas_usd: float,
    ) -> "_Player":
        """Compute all multipliers once."""
        place = {name: i for i, name in enumerate(factors)}
        moves = np.exp(log)
        raws: list[tuple[str, int]] = []
        columns: list[F64] = []
        for factor in engine.factors(held.position.state):
            name, behind = factor.name, parts(factor.name)
            if name in place:
                column = moves[:, :, place[name]]
            elif behind != alone(name):
                column = np.ones(log.shape[:2])
                for one, power in behind:
                    if one in place:
                        column = column * moves[:, :, place[one]] ** power
            else:
                continue
            raws.append((name, factor.raw))
            columns.append(column)
        own = np.stack(columns, axis=2) if columns else np.empty((*log.shape[:2], 0))
        return cls(held, engine, factors, place, log, moves, tuple(raws), own, parts, gas_usd)

    def play(self, row: int, near: Bool) -> tuple[float | None, bool]:
        """Return what the owner is left with, None where that is not known; if liquidated."""
        run, doubtful = Run.of(self.held), not self.held.position.verified
        step = int(near.argmax())
        while step < len(near):
            before = len(run.taken)
            try:
                advance(run, self.engine, step, self._prices(row, step), None, self.gas_usd)
            except ArithmeticError:
                return None, bool(run.taken)
            if len(run.taken) > before and step + 1 < len(near):
                rest = self.log[row : row + 1, step + 1 :]
                near = near.copy()
                near[step + 1 :] = _near(run.state, self.place, rest, self.parts)[0]
            coming = np.flatnonzero(near[step + 1 :])
            step = step + 1 + int(coming[0]) if len(coming) else len(near)
        last = self._market(row, len(near) - 1)
        if doubtful or self.held.causes(last):
            return None, bool(run.taken)
        left = value(self.held, run.amounts, last)
        return None if left is None else max(0.0, left), bool(run.taken)

    def _market(self, row: int, step: int) -> dict[str, float]:
        return dict(zip(self.factors, self.moves[row, step].tolist(), strict=True))

    def _prices(self, row: int, step: int) -> dict[str, int]:
        many = self.own[row, step].tolist()
        return {name: moved(raw, m) for (name, raw), m in zip(self.raws, many, strict=True)}


def with_products(moves: Moves, own: Iterable[str], parts: Parts) -> Moves:
    """Add the engines' own factors that are products of others: they move as their parts do."""
    found = dict(moves)
    for name in own:
        behind = parts(name)
        if behind != alone(name) and name not in moves:
            found[name] = prod(moves.get(part, 1.0) ** power for part, power in behind)
    return found


def untouched(
    held: Sequence[Exposed], factors: Sequence[str], log: F64, parts: Parts = alone
) -> frozenset[int]:
    """Return which positions no step of any path brings near a liquidation, by their place.

    All of them in all scenarios at once, as signs of one product: `risk.kernel`. Only those whose
    margin is linear in the factors; of others it says nothing.
    """
    place = {name: i for i, name in enumerate(factors)}
    rows: list[dict[int, float]] = []
    known: list[int] = []
    for at, one in enumerate(held):
        state = one.position.state
        margin = None if _always(state) else margin_of(state, cautious=True)
        row = None if margin is None else _linear(margin, place, parts)
        if row is not None:
            known.append(at)
            rows.append(row)
    if not rows:
        return frozenset()
    accounts = Accounts.of(rows, len(factors) + 1)
    size = max(1, block_size(accounts) // log.shape[1])
    blocks = (_prices(log[first : first + size]) for first in range(0, len(log), size))
    fused = None if len(rows) * log.shape[0] * log.shape[1] >= FUSED_FROM else False
    counts = tally(accounts, blocks, fused=fused).liquidatable
    return frozenset(at for at, count in zip(known, counts.tolist(), strict=True) if not count)


def _prices(log: F64) -> F64:
    """Return every step of some paths as a scenario: multipliers, and a last row of what stays."""
    prices = np.ones((log.shape[2] + 1, log.shape[0] * log.shape[1]))
    np.exp(log.reshape(-1, log.shape[2]).T, out=prices[:-1])
    return prices


def _always(state: Any) -> bool:
    """Return whether a liquidation may be due whatever the margin says: a deprecated debt."""
    if not isinstance(state, CompoundAccount):
        return False
    try:
        health = COMPOUND.health(state)
    except ArithmeticError:
        return True
    return health is not None and health < COMPOUND.scale


def _linear(margin: Margin, place: Mapping[str, int], parts: Parts) -> dict[int, float] | None:
    """Return a margin's weight by factor, less all slack; None where it is not linear."""
    row = {len(place): -(NEAR * margin.debt + UNITS)}
    if not (np.isfinite(margin.weights).all() and np.isinf(margin.ceilings).all()):
        return None
    for weight, powers in zip(margin.weights.tolist(), margin.powers.tolist(), strict=True):
        moved_by = {f: int(p) for f, p in zip(margin.factors, powers, strict=True) if p}
        if any(f not in place and parts(f) != alone(f) for f in moved_by):
            return None
        moving = {f: p for f, p in moved_by.items() if f in place}
        if list(moving.values()) not in ([], [1]):
            return None
        at = place[next(iter(moving))] if moving else len(place)
        row[at] = row.get(at, 0.0) + weight
    return row


def _near(state: Any, place: Mapping[str, int], log: F64, parts: Parts) -> Bool:
    """Return which steps [paths, steps] are liquidatable, or so near that floats cannot tell."""
    if _always(state):
        return np.ones(log.shape[:2], bool)
    margin = margin_of(state, cautious=True)
    if margin is None:
        return np.zeros(log.shape[:2], bool)
    x = np.zeros((*log.shape[:2], len(margin.factors)))  # a factor that is not simulated stays
    for i, factor in enumerate(margin.factors):
        for one, power in ((factor, 1),) if factor in place else parts(factor):
            if one in place:
                x[:, :, i] += power * log[:, :, place[one]]
    found: Bool = margin.value(x) <= NEAR * margin.debt + UNITS
    return found


def final_values(held: Exposed, place: Mapping[str, int], log: F64) -> F64:
    """Return what a position is worth at log moves [paths, n], liquidations apart."""
    total = np.zeros(log.shape[0])
    skip: Sequence[int] = ()
    state = held.position.state
    if isinstance(state, UniswapV3State):
        sides, units = pair(tuple(v.leg for v in held.legs)), range_units(held, state)
        if sides is None or units is None:
            return np.full(log.shape[0], np.nan)
        total += _range_values(held, state, sides, units, place, log)
        skip = sides
    for i, valued in enumerate(held.legs):
        weight = sign(valued.leg.side)
        if i in skip or not weight or not valued.leg.amount:
            continue
        total += weight * (valued.usd or 0.0) * multiples(valued, place, log)
    if margin_of(state) is not None:
        total = np.maximum(total, 0.0)
    return total


def multiples(valued: Valued, place: Mapping[str, int], log: F64) -> F64:
    """Return what a leg's price is multiplied by, [paths]; NaN where that cannot be told."""
    raised = np.zeros(log.shape[0])
    for factor, power in valued.powers.items():
        if factor in place:
            raised += power * log[:, place[factor]]
    many: F64 = np.exp(raised)
    if valued.room != np.inf:
        many = np.minimum(many, valued.room) / min(1.0, valued.room)
    if any(f in place for f in valued.blind):
        return np.full(log.shape[0], np.nan)
    return many


def _range_values(
    held: Exposed,
    state: UniswapV3State,
    sides: tuple[int, int],
    units: tuple[float, float],
    place: Mapping[str, int],
    log: F64,
) -> F64:
    """Return what a range pays at the moved prices of its pair."""
    m0, m1 = (multiples(held.legs[i], place, log) for i in sides)
    low, high = (sqrt_ratio_at_tick(tick) / Q96 for tick in (state.tick_lower, state.tick_upper))
    root = np.clip(state.sqrt_price_x96 / Q96 * np.sqrt(m0 / m1), low, high)
    size = float(state.liquidity)
    worth: F64 = size * (1 / root - 1 / high) * units[0] * m0 + size * (root - low) * units[1] * m1
    return worth
