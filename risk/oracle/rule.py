"""Learn when a feed speaks from when it spoke.

A feed speaks when its price has moved by a deviation δ since its last answer, or when a heartbeat H
has passed. Of consecutive rounds: silences pile up around H, and whatever came sooner was a move of
at least δ, mostly a little more. Both are found by counting, so that forced, repeated and late
rounds change nothing.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocols.prices.state import Round
from risk.oracle.types import UpdateRule

Vector = NDArray[np.float64]

LEAST_UPDATES: Final = 20
LEAST_HEARTBEATS: Final = 3
LEAST_DEVIATIONS: Final = 8
OUTLIERS: Final = 0.02
"""Share of silences that may be longer than a heartbeat: outages."""
JITTER_FRAC: Final = 0.015
JITTER_S: Final = 60
"""How much later than due an answer lands: consensus off chain, and a block."""
SLACK: Final = 0.9
"""A move of this share of the deviation may have passed for one off chain."""


def learn(rounds: Sequence[Round]) -> UpdateRule:
    """Return a feed's update rule from consecutive rounds, oldest first; never raises."""
    silences, moves = _updates(rounds)
    n = len(silences)
    if n < LEAST_UPDATES:
        cause = f"{n} updates are too few to learn from"
        longest = int(silences.max()) if n else None
        return UpdateRule(None, None, n, 0, 0, None, longest, None, 0, (cause,))
    causes: list[str] = []
    beats, heartbeat = _heartbeat(silences, moves)
    if heartbeat is None:
        causes.append("heartbeat: no silence recurs, the price never rested long enough")
    limit = np.inf if heartbeat is None else heartbeat
    late = silences > limit + _jitter(limit) if heartbeat is not None else np.zeros(n, bool)
    sooner = ~beats & ~late
    deviation: float | None = None
    if sooner.sum() >= LEAST_DEVIATIONS:
        deviation = _edge(moves[sooner])
    else:
        causes.append(f"deviation: {int(sooner.sum())} updates before the heartbeat are too few")
    if deviation == 0:
        deviation = None
        causes.append("deviation: it repeats itself before the heartbeat")
    quiet = float(np.quantile(moves[beats], 0.95)) if beats.any() else None
    explained: float | None = None
    if heartbeat is not None or deviation is not None:
        by_move = moves >= SLACK * deviation if deviation is not None else np.zeros(n, bool)
        explained = float(np.mean((beats | by_move) & ~late))
    return UpdateRule(
        heartbeat_s=heartbeat,
        deviation_bps=None if deviation is None else round(deviation * 1e4, 2),
        updates=n,
        by_heartbeat=int(beats.sum()),
        by_deviation=int(sooner.sum()),
        explained_frac=explained,
        longest_s=int(silences.max()),
        quiet_bps=None if quiet is None else round(quiet * 1e4, 2),
        overdue=int(late.sum()),
        causes=tuple(causes),
    )


def _updates(rounds: Sequence[Round]) -> tuple[Vector, Vector]:
    """Return the silence before each update and its relative move; across phases there is none."""
    pairs = [
        (b.updated_at - a.updated_at, abs(b.answer / a.answer - 1))
        for a, b in pairwise(rounds)
        if a.phase == b.phase and b.id == a.id + 1 and b.updated_at > a.updated_at
    ]
    found = np.array(pairs, np.float64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _jitter(heartbeat: float) -> float:
    return JITTER_FRAC * heartbeat + JITTER_S


def _heartbeat(silences: Vector, moves: Vector) -> tuple[NDArray[np.bool_], int | None]:
    """Return which updates a heartbeat made, and the heartbeat.

    It is the longest silence that recurs, but for outliers, and that ends with a smaller move than
    the updates before it were made by.
    """
    n = len(silences)
    ordered = np.sort(silences)
    needed = max(LEAST_HEARTBEATS, int(OUTLIERS * n))
    for skipped in range(max(1, int(OUTLIERS * n)) + 1):
        top = ordered[n - 1 - skipped]
        low = (top - JITTER_S) / (1 + JITTER_FRAC)
        beats = (silences >= low) & (silences <= top)
        if beats.sum() < needed or low <= 0:
            continue
        others = silences < low
        if others.sum() >= LEAST_DEVIATIONS:
            beats &= moves < SLACK * _edge(moves[others])
            if beats.sum() < needed:
                continue
        return beats, _whole(float(np.median(silences[beats])))
    return np.zeros(n, bool), None


def _edge(moves: Vector) -> float:
    """Return where the densest half of the moves begins: the threshold, just above which they lie.

    Up to half of them may be of other making: forced, repeated, or settling after a change.
    """
    ordered = np.sort(moves)
    half = len(ordered) // 2
    return float(ordered[int(np.argmin(ordered[half:] - ordered[: len(ordered) - half]))])


def _whole(heartbeat: float) -> int:
    """Return the round duration that a heartbeat is about, else its seconds."""
    for unit in (3_600, 300, 60):
        nearest = round(heartbeat / unit) * unit
        if nearest and abs(heartbeat - nearest) <= min(JITTER_S, 0.02 * heartbeat):
            return nearest
    return round(heartbeat)
