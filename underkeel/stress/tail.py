"""Value at risk of a portfolio, and sweeps of volatility and correlation, from chain history."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk.budget.contribution import of_shortfall
from risk.market.covariance import covariance, with_volatility
from risk.market.paths import simulate
from risk.market.residuals import standardise
from risk.market.returns import align
from risk.market.types import DAY_S, Covariance, PriceSeries, Residuals, Returns
from risk.scenario.extreme import Beyond, Peaks, TooSmall, peaks
from risk.scenario.many import outcomes, untouched
from risk.scenario.play import value
from risk.scenario.tail import Tail, Worst, correlated, normal_moves, tail, worst_within
from underkeel.stress.factors import composite
from underkeel.stress.run import Book, Play

F64 = NDArray[np.float64]
Tell = Callable[[str, int, int], None]
METHOD: Final = "filtered historical simulation, joint shocks by day"
LEVELS: Final = (0.95, 0.99)
BEYOND: Final = (0.99, 0.999, 0.9999)
"""Levels at which the fitted tail is told."""
SWEEP_CORRELATION: Final = (0.0, 0.5, 1.0)
SWEEP_VOLATILITY: Final = (1.0, 2.0, 3.0)
SWEEP_PATHS: Final = 1_000
SIGMAS: Final = (2.0, 3.0)
WORST_STEPS: Final = 4
"""Even steps of the logarithm toward each move that the search for the worst tries."""


def key(chain: str, factor: str) -> str:
    """Return a factor's name among all chains'."""
    return f"{chain} {factor}"


def split(name: str) -> tuple[str, str]:
    """Return the chain and the factor of a `key`."""
    chain, _, factor = name.partition(" ")
    return chain, factor


@dataclass(frozen=True, slots=True)
class Market:
    """What the past says of all factors of a portfolio together."""

    residuals: Residuals
    covariance: Covariance

    @classmethod
    def of(
        cls,
        book: Book,
        series: Mapping[tuple[str, str], PriceSeries],
        missing: Mapping[tuple[str, str], str],
        sigma_daily: Mapping[str, float],
    ) -> "Market":
        """Align histories by day; a factor without one is widened, and says so.

        `sigma_daily` are volatilities that the user states, by `key`.
        """
        names = [key(k.chain, k.name) for k in book.factors]
        found = [replace(one, factor=key(*at)) for at, one in series.items()]
        returns = align(found, DAY_S)
        gone = {key(*at): cause for at, cause in missing.items()}
        returns = Returns(
            returns.factors, returns.step_s, returns.ends, returns.log, {**gone, **returns.missing}
        )
        residuals = standardise(returns, names, sigma_assumed=sigma_daily)
        spread = covariance(returns, names, sigma_assumed=sigma_daily)
        told = {v.factor: v.sigma_daily for v in residuals.volatility}
        return cls(residuals, with_volatility(spread, told))


@dataclass(frozen=True, slots=True)
class Swept:
    """Value at risk with correlations and volatilities forced up."""

    toward_one: float
    volatility: float
    tail: Tail
    liquidated_frac: float


@dataclass(frozen=True, slots=True)
class Risk:
    """What a portfolio may lose over a horizon."""

    horizon_s: int
    paths: int
    method: str
    tails: tuple[Tail, ...]
    peaks: Peaks | str
    """The tail beyond the paths, or why there is none."""
    parts: Mapping[str, float]
    """Of the expected shortfall at the highest level, in dollars by position; they add up to it."""
    liquidated_frac: float
    """Paths on which anything is liquidated."""
    sweep: tuple[Swept, ...]
    worst: tuple[Worst, ...]
    assumed: Mapping[str, str]
    """Factors without history, and what was assumed."""
    unknown: tuple[str, ...]
    """Positions in no number, with causes."""


def at_risk(book: Book, market: Market, how: Play, horizon_s: int, paths: int, tell: Tell) -> Risk:
    """Return the tails of filtered historical simulation, with liquidations on the way."""
    drawn = simulate(market.residuals, horizon_s, paths)
    lost, hit, unknown = _losses(book, drawn.factors, drawn.log, how, tell, "simulating")
    losses = _whole(lost, paths)
    days = horizon_s / DAY_S
    blank = bool(book.unread or unknown) and len(unknown) == len(book.positions)
    if blank:  # nothing at all is known, and a loss of zero would be a lie
        gone = (*book.unread, *unknown)
        nothing = "no position's worth is known"
        return Risk(horizon_s, paths, METHOD, (), nothing, {}, 0.0, (), (), {}, gone)
    sweep = []
    for k in SWEEP_VOLATILITY:
        for s in SWEEP_CORRELATION:
            daily = correlated(market.covariance.daily, s, k)
            log = normal_moves(daily, days, min(paths, SWEEP_PATHS))
            swept, touched, _ = _losses(
                book, market.covariance.factors, log, how, lambda *_: None, ""
            )
            worst_share = tail(_whole(swept, len(log)), LEVELS[-1])
            sweep.append(Swept(s, k, worst_share, float(touched.mean())))
            tell("sweeping volatility and correlation", len(sweep), 9)
    worst = tuple(_worst(book, market.covariance, how, days, k) for k in SIGMAS)
    return Risk(
        horizon_s=horizon_s,
        paths=paths,
        method=METHOD,
        tails=tuple(tail(losses, level) for level in LEVELS),
        peaks=_peaks(losses),
        parts=_parts(lost),
        liquidated_frac=float(hit.mean()),
        sweep=tuple(sweep),
        worst=worst,
        assumed=dict(market.residuals.assumed),
        unknown=(*book.unread, *unknown),
    )


def _peaks(losses: F64) -> Peaks | str:
    try:
        return peaks(losses)
    except TooSmall as refusal:
        return str(refusal)


def beyond(found: Peaks) -> tuple[Beyond, ...]:
    """Return the fitted tail at the levels that lie beyond its threshold."""
    return tuple(found.at(level) for level in BEYOND if level > found.least_level)


def _whole(lost: Mapping[str, F64], paths: int) -> F64:
    """Return the losses [paths] of all positions together."""
    total: F64 = np.sum(list(lost.values()), axis=0) if lost else np.zeros(paths)
    return total


def _parts(lost: Mapping[str, F64]) -> Mapping[str, float]:
    if not lost:
        return {}
    found = of_shortfall(np.stack(list(lost.values()), axis=1), LEVELS[-1])
    return dict(zip(lost, found.parts.tolist(), strict=True))


def _losses(
    book: Book, factors: Sequence[str], log: F64, how: Play, tell: Tell, what: str
) -> tuple[dict[str, F64], NDArray[np.bool_], list[str]]:
    """Return each known position's losses [paths], where any was liquidated, who is unknown."""
    lost: dict[str, F64] = {}
    hit = np.zeros(log.shape[0], bool)
    unknown: list[str] = []
    for chain, held in book.held.items():
        own = [i for i, name in enumerate(factors) if name.startswith(f"{chain} ")]
        names = [factors[i].removeprefix(f"{chain} ") for i in own]
        here = log[:, :, own]
        quiet = untouched(held, names, here, composite)
        for at, one in enumerate(held):
            name = one.position.id
            found = outcomes(one, names, here, composite, how.gas(1), safe=at in quiet)
            tell(what, len(lost) + len(unknown) + 1, len(book.positions))
            cause = book.borrowers.unknown.get(name, found.cause)
            if cause or not np.isfinite(found.loss_usd).all():
                unknown.append(f"{name}: {cause or 'on some paths its worth cannot be told'}")
                continue
            lost[name] = found.loss_usd
            if (stake := book.borrowers.stakes.get(name)) is not None:
                start = value(one, None, {}) or 0.0
                lost[name] += (start - lost[name]) * stake.all_lost(names, here)
            hit |= found.liquidated
    return lost, hit, unknown


def _worst(book: Book, known: Covariance, how: Play, days: float, sigmas: float) -> Worst:
    even = np.arange(1, WORST_STEPS + 1) / WORST_STEPS

    def loss(log: F64) -> F64:
        paths = log[:, None, :] * even[:, None]
        lost, _, _ = _losses(book, known.factors, paths, how, lambda *_: None, "")
        return _whole(lost, len(log))

    return worst_within(loss, known.factors, known.daily * days, sigmas)
