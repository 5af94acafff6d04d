"""The part of a document that says how one position's dollars move with each price behind it."""

from protocols.types import Position, Price
from risk.greeks import greeks
from underkeel.documents import models
from underkeel.stress.factors import parts_of
from underkeel.stress.values import exposed
from underkeel.valuation import Valuation


def greek_parts(held: Position, valuation: Valuation) -> list[models.Greek]:
    """Return a position's Greeks by primitive price; none where its worth is not known.

    No volatility is read for a report, so vega is null of a range in its bounds, and theta too.
    """
    names = labels(held, valuation)
    return [
        models.Greek(
            factor=found.factor,
            label=names.get(found.factor, ""),
            delta_usd=found.delta_usd,
            gamma_usd_per_1pct=found.gamma_usd_per_1pct,
            vega_usd_per_volpt=found.vega_usd_per_volpt,
            theta_usd_per_day=found.theta_usd_per_day,
            lvr_usd_per_variance=found.lvr_usd_per_variance,
        )
        for found in greeks(exposed(held, valuation)).by_factor
    ]


def labels(held: Position, valuation: Valuation) -> dict[str, str]:
    """Return what the oracles call each price behind a position, where they say so."""
    found: dict[str, str] = {}
    for leg in held.legs:
        price = valuation.price(leg)
        if isinstance(price, Price):
            for factor, label, symbol in parts_of(price.source, price.label, leg.token.symbol):
                found.setdefault(factor, label or symbol)
    return found
