"""How likely a position is liquidated before a horizon, by filtered historical simulation.

Paths of all factors are made of their own joint shocks (`risk.market.paths`). The protocol does
not see them: each feed speaks when the market has moved by its deviation from what it last said,
or when its heartbeat is over, and is heard some steps later. A path is liquidated at the first step
at which the margin at the prices seen is below zero; interest goes on meanwhile. Only one step of
all paths is held at a time, so memory does not grow with the horizon.

Beside it stands a closed form for driftless normal moves and a flat boundary, β sigmas away:
P = 2Φ(−β), with the barrier moved out for watching at steps only (Broadie, Glasserman and Kou,
"A continuity correction for discrete barrier options", 1997). It knows neither fat tails nor the
oracle's lag, and is there to be compared with.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erfc, exp, inf, log1p, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk.distance.linear import Array, Margin
from risk.market.paths import walk
from risk.market.types import Residuals
from risk.oracle.replay import Behaviour

DISCRETE: Final = 0.5826
"""−ζ(1/2)/√(2π): how many steps' sigmas a barrier watched at steps only lies farther out."""
CONFIDENCE_Z: Final = 1.959963984540054
"""Two-sided 95 %."""
BLOCK: Final = 10_000
"""Paths walked at once."""
FILTERED: Final = "filtered historical simulation"
CLOSED: Final = "closed form, normal"


ATTENTIVE: Final = Behaviour(0.0, inf)
"""A feed of which nothing is known: it speaks at every step."""


@dataclass(frozen=True, slots=True)
class Probability:
    """The chance of at least one liquidation up to a horizon."""

    horizon_s: int
    method: str
    p: float | None
    """None where it cannot be told, with the cause in `cause`."""
    ci_lo: float | None = None
    """Wilson's interval of the simulation's own noise, 95 %; None for a closed form."""
    ci_hi: float | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A position now, and as interest alone leaves it at the end of the last horizon."""

    now: Margin
    later: Margin | None = None
    """The same terms; None to leave interest out."""

    def weights(self, share: float) -> Array:
        """Return the terms' weights after a share of the last horizon."""
        if self.later is None or self.later.weights.shape != self.now.weights.shape:
            return self.now.weights
        moved: Array = self.now.weights + share * (self.later.weights - self.now.weights)
        return moved


def wilson(hits: int, count: int, z: float = CONFIDENCE_Z) -> tuple[float, float]:
    """Return Wilson's interval of a proportion; sensible at 0 and at `count` too."""
    p, square = hits / count, z * z / count
    middle = (p + square / 2) / (1 + square)
    half = z * sqrt(p * (1 - p) / count + square / (4 * count)) / (1 + square)
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == count else middle + half)


def first_passage(barrier: float, drift: float, sigma: float, horizon: float) -> float:
    """Return P(min over [0, horizon] of drift·t + sigma·W_t ≤ barrier), barrier ≤ 0."""
    if barrier >= 0:
        return 1.0
    spread = sigma * sqrt(horizon)
    below = _normal((barrier - drift * horizon) / spread)
    return below + exp(2 * drift * barrier / sigma**2) * _normal(
        (barrier + drift * horizon) / spread
    )


def first_passage_in_steps(
    barrier: float, drift: float, sigma: float, horizon: float, step: float
) -> float:
    """Return `first_passage` watched at steps only, by moving the barrier out."""
    return first_passage(barrier - DISCRETE * sigma * sqrt(step), drift, sigma, horizon)


def closed_form(beta: float, sigma_horizon_s: int, horizon_s: int, step_s: int) -> Probability:
    """Return the chance for a flat boundary that is β sigmas of `sigma_horizon_s` away."""
    if beta <= 0:
        return Probability(horizon_s, CLOSED, 1.0)
    p = first_passage_in_steps(-beta * sqrt(sigma_horizon_s), 0.0, 1.0, horizon_s, step_s)
    return Probability(horizon_s, CLOSED, p)


