"""Bring histories onto one grid of time, so that a row of returns is one and the same step.

Each grid point takes the last value known at or before it (previous tick): nothing a return holds
was unknown when its step ended. What cannot be used is named with its cause, never dropped.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk.market.types import DAY_S, PriceSeries, Returns

LEAST_STEPS: Final = 90
"""Fewer returns say next to nothing of a covariance."""
MAX_GAP_S: Final = 3 * DAY_S
"""A longer silence is a gap: its steps, and the one that ends it, are left out for all factors."""
MAX_LOST: Final = 0.2
"""A factor whose gaps cost more of the window than this is not used."""


def align(
    series: Sequence[PriceSeries],
    step_s: int,
    *,
    start: int | None = None,
    end: int | None = None,
    least_steps: int = LEAST_STEPS,
    max_gap_s: int = MAX_GAP_S,
) -> Returns:
    """Return log returns of all usable series over their common time, on multiples of `step_s`.

    `start` and `end` are seconds since 1970 and bound the grid; without them it is as long as the
    histories. A history with too few steps, one that is constant, has long gaps or had ended
    `max_gap_s` before `end` is in `missing` with the cause. Raises `ValueError` if a factor is
    given twice.
    """
    names = [one.factor for one in series]
    if len(set(names)) < len(names):
        raise ValueError("a factor is given twice")
    missing: dict[str, str] = {}
    good: list[PriceSeries] = []
    for one in series:
        if cause := _malformed(one):
            missing[one.factor] = cause
        else:
            good.append(one)
    last = end if end is not None else max((int(s.times[-1]) for s in good), default=0)
    last = last // step_s * step_s
    used: list[PriceSeries] = []
    for one in good:
        if cause := _too_little(one, step_s, start, last, least_steps, max_gap_s):
            missing[one.factor] = cause
        else:
            used.append(one)
    while used:
        grid = _grid(used, step_s, start, last)
        sampled = np.stack([_previous_tick(s, grid) for s in used], axis=1)
        broken = np.stack([_broken(s, grid, max_gap_s) for s in used], axis=1)
        unfit = _unfit(used, sampled, broken)
        if not unfit:
            keep: NDArray[np.bool_] = ~np.any(broken, axis=1)
            if int(keep.sum()) >= least_steps:
                log = np.diff(np.log(sampled), axis=0)[keep]
                found = tuple(s.factor for s in used)
                return Returns(found, step_s, grid[1:][keep], log, missing)
            worst = int(broken.sum(axis=0).argmax())
            unfit = {used[worst].factor: "its gaps leave too few steps in common with the others"}
        missing |= unfit
        used = [s for s in used if s.factor not in unfit]
    empty = np.empty((0, 0))
    return Returns((), step_s, np.empty(0, np.int64), empty, missing)


def _malformed(one: PriceSeries) -> str:
    if len(one.times) == 0:
        return "it has no history"
    if len(one.times) != len(one.prices) or np.any(np.diff(one.times) <= 0):
        return "its times do not increase"
    if not np.all(np.isfinite(one.prices) & (one.prices > 0)):
        return "it has prices that are not positive"
    return ""


def _too_little(
    one: PriceSeries, step_s: int, start: int | None, last: int, least: int, max_gap_s: int
) -> str:
    silent = last - int(one.times[-1])
    if silent > max_gap_s:
        return f"its history ends {silent // DAY_S} days before the others'"
    first = max(int(one.times[0]), start if start is not None else 0)
    steps = last // step_s - -(-first // step_s)
    if steps < least:
        return f"its history is {max(steps, 0)} steps of {step_s} s, fewer than {least}"
    inside = one.prices[np.searchsorted(one.times, first, "right") - 1 :]
    if np.all(inside == inside[0]):
        return f"it has not moved in {(last - first) / DAY_S:.0f} days"
    return ""


def _grid(
    used: Sequence[PriceSeries], step_s: int, start: int | None, last: int
) -> NDArray[np.int64]:
    first = max(int(s.times[0]) for s in used)
    first = max(first, start if start is not None else 0)
    return np.arange(-(-first // step_s), last // step_s + 1, dtype=np.int64) * step_s


def _previous_tick(one: PriceSeries, grid: NDArray[np.int64]) -> NDArray[np.float64]:
    return one.prices[np.searchsorted(one.times, grid, "right") - 1]


def _broken(one: PriceSeries, grid: NDArray[np.int64], max_gap_s: int) -> NDArray[np.bool_]:
    """Return, per step, whether either of its ends rests on a value older than a gap."""
    age = grid - one.times[np.searchsorted(one.times, grid, "right") - 1]
    old = age > max_gap_s
    return old[1:] | old[:-1]


def _unfit(
    used: Sequence[PriceSeries], sampled: NDArray[np.float64], broken: NDArray[np.bool_]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for i, one in enumerate(used):
        lost = float(broken[:, i].mean()) if len(broken) else 1.0
        if lost > MAX_LOST:
            found[one.factor] = f"gaps in its history take {lost:.0%} of the time"
        elif np.all(sampled[:, i] == sampled[0, i]):
            found[one.factor] = "it has not moved in the time that all histories share"
    return found
