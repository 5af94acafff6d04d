"""What of a market's columns counts for health, in floats, before any price.

An account's entries that count are its collateral and its variable debt, each with a *cell*: the
place of (e-mode category, reserve) in the tables of `weights`. Every rule that asks for a flag, an
e-mode or a threshold is applied here, once, so that a price vector costs two sums per account.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocols.aave_v3.columns import Columns, Kind
from protocols.aave_v3.state import EMode, Quote, Reserve

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

LIMB: Final = 2.0**64


@dataclass(frozen=True, slots=True)
class Cell:
    """One reserve as the accounts in one e-mode category (0: in none) have it."""

    reserve: Reserve
    emode: EMode | None

    @property
    def threshold(self) -> int:
        """Return the liquidation threshold that applies, in bps."""
        if self.emode is not None and self.emode.covers(self.reserve):
            return self.emode.liquidation_threshold
        return self.reserve.liquidation_threshold

    @property
    def quote(self) -> Quote | None:
        """Return the price that applies; None where there is none."""
        emode = self.emode
        if emode is not None and emode.quote is not None and emode.covers(self.reserve):
            return emode.quote
        return self.reserve.quote


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One side of all accounts: M entries that count, ordered by account."""

    account: I64
    """(M,): row of the account."""
    cell: I64
    """(M,): place in `Exposure.cells`."""
    scaled: F64
    """(M,): scaled amount, with a relative error of at most γ₃ (see `screen`)."""

    def sums(self, by_cell: F64, accounts: int) -> F64:
        """Return for each account Σ scaled · by_cell[cell]."""
        return _bincount(self.account, self.scaled * by_cell[self.cell], accounts)

    def counted(self, by_cell: F64, accounts: int) -> F64:
        """Return for each account Σ by_cell[cell]."""
        return _bincount(self.account, by_cell[self.cell], accounts)


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """A market's accounts as two sparse matrices over cells."""

    columns: Columns
    cells: tuple[Cell, ...]
    collateral: Side
    debt: Side
    most: int
    """The greatest number of entries that one account has on one side."""
    uniform: Bool
    """(P,): whether all collateral of an account has one and the same threshold."""
    exact_only: Bool
    """(P,): owes at a stable rate or with a discount; only integers judge it."""
    unknown: Mapping[int, str]
    """By account row: why its health cannot be known."""

    def __len__(self) -> int:
        return len(self.columns)

    @classmethod
    def of(cls, columns: Columns) -> "Exposure":
        """Return what counts for health."""
        cells, first = _cells(columns)
        place = first[columns.emode]
        gated = columns.rules.threshold_gates
        counts = np.array([not (gated and c.reserve.liquidation_threshold == 0) for c in cells])
        cell = place[columns.account] + columns.reserve
        borrowed = columns.borrowing().astype(bool)
        supplied = (columns.kind == Kind.SUPPLY) & columns.collateral().astype(bool) & counts[cell]
        owed = (columns.kind == Kind.DEBT) & borrowed
        collateral, debt = _side(columns, cell, supplied), _side(columns, cell, owed)
        special = ~np.isin(columns.kind, (Kind.SUPPLY, Kind.DEBT, Kind.WALLET)) & borrowed
        exact_only = np.zeros(len(columns), bool)
        exact_only[columns.account[special]] = True
        return cls(
            columns=columns,
            cells=cells,
            collateral=collateral,
            debt=debt,
            most=max(_most(collateral), _most(debt)),
            uniform=_uniform(collateral, cells, len(columns)),
            exact_only=exact_only,
            unknown=_unknown(columns),
        )


def _cells(columns: Columns) -> tuple[tuple[Cell, ...], I64]:
    """Return the cells of the categories in use, and by category the place of its first."""
    width = len(columns.reserves)
    cells: list[Cell] = []
    first = np.zeros(256, np.int64)
    for number in (0, *(int(n) for n in np.unique(columns.emode) if n)):
        first[number] = len(cells)
        emode = columns.emodes.get(number)
        cells += (Cell(reserve, emode) for reserve in columns.reserves)
    assert len(cells) % width == 0 if width else not cells
    return tuple(cells), first


def _side(columns: Columns, cell: I64, chosen: Bool) -> Side:
    scaled = columns.hi[chosen].astype(np.float64) * LIMB + columns.lo[chosen].astype(np.float64)
    return Side(columns.account[chosen].astype(np.int64), cell[chosen].astype(np.int64), scaled)


def _most(side: Side) -> int:
    return int(np.bincount(side.account).max(initial=0))


def _uniform(side: Side, cells: tuple[Cell, ...], accounts: int) -> Bool:
    """Return whether every account's collateral has one threshold; it does where it has none."""
    found = np.ones(accounts, bool)
    thresholds = np.array([cell.threshold for cell in cells], np.int64)[side.cell]
    differs = (side.account[1:] == side.account[:-1]) & (thresholds[1:] != thresholds[:-1])
    found[side.account[1:][differs]] = False
    return found


def _unknown(columns: Columns) -> dict[int, str]:
    """Return what the columns do not know, and who is flagged in a reserve without a price."""
    found = dict(columns.unknown)
    for number in np.unique(columns.emode).tolist():
        members = columns.emode == number
        emode = columns.emodes.get(number)
        if number and emode is None:
            for row in np.flatnonzero(members).tolist():
                found.setdefault(row, f"e-mode {number} is not known")
        for reserve in columns.reserves:
            if Cell(reserve, emode).quote is not None:
                continue
            limb, shift = divmod(2 * reserve.id, 64)
            flags = columns.configuration[:, limb] >> np.uint64(shift) & np.uint64(3)
            for row in np.flatnonzero(members & (flags != 0)).tolist():
                found.setdefault(row, f"{reserve.symbol}: the oracle gives no price")
    return found


def _bincount(rows: I64, weights: F64, length: int) -> F64:
    return np.bincount(rows, weights=weights, minlength=length).astype(np.float64, copy=False)
