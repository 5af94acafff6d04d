"""How far each position is from liquidation, by its protocol's own rules.

`ENGINES` is the table: which engine judges which state. Everything else here is the same for all
protocols.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from protocols.aave_v3.state import AaveAccount
from protocols.compound_v2.state import CompoundAccount
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Leg, Position, Price, State
from risk.liquidation import aave_v3, aave_v3_legacy, compound_v2, morpho_blue
from risk.liquidation.engine import HORIZON_S, NOW, Engine, Factor, Seizure
from risk.types import Boundary, Liquidation, OracleHealth, Status


def _aave(state: AaveAccount) -> Engine[Any]:
    return aave_v3.ENGINE if state.rules.exact_threshold else aave_v3_legacy.ENGINE


ENGINES: Final[Mapping[type[State], Callable[[Any], Engine[Any]]]] = {
    AaveAccount: _aave,
    MorphoPosition: lambda _: morpho_blue.ENGINE,
    CompoundAccount: lambda _: compound_v2.ENGINE,
}


def engine_of(state: State | None) -> Engine[Any] | None:
    """Return the engine that judges a state; None where nothing can be liquidated."""
    choose = ENGINES.get(type(state)) if state is not None else None
    return choose(state) if choose is not None else None


def engine_for(position: Position) -> Engine[Any] | None:
    """Return the engine that judges a position; None where nothing can be liquidated."""
    return engine_of(position.state)


def assess_liquidation(position: Position, horizon_s: int = HORIZON_S) -> Liquidation:
    """Judge one position at its block's prices and time.

    Unknown parts, prices not to be trusted and numbers that the protocol's own view does not
    confirm replace `safe` by `unknown`; they never replace `liquidatable`. Where the protocol's
    own arithmetic would fail, so would a liquidation, and the status is unknown too.
    """
    engine = engine_for(position)
    if engine is None:
        return _nothing(position, 1)
    try:
        health = engine.health(position.state)
        if health is None:
            return _nothing(position, engine.scale)
        return _judged(position, engine, health, horizon_s)
    except ArithmeticError as failure:
        causes = (*_doubts(position, ()), str(failure) or type(failure).__name__)
        return Liquidation(Status.UNKNOWN, None, engine.scale, causes=causes)


def _nothing(position: Position, scale: int) -> Liquidation:
    """Return the judgement of a position that no liquidation function can touch."""
    causes = _doubts(position, ())
    status = Status.UNKNOWN if causes else Status.NOT_LIQUIDATABLE
    return Liquidation(status, None, scale, causes=causes)


def _judged(position: Position, engine: Engine[Any], health: int, horizon_s: int) -> Liquidation:
    state = position.state
    factors = engine.factors(state)
    boundaries = tuple(
        sorted(
            (b for factor in factors for b in engine.boundary(state, factor)),
            key=lambda b: abs(b.distance_frac),
        )
    )
    instant = engine.time_to_liquidation(state, horizon_s)
    liquidatable = health < engine.scale
    causes = _doubts(position, factors)
    # of a safe position, say what a liquidation would do at its nearest boundary
    at_edge = {} if liquidatable or not boundaries else _at(boundaries[0])
    terms = engine.terms(state, at_edge)
    return Liquidation(
        status=(Status.LIQUIDATABLE if liquidatable else Status.UNKNOWN if causes else Status.SAFE),
        health_raw=health,
        health_scale=engine.scale,
        boundary=boundaries,
        time_to_liq_s=instant.after_s,
        time_exact=instant.exact,
        close_factor_frac=terms.close_factor_frac,
        penalty_frac=terms.penalty_frac,
        expected_loss_usd=terms.expected_loss_usd,
        oracle=_oracle(position, factors),
        blocked_by=terms.blocked_by,
        causes=causes,
    )


def health(
    position: Position, prices: Mapping[str, int] = NOW, at: int | None = None
) -> int | None:
    """Return health at factor prices and a time; None without debt or without an engine."""
    engine = engine_for(position)
    return None if engine is None else engine.health(position.state, prices, at)


def seizure(position: Position) -> Seizure | None:
    """Return what a liquidator would take now; None where nothing may be liquidated."""
    engine = engine_for(position)
    return None if engine is None else engine.seizure(position.state)


def reprice(position: Position, prices: Mapping[str, int]) -> Position:
    """Return the position with factors moved, in its legs and in its state.

    `prices` maps factor names to raw oracle prices. A leg whose token the engine prices follows
    the engine; any other follows its own factor.
    """
    engine, state, known = engine_for(position), position.state, dict[Any, int]()
    if engine is not None:
        state = engine.reprice(state, prices)
        known = dict(engine.token_prices(state))
    legs = tuple(_repriced(leg, prices, known) for leg in position.legs)
    return replace(position, legs=legs, state=state)


def _repriced(leg: Leg, prices: Mapping[str, int], known: Mapping[Any, int]) -> Leg:
    if not isinstance(leg.price, Price):
        return leg
    raw = known.get(leg.token.address, prices.get(leg.price.factor, leg.price.raw))
    return replace(leg, price=replace(leg.price, raw=raw))


def _doubts(position: Position, factors: tuple[Factor, ...]) -> tuple[str, ...]:
    unverified = () if position.verified else (position.notes or ("not verified",))
    problems = tuple(f"{f.label or f.name}: {p}" for f in factors for p in f.problems)
    return tuple(dict.fromkeys((*position.unknown, *unverified, *problems)))


def _at(boundary: Boundary) -> Mapping[str, int]:
    return {boundary.factor: boundary.price_raw}


def _oracle(position: Position, factors: tuple[Factor, ...]) -> OracleHealth | None:
    """Return the oldest of the prices that tell their age."""
    aged = [f for f in factors if f.updated_at is not None]
    if not factors:
        return None
    if not aged:
        return OracleHealth(None, None)
    oldest = min(aged, key=lambda f: f.updated_at or 0)
    return OracleHealth(position.at.timestamp - (oldest.updated_at or 0), oldest.heartbeat_s)