def simulate(
    courses: Mapping[str, Course],
    residuals: Residuals,
    horizons_s: Sequence[int],
    *,
    feeds: Mapping[str, Behaviour] | None = None,
    ages_s: Mapping[str, float] | None = None,
    paths: int = 10_000,
    seed: int = 1,
) -> dict[str, tuple[Probability, ...]]:
    """Return, per position, the chance of liquidation up to each horizon.

    All positions live on the same paths. `feeds` are by factor; one that is not listed is seen at
    every step. `ages_s` says how long ago they spoke. A latency counts in whole steps, rounded
    down, which can only bring liquidation nearer. A position with a factor that `residuals` lacks,
    or whose shocks are no numbers, is unknown, and so is a horizon shorter than a step.
    """
    # A price that is no number is never below any boundary: it would look like safety.
    sound = np.isfinite(residuals.z).all(axis=0) & np.isfinite(residuals.sigma)
    known = {name: i for i, name in enumerate(residuals.factors) if sound[i]}
    rules = [(feeds or {}).get(name, ATTENTIVE) for name in residuals.factors]
    ages = [float((ages_s or {}).get(name, 0)) for name in residuals.factors]
    able = {
        name: course
        for name, course in courses.items()
        if all(factor in known for factor in course.now.factors)
    }
    steps = [horizon // residuals.step_s for horizon in horizons_s]
    hits = {name: np.zeros(len(steps), np.int64) for name in able}
    if able and any(steps):
        done, block = 0, 0
        while done < paths:
            count = min(BLOCK, paths - done)
            oracle = Seen(residuals.step_s, rules, ages, count)
            _walk(able, residuals, steps, oracle, seed + block, hits)
            done, block = done + count, block + 1
    return {
        name: tuple(
            _told(name, course, int(hits[name][i]) if name in hits else None, paths, horizon, n)
            for i, (horizon, n) in enumerate(zip(horizons_s, steps, strict=True))
        )
        for name, course in courses.items()
    }


def _told(
    name: str, course: Course, hits: int | None, paths: int, horizon_s: int, steps: int
) -> Probability:
    if course.now.h0 < 0:
        return Probability(horizon_s, FILTERED, 1.0, 1.0, 1.0)
    if hits is None:
        return Probability(horizon_s, FILTERED, None, cause="a factor has no shocks to draw from")
    if steps == 0:
        return Probability(horizon_s, FILTERED, None, cause="shorter than a step of the history")
    low, high = wilson(hits, paths)
    return Probability(horizon_s, FILTERED, hits / paths, low, high)


def _walk(
    courses: Mapping[str, Course],
    residuals: Residuals,
    steps: Sequence[int],
    oracle: "Seen",
    seed: int,
    hits: Mapping[str, NDArray[np.int64]],
) -> None:
    """Walk one block of paths and count who was liquidated by each horizon."""
    known = {name: i for i, name in enumerate(residuals.factors)}
    columns = {name: [known[f] for f in course.now.factors] for name, course in courses.items()}
    paths = oracle.paths
    gone = {name: np.zeros(paths, np.bool_) for name in courses}
    last = max(steps)
    for step, market in enumerate(walk(residuals, last, paths, seed=seed), start=1):
        seen = oracle.hear(market)
        for name, course in courses.items():
            moved = Margin(
                course.now.factors,
                course.weights(step / last),
                course.now.powers,
                course.now.ceilings,
            )
            gone[name] |= moved.value(seen[:, columns[name]]) < 0
        for i, horizon in enumerate(steps):
            if horizon == step:
                for name in courses:
                    hits[name][i] += int(gone[name].sum())


class Seen:
    """What all feeds say on every path: logs of their answers over now's."""

    def __init__(
        self, step_s: int, rules: Sequence[Behaviour], ages: Sequence[float], paths: int
    ) -> None:
        self.paths = paths
        self._step = step_s
        self._up = np.array([log1p(rule.deviation_frac) for rule in rules])
        self._down = np.array([log1p(-min(rule.deviation_frac, 0.999)) for rule in rules])
        self._beat = np.array([rule.heartbeat_s for rule in rules])
        self._said = np.zeros((paths, len(rules)))
        self._age = np.tile(np.array(ages), (paths, 1))
        self._lags = [rule.latency_s // step_s for rule in rules]
        self._past: deque[Array] = deque(maxlen=max(self._lags, default=0) + 1)
        self._past.append(self._said.copy())

    def hear(self, market: Array) -> Array:
        """Return what contracts see after a step, [paths, n]; the array may be used again."""
        self._age += self._step
        gap = market - self._said
        speaks = (gap >= self._up) | (gap <= self._down) | (self._age >= self._beat)
        np.copyto(self._said, market, where=speaks)
        self._age[speaks] = 0
        if not any(self._lags):
            return self._said
        self._past.append(self._said.copy())
        heard = np.empty_like(self._said)
        for column, lag in enumerate(self._lags):
            heard[:, column] = self._past[-1 - min(lag, len(self._past) - 1)][:, column]
        return heard


def _normal(x: float) -> float:
    return erfc(-x / sqrt(2)) / 2


__all__ = ["Course", "Probability", "closed_form", "first_passage", "simulate", "wilson"]
