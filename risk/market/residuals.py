"""Shocks freed of volatility, by date: what filtered historical simulation draws from.

Barone-Adesi, Giannopoulos and Vosper (1999): returns are divided by the volatility that their own
past foretold; whole rows are drawn again, so that what fell together keeps falling together.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk.market import garch
from risk.market.covariance import assumed_sigma, assumption
from risk.market.types import DAY_S, Gjr, Residuals, Returns, Volatility
from risk.market.volatility import foretell

SHOCK_DAYS: Final = 500
"""Shocks are drawn from so many latest days."""
ASSUMED_ROWS: Final = 1_000
"""Shocks made up where no factor has a history."""
ASSUMED_NU: Final = 4.0
"""Tails of a factor of which nothing is known: those of a Student t with few degrees."""


def standardise(
    returns: Returns,
    wanted: Sequence[str] = (),
    *,
    sigma_assumed: Mapping[str, float] | None = None,
) -> Residuals:
    """Return joint shocks of `wanted` factors, in that order; of all, if none are named.

    The variances are those of a GJR-GARCH-t; the next step's sigma is of the model that foretold
    best. A factor without returns gets an assumed volatility and heavy-tailed shocks of its own;
    `sigma_assumed` overrides its standard deviation per day.
    """
    order = tuple(wanted) or (*returns.factors, *returns.missing)
    place = {name: i for i, name in enumerate(returns.factors)}
    daily_to_step = (returns.step_s / DAY_S) ** 0.5
    if place:
        fitted, shocks = joint_shocks(returns.log, returns.step_s)
        known = returns.log.std(axis=0) / daily_to_step
    else:
        fitted, shocks = [], np.empty((ASSUMED_ROWS, 0))
        known = np.empty(0)
    z = np.empty((len(shocks), len(order)))
    sigma = np.empty(len(order))
    models: list[Gjr] = []
    told: list[Volatility] = []
    assumed: dict[str, str] = {}
    for at, name in enumerate(order):
        if name in place:
            i = place[name]
            model, z[:, at] = fitted[i], shocks[:, i]
            volatility = foretell(returns.log[:, i], name, returns.step_s)
        else:
            given = (sigma_assumed or {}).get(name)
            daily = assumed_sigma(known) if given is None else given
            variance = (daily * daily_to_step) ** 2
            model, z[:, at] = Gjr(variance, 0.0, 0.0, 0.0, inf), _made_up(len(z), at)
            why = returns.missing.get(name, "it has no history")
            cause = assumption(why, daily, stated=given is not None)
            assumed[name] = cause
            volatility = Volatility(name, daily, "assumed", assumed=cause)
        sigma[at] = volatility.sigma_daily * daily_to_step
        models.append(model)
        told.append(volatility)
    ends = returns.ends[-len(z) :] if place else np.empty(0, np.int64)
    return Residuals(order, returns.step_s, ends, z, sigma, tuple(models), tuple(told), assumed)


def joint_shocks(log: NDArray[np.float64], step_s: int) -> tuple[list[Gjr], NDArray[np.float64]]:
    """Return a model per factor and the shocks `[t, n]` of the latest 500 days, of mean 0.

    All of the history is fitted; older shocks are left out because what falls together changes
    over the years. The mean is taken out: what a price drifted says nothing of the coming week. The
    variance is left as it is, about one: scaling would let one crash make all other days small.
    """
    rows = max(1, round(SHOCK_DAYS * DAY_S / step_s))
    models: list[Gjr] = []
    columns: list[NDArray[np.float64]] = []
    for one in log.T:
        model = garch.fit(one)
        begin = float(np.mean(one * one))
        shocks = one / np.sqrt(garch.variances(one, model, begin)[:-1])
        models.append(model)
        columns.append(shocks)
    z = np.stack(columns, axis=1)[-rows:]
    return models, z - z.mean(axis=0)


def _made_up(rows: int, seed: int) -> NDArray[np.float64]:
    shocks = np.random.default_rng(seed).standard_t(ASSUMED_NU, rows)
    shocks = np.concatenate([shocks[: rows // 2], -shocks[: rows - rows // 2]])
    shocks -= shocks.mean()
    scaled: NDArray[np.float64] = shocks / shocks.std()
    return scaled
