"""Say of one position what can go wrong with it."""

from protocols.types import Position
from risk.liquidation import assess_liquidation
from risk.liquidation.engine import HORIZON_S
from risk.types import Assessment
from risk.valuation import equity_usd


def assess(position: Position, horizon_s: int = HORIZON_S) -> Assessment:
    """Return the position's liquidation and equity; pure, from what the position itself holds."""
    return Assessment(position, assess_liquidation(position, horizon_s), equity_usd(position))
