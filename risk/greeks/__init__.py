"""How a portfolio's dollars move with each primitive price, with volatility and with time.

With V the dollars of a position and f a factor: delta = f·∂V/∂f (dollars gained if f doubled at
this slope), gamma = f²·∂²V/∂f²/100 (change of delta's own slope term when f moves 1 %). The chain
rule goes through every price expression: a leg priced by Π f^k contributes k·V and k·(k − 1)·V, so
vaults and staked tokens come out in the primitives behind them. A range of Uniswap v3 with
liquidity L and pool price P in raw units, at u₀, u₁ dollars per unit, is V = u₀·x₀(P) + u₁·x₁(P),
where P follows the ratio of both tokens' prices; its slope is what it holds, plus a term that is
zero where the pool agrees with the market.

Theta is interest of lending, and what arbitrage takes from a range, σ²·L√P/4 a year: that goes to
the factors by their part of the pair's variance. Vega is the change of the latter over a year per
point of a factor's annual volatility. A vault's or a staked token's yield is in no theta.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Final

from chain.units import RAY, WAD
from protocols.aave_v3.state import AaveAccount
from protocols.compound_v2.state import Clock, CompoundAccount
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Leg, Side
from protocols.uniswap_v3.math import Q96, sqrt_ratio_at_tick
from protocols.uniswap_v3.state import UniswapV3State
from risk.scenario.liquidity import amounts_at, pair
from risk.scenario.play import range_units
from risk.scenario.types import Exposed, Valued
from risk.valuation import sign

if TYPE_CHECKING:  # brings arrays along, which most reports need not
    from risk.market.types import Covariance

DAYS: Final = 365
CONSTANT: Final = "constant"
"""The factor of what no price moves."""


@dataclass(frozen=True, slots=True)
class Greek:
    """One factor's; None where it is not known."""

    factor: str
    delta_usd: float
    gamma_usd_per_1pct: float
    vega_usd_per_volpt: float | None
    """Over a year, per point (0.01) of the factor's annual volatility."""
    theta_usd_per_day: float | None
    lvr_usd_per_variance: float
    """What arbitrage takes a year per unit of this price's own annual variance; no volatility
    need be known for it."""


@dataclass(frozen=True, slots=True)
class Greeks:
    """Of one position, or of many together."""

    by_factor: tuple[Greek, ...]
    unknown: tuple[str, ...] = ()
    """Positions that are in no number, with causes."""


@dataclass(slots=True)
class _Sum:
    delta: float = 0.0
    gamma: float = 0.0
    vega: float | None = 0.0
    theta: float | None = 0.0
    lvr: float = 0.0


def greeks(held: Exposed, covariance: "Covariance | None" = None) -> Greeks:
    """Return one position's Greeks; without a covariance a range's vega and theta are unknown."""
    return net([held], covariance)


def net(held: Iterable[Exposed], covariance: "Covariance | None" = None) -> Greeks:
    """Return what positions come to together, factor by factor, in the order they appear."""
    sums: dict[str, _Sum] = {}
    unknown: list[str] = []
    for one in held:
        found: dict[str, _Sum] = {}
        causes = one.causes({}) or _blind(one)
        if causes or not _position(one, covariance, found):
            why = "; ".join(causes) or "not all of it has a price"
            unknown.append(f"{one.position.id}: {why}")
            continue
        for factor, part in found.items():
            _add(sums.setdefault(factor, _Sum()), part)
    return Greeks(
        tuple(Greek(f, s.delta, s.gamma, s.vega, s.theta, s.lvr) for f, s in sums.items()),
        tuple(unknown),
    )


def _blind(one: Exposed) -> tuple[str, ...]:
    return tuple(
        f"{v.leg.token.symbol}: how its price moves cannot be told"
        for v in one.legs
        if v.blind and v.leg.amount and sign(v.leg.side)
    )


def _add(total: _Sum, part: _Sum) -> None:
    total.delta += part.delta
    total.gamma += part.gamma
    total.lvr += part.lvr
    total.vega = None if total.vega is None or part.vega is None else total.vega + part.vega
    total.theta = None if total.theta is None or part.theta is None else total.theta + part.theta


def _position(one: Exposed, covariance: "Covariance | None", sums: dict[str, _Sum]) -> bool:
    """Add one position's parts; False where its worth is not known."""
    state = one.position.state
    skip: Sequence[int] = ()
    if isinstance(state, UniswapV3State):
        sides = pair(tuple(v.leg for v in one.legs))
        if sides is None or not _range(one, state, sides, covariance, sums):
            return False
        skip = sides
    for i, valued in enumerate(one.legs):
        weight = sign(valued.leg.side)
        if i in skip or not weight:
            continue
        if (worth := valued.usd) is None:
            return False
        powers = live(valued)
        for factor, power in powers.items():
            part = sums.setdefault(factor, _Sum())
            part.delta += weight * power * worth
            part.gamma += weight * power * (power - 1) * worth / 100
        interest = weight * worth * rate_per_year(one, valued) / DAYS
        if interest:
            _theta(sums.setdefault(next(iter(powers), CONSTANT), _Sum()), interest)
    return True


def _theta(total: _Sum, part: float | None) -> None:
    total.theta = None if total.theta is None or part is None else total.theta + part


