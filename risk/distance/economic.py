"""Two distances that one number would blur: what the oracle sees, and what the collateral fetches.

Both say by how much all collateral may fall, all else equal, until the debt is not borne: the one
at the oracle's prices, which is when liquidation comes; the other at market prices, which is when
the position is lost though nobody may liquidate it. A staking token priced by its protocol's own
ratio, or a capped or fixed price, hides a depeg from the first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from chain.types import Address
from protocols.aave_v3.math import lines
from protocols.aave_v3.state import AaveAccount
from protocols.compound_v2.state import CompoundAccount
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import State
from risk.distance.linear import margin_of
from risk.liquidation.compound_v2_lines import chosen, worst
from risk.liquidation.compound_v2_lines import lines as compound_lines
from risk.liquidation.engine import NOW


@dataclass(frozen=True, slots=True)
class Apart:
    """The two distances; negative, as falls are."""

    oracle_frac: float
    economic_frac: float | None
    """None where the market price of a part is not known."""
    causes: tuple[str, ...] = ()
    """Why it is not."""


def distance(health: float) -> float:
    """Return by what fraction all collateral may change until health is 1; −1 cannot be lost."""
    return 1 / health - 1 if health > 0 else float("inf")


def economic_health(state: State | None, ratios: Mapping[Address, float]) -> float | None:
    """Return health with every token at market price / oracle price; None without a debt.

    Raises `KeyError` for a token that `ratios` lacks.
    """
    if isinstance(state, AaveAccount):
        held = owed = 0.0
        for line in lines(state, state.timestamp):
            asset, price = line.holding.reserve.asset, line.quote.price() / line.unit
            if line.collateral:
                held += line.collateral * price * line.threshold * ratios[asset]
            if line.debt:
                owed += line.debt * price * 10_000 * ratios[asset]
        return held / owed if owed else None
    if isinstance(state, CompoundAccount):
        return _compound(state, ratios)
    margin = margin_of(state)
    if margin is None or not isinstance(state, MorphoPosition) or not margin.debt:
        return None
    params = state.params
    apart = ratios[params.collateral_token] / ratios[params.loan_token]
    return (1 + margin.h0 / margin.debt) * apart


def _compound(state: CompoundAccount, ratios: Mapping[Address, float]) -> float | None:
    held = owed = 0.0
    found = compound_lines(state)
    if not any(line.accrued.debt for line in found):
        return None
    for line, variant in chosen(found, worst(found, NOW)):
        bears, weighs = line.worth(variant, line.price(NOW))
        if bears or weighs:
            ratio = ratios[line.holding.market.underlying.address]
            held += bears * ratio
            owed += weighs * ratio
    return held / owed if owed else None


__all__ = ["Apart", "distance", "economic_health"]
