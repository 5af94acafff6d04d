"""What one scaled unit of each cell is worth at given prices, as floats with their errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chain.units import RAY
from protocols.aave_v3.math import normalized_debt, normalized_income
from protocols.aave_v3.rules import Rules
from risk.bulk.exposure import F64, Cell


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """By cell, in base currency; each float is the rational rounded once."""

    collateral: F64
    """Per scaled unit of supply."""
    weighted: F64
    """The same times the threshold in bps."""
    debt: F64
    """Per scaled unit of variable debt."""
    slack: F64
    """By how much the contract's roundings may move one entry's value: price/unit + 1."""
    weighted_slack: F64
    """The same times the threshold."""

    @classmethod
    def of(
        cls, cells: Sequence[Cell], rules: Rules, at: int, prices: Mapping[str, int]
    ) -> "Weights":
        """Return the weights at a time and at prices by factor, others as read.

        Python divides integers with a single, correct rounding. A cell without a price weighs
        nothing: whoever counts it is unknown.
        """
        table = np.zeros((5, len(cells)))
        for i, cell in enumerate(cells):
            quote, reserve = cell.quote, cell.reserve
            if quote is None:
                continue
            price, unit = quote.price(prices.get(quote.factor)), 10**reserve.decimals
            supplied = normalized_income(reserve, at) * price
            owed = normalized_debt(reserve, at, rules) * price
            table[:, i] = (
                supplied / (RAY * unit),
                supplied * cell.threshold / (RAY * unit),
                owed / (RAY * unit),
                price / unit + 1,
                (price + unit) * cell.threshold / unit,
            )
        return cls(*table)
