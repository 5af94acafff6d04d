"""A whole market's accounts as rows for the kernel, so that simulations run over all of them.

A row is Σ scaled · weight of `risk.bulk.weights` by price: collateral times threshold less debt, in
base currency times 1e4, at the block's time. Prices that one factor moves alike are one column; a
capped price is a column of its own, because it stops where its cap is. The contract's roundings of
each value (less than price/unit + 1 each) and, to 3.4, of the average threshold are not in a row:
who is nearer to the boundary than that is `risk.bulk.screen`'s to judge.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chain.units import BPS
from protocols.aave_v3.state import Quote
from risk.bulk.exposure import F64, I64, Exposure, Side
from risk.bulk.weights import Weights
from risk.kernel.accounts import Accounts
from risk.liquidation.engine import NOW


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Rows, and how their columns follow the factors."""

    accounts: Accounts
    """Nothing is in the rows of the unknown."""
    columns: tuple[tuple[str, float], ...]
    """[C]: factor, and how far its price may rise before its cap; infinite without one."""
    unknown: Mapping[int, str]
    """By row: why its health cannot be told here."""

    def prices(self, moves: Mapping[str, F64], scenarios: int) -> F64:
        """Return each column's price over today's, [C, S]; a factor not among `moves` stays."""
        table = np.ones((len(self.columns), scenarios))
        for i, (factor, room) in enumerate(self.columns):
            if factor in moves:
                table[i] = np.minimum(moves[factor], room) / min(1.0, room)
        return table


def market(exposure: Exposure) -> Market:
    """Return a market's rows; of accounts with special debts only integers know, and it says so."""
    rules, at = exposure.columns.rules, exposure.columns.at.timestamp
    weights = Weights.of(exposure.cells, rules, at, NOW)
    column: dict[tuple[str, float], int] = {}
    of_cell = np.zeros(len(exposure.cells), np.int64)
    for i, cell in enumerate(exposure.cells):
        if cell.quote is not None:
            key = _followed(cell.quote)
            of_cell[i] = column.setdefault(key, len(column))
    unknown = dict(exposure.unknown)
    for row in np.flatnonzero(exposure.exact_only).tolist():
        unknown.setdefault(row, "owes at a stable rate or with a discount")
    sides = (
        _entries(exposure.collateral, weights.weighted, of_cell),
        _entries(exposure.debt, -BPS * weights.debt, of_cell),
    )
    account, factor, weight = (np.concatenate(parts) for parts in zip(*sides, strict=True))
    known = np.ones(len(exposure), bool)
    known[list(unknown)] = False
    keep = known[account]
    rows = _rows(account[keep], factor[keep], weight[keep], len(exposure), len(column))
    return Market(rows, tuple(column), unknown)


def _followed(quote: Quote) -> tuple[str, float]:
    base = quote.raw * quote.num
    if quote.constant or not base:
        return "", np.inf
    return quote.factor, np.inf if quote.cap is None else quote.cap * quote.den / base


def _entries(side: Side, by_cell: F64, of_cell: I64) -> tuple[I64, I64, F64]:
    return side.account, of_cell[side.cell], side.scaled * by_cell[side.cell]


def _rows(account: I64, factor: I64, weight: F64, accounts: int, factors: int) -> Accounts:
    """Add up entries of one account and factor, and order them."""
    place, inverse = np.unique(account * max(factors, 1) + factor, return_inverse=True)
    summed = np.bincount(inverse, weights=weight, minlength=len(place)).astype(np.float64)
    start = np.zeros(accounts + 1, np.int64)
    np.cumsum(np.bincount(place // max(factors, 1), minlength=accounts), out=start[1:])
    return Accounts(start, place % max(factors, 1), summed, factors)
