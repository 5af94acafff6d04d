"""How much to repay, or to add, of which asset, so that health is at least a target: exactly.

The amount is searched in base units with the contract's own arithmetic, rounding of its repay and
supply included, at a stated block time: carried out in a block of that time it gives at least the
target, and one base unit less would not.
"""

from protocols.aave_v3.state import AaveAccount
from protocols.compound_v2.state import CompoundAccount
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import State
from risk.liquidation import engine_of
from risk.liquidation.search import lowest
from risk.remedy import aave, compound, morpho
from risk.remedy.types import Kind, Lever, Remedies, Remedy


def remedies(state: State | None, target_raw: int, at: int) -> Remedies | None:
    """Return each way to reach a health of `target_raw`, in the engine's scale, at a block time.

    None where nothing can be liquidated. Raises `ArithmeticError` where the protocol's own
    arithmetic would fail.
    """
    engine = engine_of(state)
    if engine is None:
        return None
    if isinstance(state, AaveAccount):
        now = engine.health(state, at=at)
        found, unknown = aave.levers(state, at)
    elif isinstance(state, CompoundAccount):
        now = engine.health(compound.advanced(state, at))
        found, unknown = compound.levers(state, at)
    elif isinstance(state, MorphoPosition):
        now = engine.health(state, at=at)
        found, unknown = morpho.levers(state, at)
    else:
        return None
    if now is None:
        return None
    if now >= target_raw:
        return Remedies(target_raw, True, (), unknown)
    return Remedies(target_raw, False, tuple(_remedy(n, target_raw, at) for n in found), unknown)


def _remedy(lever: Lever, target_raw: int, at: int) -> Remedy:
    """Return the least amount of one lever."""

    def reaches(health: int | None) -> bool:
        return health is None or health >= target_raw

    def verdict(lo: int, hi: int) -> bool | None:
        worst, best = lever.bounds(lo, hi)
        if reaches(worst):
            return True
        return None if reaches(best) else False

    edge = lowest(1, lever.most, verdict)
    amount = edge.at if edge.exact else None
    health = lever.bounds(*(2 * (lever.most if amount is None else amount,)))[0]
    return Remedy(
        kind=lever.kind,
        asset=lever.asset,
        symbol=lever.symbol,
        decimals=lever.decimals,
        name=lever.name,
        amount=amount,
        health_raw=health,
        whole=lever.kind is Kind.REPAY and amount == lever.most,
        at=at,
        obstacles=lever.obstacles,
        ceiling=lever.ceiling,
    )


__all__ = ["Kind", "Remedies", "Remedy", "remedies"]
