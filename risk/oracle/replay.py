"""What a feed would have said along a price: its rule applied step by step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.oracle.types import UpdateRule

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A rule as it is played: what is not known is played at its worst."""

    deviation_frac: float
    """0: it follows every move."""
    heartbeat_s: float
    """Infinite: it never speaks but by deviation."""
    latency_s: int = 0
    """How long after the trigger an answer lands."""

    @classmethod
    def of(cls, rule: UpdateRule, latency_s: int = 0) -> "Behaviour":
        """Return a learned rule to be played.

        Without a deviation the feed follows every move: nothing is then hidden from liquidation.
        """
        deviation = rule.deviation_frac
        heartbeat = float("inf") if rule.heartbeat_s is None else rule.heartbeat_s
        return cls(0.0 if deviation is None else deviation, heartbeat, latency_s)


def replay(
    log: Floats, step_s: int, rule: Behaviour, *, gap_log: float = 0.0, age_s: int = 0
) -> Floats:
    """Return what the feed says along paths `[paths, steps]` of the market, in the same terms.

    `log` is ln(market / market now) at the end of each step; the answer is ln(feed / market now).
    `gap_log` is that of the feed now, and `age_s` how old its answer is. The feed sees the end of
    each step only. An answer lands `latency_s` after its trigger, in whole steps, rounded up; while
    it is under way the feed does not trigger again.
    """
    paths, steps = log.shape
    delay = -(-rule.latency_s // step_s)
    said = np.full(paths, gap_log)
    age = np.full(paths, float(age_s))
    coming = np.zeros(paths)
    wait = np.full(paths, -1)
    threshold = np.log1p(rule.deviation_frac), -np.log1p(-min(rule.deviation_frac, 1 - 1e-12))
    out = np.empty_like(log)
    for i in range(steps):
        now = log[:, i]
        age += step_s
        apart = now - said
        due = (apart >= threshold[0]) | (-apart >= threshold[1]) | (age >= rule.heartbeat_s)
        fresh = due & (wait < 0)
        coming = np.where(fresh, now, coming)
        wait = np.where(fresh, delay, wait)
        lands = wait == 0
        said = np.where(lands, coming, said)
        age = np.where(lands, 0.0, age)
        wait = np.where(wait >= 0, wait - 1, wait)
        out[:, i] = said
    return out
