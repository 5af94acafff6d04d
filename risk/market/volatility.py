"""How volatile a factor will be: three models, and the one that foretold unseen variances best.

EWMA (RiskMetrics, 0.94 a day), HAR-RV (Corsi 2009; a day, a week, a month) and GJR-GARCH-t. The
loss is QLIKE, ln h + RV/h: it ranks forecasts alike whatever noise the realised variance has
(Patton 2011), and forgives too high a forecast sooner than too low a one.
"""

from collections.abc import Callable
from itertools import pairwise
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk.market import garch
from risk.market.types import DAY_S, Returns, Score, Volatility

Vector = NDArray[np.float64]

DECAY_DAILY: Final = 0.94
HAR_DAYS: Final = (1, 7, 30)
HELD_OUT: Final = 0.5
"""The share of the history that forecasts are scored on."""
REFITS: Final = 2
"""How often models are fitted anew on the way through it."""
LEAST_SCORED: Final = 20
"""Fewer held-out forecasts choose nothing."""
LEAST_SHARE: Final = 1e-3
"""No forecast is below this share of the variance so far: a quiet spell is no promise."""

Forecast = Callable[[Vector, Vector, int, int], Vector]
"""(returns to fit on, all returns, steps per day, steps ahead) → [t + 1] variances ahead."""


def realised(log: Vector, steps: int) -> Vector:
    """Return `[t − steps + 1]`: the sum of squared log returns over each window."""
    total = np.concatenate([[0.0], np.cumsum(log * log)])
    found: Vector = np.maximum(total[steps:] - total[:-steps], 0.0)
    return found


def qlike(realised_variance: Vector, forecast: Vector) -> float:
    """Return the mean of ln h + RV/h; less is better. An RV of zero is allowed."""
    return float(np.mean(np.log(forecast) + realised_variance / forecast))


def forecast(returns: Returns, factor: str) -> Volatility:
    """Return one factor's volatility over the coming day, by the model with the best score.

    With too few held-out forecasts to choose by it is EWMA, and the scores say so. Raises
    `KeyError` for a factor that `returns` has not.
    """
    places = {name: i for i, name in enumerate(returns.factors)}
    return foretell(returns.log[:, places[factor]], factor, returns.step_s)


def foretell(log: Vector, factor: str, step_s: int) -> Volatility:
    """Return the volatility of one series of log returns on steps of `step_s`."""
    per_day = max(1, round(DAY_S / step_s))
    days = per_day * step_s / DAY_S  # steps longer than a day look one step ahead
    first = ceil(len(log) * (1 - HELD_OUT))
    origins = np.arange(first, len(log) - per_day + 1)
    target = realised(log, per_day)[first:] if len(origins) else np.empty(0)
    scores = [
        _score(name, model, log, per_day, origins, target, days) for name, model in MODELS.items()
    ]
    told = [score for score in scores if score.sigma_daily is not None]
    rated = [score for score in told if score.qlike is not None]
    if not told:
        raise ValueError("the returns have no variance")
    best = min(rated, key=lambda score: score.qlike or 0.0) if rated else told[0]
    assert best.sigma_daily is not None
    return Volatility(factor, best.sigma_daily, best.model, tuple(scores), len(origins))


def _score(
    name: str,
    model: Forecast,
    log: Vector,
    per_day: int,
    origins: NDArray[np.int64],
    target: Vector,
    days: float,
) -> Score:
    """Score one model out of sample, then let it look at everything for the forecast itself."""
    try:
        final = model(log, log, per_day, per_day)[-1]
        if not (np.isfinite(final) and final > 0):
            return Score(name, None, None, "its forecast is not a variance")
        sigma = float((final / days) ** 0.5)
        if len(origins) < LEAST_SCORED:
            return Score(name, None, sigma, f"{len(origins)} held-out steps are too few to score")
        cuts = np.linspace(origins[0], origins[-1] + 1, REFITS + 1).astype(int)
        parts = [
            model(log[:begin], log[:end], per_day, per_day)[begin:end]
            for begin, end in pairwise(cuts)
        ]
        score = qlike(target, np.concatenate(parts))
    except (ValueError, np.linalg.LinAlgError) as error:
        return Score(name, None, None, str(error))
    if not np.isfinite(score):
        return Score(name, None, sigma, "its score is not a number")
    return Score(name, score, sigma)


def _floored(variance: Vector, past: Vector, steps: int) -> Vector:
    return np.maximum(variance, LEAST_SHARE * steps * float(np.mean(past * past)))


def ewma(past: Vector, log: Vector, per_day: int, steps: int) -> Vector:
    """Return the exponentially weighted variance, the same for every step ahead."""
    begin = float(np.mean(past * past))
    if begin <= 0:
        raise ValueError("the returns have no variance")
    decay = DECAY_DAILY ** (1 / per_day)
    running = garch.decayed((1 - decay) * log * log, decay, begin)
    return _floored(steps * running, past, steps)


def har(past: Vector, log: Vector, per_day: int, steps: int) -> Vector:
    """Return a regression of the variance ahead on those of the last day, week and month.

    Forecasts stay within what was seen in the fit, as is usual: a line may go below zero.
    """
    features = _har_features(log, per_day)
    longest = HAR_DAYS[-1] * per_day
    known = len(past)
    if known < 2 * longest + steps:
        raise ValueError(f"HAR-RV needs {2 * HAR_DAYS[-1]} days of returns")
    rows = np.arange(longest, known - steps + 1)
    seen = realised(past, steps)[rows]
    weights = np.linalg.lstsq(features[rows], seen, rcond=None)[0]
    told = np.clip(features @ weights, seen.min(), seen.max())
    return _floored(told, past, steps)


def _har_features(log: Vector, per_day: int) -> NDArray[np.float64]:
    """Return `[t + 1, 4]`: one, and the mean squared return of the last day, week and month.

    At the beginning the windows are as long as there is history.
    """
    total = np.concatenate([[0.0], np.cumsum(log * log)])
    at = np.arange(len(log) + 1)
    columns = [np.ones(len(at))]
    for days in HAR_DAYS:
        back = np.maximum(at - days * per_day, 0)
        columns.append((total[at] - total[back]) / np.maximum(at - back, 1))
    return np.stack(columns, axis=1)


def gjr(past: Vector, log: Vector, _per_day: int, steps: int) -> Vector:
    """Return what a GJR-GARCH-t fitted to `past` expects, its variances followed through `log`."""
    model = garch.fit(past)
    told = garch.ahead(model, garch.variances(log, model), steps)
    return _floored(told, past, steps)


MODELS: Final[dict[str, Forecast]] = {"EWMA": ewma, "HAR-RV": har, "GJR-GARCH-t": gjr}
"""The simplest first: it wins ties."""