def live(valued: Valued) -> Mapping[str, int]:
    """Return what moves a leg's price now: nothing does while its cap holds it."""
    return valued.powers if valued.room > 1 else {}


def rate_per_year(one: Exposed, valued: Valued) -> float:
    """Return what a lending leg earns or costs a year, as a fraction, at the rates of now."""
    state, leg = one.position.state, valued.leg
    if isinstance(state, AaveAccount):
        for holding in state.holdings:
            reserve = holding.reserve
            if reserve.asset != leg.token.address:
                continue
            if leg.side is not Side.DEBT:
                return reserve.liquidity_rate / RAY
            stable = holding.stable if leg.name == "stable" else None
            return (stable.rate if stable else reserve.borrow_rate) / RAY
    if isinstance(state, CompoundAccount):
        return _compound_rate(state, leg)
    if isinstance(state, MorphoPosition) and leg.side is not Side.COLLATERAL:
        yearly = state.rate * DAYS * 86_400 / WAD
        if leg.side is Side.DEBT:
            return yearly
        totals = state.accrued.totals
        used = totals.borrow_assets / totals.supply_assets if totals.supply_assets else 0.0
        return yearly * used * (1 - totals.fee / WAD)
    return 0.0


def _compound_rate(state: CompoundAccount, leg: Leg) -> float:
    """Return what a cToken's interest is a year; 0 where its pace is not known."""
    pace = 1.0 if state.clock is Clock.SECONDS else state.block_s
    for one in state.holdings:
        book = one.market.book
        if one.market.underlying.address != leg.token.address or book is None or not pace:
            continue
        yearly = book.rate * DAYS * 86_400 / pace / WAD
        if leg.side is Side.DEBT:
            return yearly
        all_ = book.cash + book.borrows - book.reserves
        used = book.borrows / all_ if all_ > 0 else 0.0
        return yearly * used * (1 - book.reserve_factor / WAD)
    return 0.0


@dataclass(frozen=True, slots=True)
class RangeSlopes:
    """Derivatives of a range's dollars by the logarithms of its tokens' prices."""

    a: float
    b: float
    aa: float
    ab: float
    bb: float
    lvr: float
    """Dollars a year, per unit of the pair's annual variance."""


def range_slopes(state: UniswapV3State, units: tuple[float, float]) -> RangeSlopes:
    """Return the derivatives at today's price; `units` are dollars per base unit."""
    x0, x1 = amounts_at(state, state.sqrt_price_x96)
    root = state.sqrt_price_x96 / Q96
    low = sqrt_ratio_at_tick(state.tick_lower)
    inside = low < state.sqrt_price_x96 < sqrt_ratio_at_tick(state.tick_upper)
    size = state.liquidity if inside else 0
    u0, u1 = units
    # first and second derivatives of the amounts by ln P
    first0, first1 = -size / (2 * root), size * root / 2
    second0, second1 = size / (4 * root), size * root / 4
    return RangeSlopes(
        a=u0 * (x0 + first0) + u1 * first1,
        b=u1 * (x1 - first1) - u0 * first0,
        aa=u0 * (x0 + 2 * first0 + second0) + u1 * second1,
        ab=-u0 * (first0 + second0) + u1 * (first1 - second1),
        bb=u1 * (x1 - 2 * first1 + second1) + u0 * second0,
        lvr=size * root * u1 / 4,
    )


def _range(
    one: Exposed,
    state: UniswapV3State,
    sides: tuple[int, int],
    covariance: "Covariance | None",
    sums: dict[str, _Sum],
) -> bool:
    units = range_units(one, state)
    if units is None:
        return False
    slopes = range_slopes(state, units)
    up, down = (live(one.legs[i]) for i in sides)
    factors = tuple(dict.fromkeys((*up, *down)))
    for f in factors:
        i, j = up.get(f, 0), down.get(f, 0)
        part = sums.setdefault(f, _Sum())
        slope = i * slopes.a + j * slopes.b
        bend = i * i * slopes.aa + 2 * i * j * slopes.ab + j * j * slopes.bb
        part.delta += slope
        part.gamma += (bend - slope) / 100
    if slopes.lvr:
        pull = {f: up.get(f, 0) - down.get(f, 0) for f in factors}
        _volatile(pull, slopes.lvr, covariance, sums)
    return True


def _volatile(
    pull: Mapping[str, int], lvr: float, covariance: "Covariance | None", sums: dict[str, _Sum]
) -> None:
    """Add what arbitrage takes from a range, and how that hangs on each volatility."""
    moving = [f for f, k in pull.items() if k]
    for f in moving:
        sums[f].lvr += lvr * pull[f] ** 2
    known = covariance is not None and all(f in covariance.factors for f in moving)
    if covariance is None or not known:
        for f in moving:
            sums[f].vega = sums[f].theta = None
        return
    index = {f: covariance.factors.index(f) for f in moving}
    yearly = covariance.daily * DAYS
    for f in moving:
        toward = sum(pull[g] * float(yearly[index[f], index[g]]) for g in moving)
        sigma = sqrt(float(yearly[index[f], index[f]]))
        part = sums[f]
        _theta(part, -lvr * pull[f] * toward / DAYS)
        if part.vega is not None and sigma > 0:
            part.vega += -lvr * 2 * pull[f] * toward / sigma * 0.01
