"""Everything that hangs on the past of prices: joint distances, who falls first, chances.

Factors are told apart by chain, since one address may be two feeds on two chains. A factor without
a history is not left out: its volatility is assumed, wide, and the assumption is shown.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from protocols.types import Position
from risk.distance.joint import ClosedForm, Joint, closed_form
from risk.distance.joint import joint as nearest_move
from risk.distance.linear import Array, Margin, margin_of
from risk.distance.probability import Course, Probability, simulate
from risk.distance.probability import closed_form as normal_chance
from risk.distance.ray import OnRay, on_ray
from risk.distance.wallet import Wallet, covariance_of, first_to_fall
from risk.liquidation import engine_for
from risk.liquidation.engine import Factor
from risk.market.covariance import covariance, with_volatility
from risk.market.residuals import standardise
from risk.market.returns import align
from risk.market.types import DAY_S, Covariance, PriceSeries, Residuals
from risk.oracle.replay import Behaviour
from risk.oracle.types import FeedTrust
from risk.types import Assessment
from underkeel.config.load import Config
from underkeel.discovery import Progress
from underkeel.history.collect import Histories, histories
from underkeel.oracles.read import FeedReport, read_oracles
from underkeel.portfolio import ChainReport, Portfolio

log = logging.getLogger(__name__)

STEP_S: Final = 3600
"""Of the grid that histories are brought to, and of simulated paths."""
HORIZON_S: Final = DAY_S
"""Of β, unless asked for otherwise."""
HORIZONS_S: Final = (3600, DAY_S, 7 * DAY_S)
PATHS: Final = 10_000

Id: TypeAlias = str


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found of one position."""

    joint: Joint | None
    """None where no joint move within reach liquidates it."""
    plane: ClosedForm | None
    """First order in simple returns, for comparison."""
    edge: OnRay | None
    """The same move in the oracle's integers; None where the protocol never gets there on it."""
    chances: tuple[Probability, ...]
    factors: tuple[Factor, ...]
    """Of the protocol, in the order of `joint.factors`."""
    assumed: tuple[str, ...]
    """Factors without enough history, and what was assumed of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """What was found of a portfolio."""

    horizon_s: int
    found: Mapping[Id, Found]
    wallet: Wallet
    """Its factors are keys as `labels` has them; its names are positions' ids."""
    labels: Mapping[str, str]
    """What each key's factor is called."""
    sources: Mapping[str, tuple[str, str]]
    """The chain and the factor that each key stands for."""
    unmeasured: Mapping[Id, str]
    """Positions with a debt that could not be measured, and why."""
    covariance: Covariance
    residuals: Residuals
    trusts: Mapping[str, FeedTrust]
    """By the factor's key, of factors that are one feed."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """A position that may be liquidated, and its margin."""

    chain: ChainReport
    position: Position
    margin: Margin
    """Factors by key."""
    later: Margin | None
    factors: tuple[Factor, ...]


def study(
    config: Config,
    portfolio: Portfolio,
    progress: Progress = lambda _what, _done, _all: None,
    *,
    horizon_s: int = HORIZON_S,
    paths: int = PATHS,
) -> Study:
    """Read what histories are needed and measure every position that has a debt."""
    measured, unmeasured = measure(portfolio, max(*HORIZONS_S, horizon_s))
    wanted: dict[str, dict[str, str]] = {}
    for one in measured.values():
        known = wanted.setdefault(one.chain.name, {})
        known.update((factor.name, factor.label) for factor in one.factors)
    past = histories(config, portfolio, wanted, progress) if measured else Histories()
    feeds = read_oracles(config, portfolio, progress) if measured else ()
    return judged(measured, unmeasured, past, feeds, horizon_s, paths)


def judged(
    measured: Mapping[Id, _Measured],
    unmeasured: Mapping[Id, str],
    past: Histories,
    feeds: Sequence[FeedReport],
    horizon_s: int,
    paths: int,
) -> Study:
    """Return the numbers, given the histories."""
    pairs = [(one.chain, factor) for one in measured.values() for factor in one.factors]
    labels = {key_of(chain, f.name): f.label or f.name for chain, f in pairs}
    sources = {key_of(chain, f.name): (chain.name, f.name) for chain, f in pairs}
    order = tuple(labels)
    series = [_renamed(one, f"{chain} {factor}") for (chain, factor), one in past.series.items()]
    end = max((one.position.at.timestamp for one in measured.values()), default=None)
    returns = align(series, STEP_S, end=end)
    missing = {f"{chain} {factor}": cause for (chain, factor), cause in past.missing.items()}
    returns = replace(returns, missing={**missing, **returns.missing})
    residuals = standardise(returns, order)
    horizons = tuple(sorted({*HORIZONS_S, horizon_s}))
    spreads = _spreads(covariance(returns, order), residuals, horizons)
    spread = spreads[horizon_s]
    margins = {name: one.margin for name, one in measured.items()}
    trusts = {f"{report.chain} {report.trust.upkeep.feed}": report.trust for report in feeds}
    wallet = first_to_fall(margins, spread, horizon_s)
    chances = simulate(
        {name: Course(one.margin, one.later) for name, one in measured.items()},
        residuals,
        horizons,
        feeds={key: Behaviour.of(trust.rule) for key, trust in trusts.items()},
        ages_s=_ages(measured),
        paths=paths,
    )
    joints = {fall.name: fall.joint for fall in wallet.order}
    found: dict[Id, Found] = {}
    doubts = dict(unmeasured)
    for name, one in measured.items():
        if name in wallet.missing:
            doubts[name] = "its prices vary beyond all bounds"
            continue
        try:
            found[name] = _found(one, joints[name], spreads, chances[name], horizon_s)
        except ArithmeticError as failure:
            doubts[name] = str(failure) or type(failure).__name__
    return Study(horizon_s, found, wallet, labels, sources, doubts, spread, residuals, trusts)


def _spreads(
    past: Covariance, residuals: Residuals, horizons: Sequence[int]
) -> dict[int, Covariance]:
    """Return the covariance over each horizon: past correlations, volatilities to come."""
    if len(past.assumed) == len(past.factors):
        return dict.fromkeys(horizons, past)
    return {h: with_volatility(past, volatilities(residuals, h)) for h in horizons}


def volatilities(residuals: Residuals, horizon_s: int) -> dict[str, float]:
    """Return each factor's standard deviation per day, on average over a horizon.

    A forecast for the next step says little of a week: the variance goes from it to its long-run
    level as the factor's own GJR-GARCH has it, so that a calm day does not promise a calm week.
    """
    steps = max(1, horizon_s // residuals.step_s)
    found: dict[str, float] = {}
    for name, model, sigma in zip(
        residuals.factors, residuals.models, residuals.sigma, strict=True
    ):
        kept = model.persistence
        weight = (1 - kept**steps) / (steps * (1 - kept))
        variance = model.level + weight * (float(sigma) ** 2 - model.level)
        found[name] = (variance * DAY_S / residuals.step_s) ** 0.5
    return found


def key_of(chain: ChainReport, factor: str) -> str:
    """Return what tells a factor from those of other chains."""
    return f"{chain.name} {factor}"


def measure(portfolio: Portfolio, horizon_s: int) -> tuple[dict[Id, _Measured], dict[Id, str]]:
    """Return every position that may be liquidated, and those whose margin is not known."""
    measured: dict[Id, _Measured] = {}
    unmeasured: dict[Id, str] = {}
    for chain in portfolio.chains:
        for assessed in chain.positions:
            name = assessed.position.id
            try:
                one = _measured(chain, assessed, horizon_s)
            except Exception as fault:  # one position must not end the others
                log.exception("%s could not be measured", name)
                unmeasured[name] = f"internal error: {type(fault).__name__}: {fault}"
                continue
            if isinstance(one, _Measured):
                measured[name] = one
            elif one:
                unmeasured[name] = one
    return measured, unmeasured


def _measured(chain: ChainReport, assessed: Assessment, horizon_s: int) -> _Measured | str:
    """Return the position with its margin, why that is not known, or nothing without a debt."""
    position = assessed.position
    engine = engine_for(position)
    if engine is None or position.state is None:
        return _partly(position)
    if assessed.liquidation.health_raw is None:
        causes = assessed.liquidation.causes
        return "; ".join(causes)
    margin = margin_of(position.state)
    if margin is None:
        return _partly(position)
    try:
        later = margin_of(position.state, position.at.timestamp + horizon_s)
    except ArithmeticError:
        later = None  # then interest is left out
    by_name = {factor.name: factor for factor in engine.factors(position.state)}
    factors = tuple(by_name[name] for name in margin.factors)
    keys = tuple(key_of(chain, name) for name in margin.factors)
    return _Measured(chain, position, replace(margin, factors=keys), later, factors)


def _partly(position: Position) -> str:
    return "; ".join(position.unknown) if position.kind == "lending" else ""


def _found(
    one: _Measured,
    joint: Joint | None,
    spreads: Mapping[int, Covariance],
    chances: tuple[Probability, ...],
    horizon_s: int,
) -> Found:
    spread = spreads[horizon_s]
    edge = None
    if joint is not None and joint.beta > 0:
        names = (factor.name for factor in one.factors)
        edge = on_ray(one.position.state, dict(zip(names, map(float, joint.log), strict=True)))
    told = list(chances)
    for horizon in spreads:
        near = nearest_move(one.margin, _sigma(one, spreads[horizon], horizon))
        if near is not None:
            told.append(normal_chance(near.beta, horizon, horizon, STEP_S))
    assumed = tuple(
        f"{factor.label or factor.name}: {spread.assumed[key]}"
        for factor, key in zip(one.factors, one.margin.factors, strict=True)
        if key in spread.assumed
    )
    plane = closed_form(one.margin, _sigma(one, spread, horizon_s))
    return Found(joint, plane, edge, tuple(told), one.factors, assumed)


def _sigma(one: _Measured, spread: Covariance, horizon_s: int) -> Array:
    sigma = covariance_of(one.margin.factors, spread, horizon_s)
    assert sigma is not None  # every factor of every margin was asked for
    return sigma


def _ages(measured: Mapping[Id, _Measured]) -> dict[str, float]:
    """Return how long ago each feed spoke, where it tells."""
    return {
        key_of(one.chain, factor.name): max(one.position.at.timestamp - factor.updated_at, 0)
        for one in measured.values()
        for factor in one.factors
        if factor.updated_at is not None
    }


def _renamed(series: PriceSeries, key: str) -> PriceSeries:
    return replace(series, factor=key)


__all__: Sequence[str] = ["Found", "Study", "key_of", "study"]
