"""Accounts as sparse rows: what each gains or loses of health's margin per unit of a price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Accounts:
    """A CSR matrix [A, F]: threshold · collateral − debt, per factor and unit of its price.

    An account is liquidatable in a scenario if and only if its row times the prices is negative;
    what it falls short by is minus that product.
    """

    start: I64
    """[A + 1]: where each row's entries begin."""
    factor: I64
    """[N]: columns."""
    weight: F64
    """[N]: finite."""
    factors: int

    def __len__(self) -> int:
        return len(self.start) - 1

    @classmethod
    def of(cls, rows: Sequence[Mapping[int, float]], factors: int) -> "Accounts":
        """Return rows given as weight by factor; zeros are left out.

        Raises `ValueError` for a weight that is not finite or a factor that does not exist.
        """
        kept = [sorted((f, w) for f, w in row.items() if w) for row in rows]
        start = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in kept], out=start[1:])
        flat = [entry for row in kept for entry in row]
        found = cls(
            start,
            np.array([f for f, _ in flat], np.int64),
            np.array([w for _, w in flat], np.float64),
            factors,
        )
        if not np.isfinite(found.weight).all():
            raise ValueError("a weight is not finite")
        if len(flat) and not (found.factor.min() >= 0 and found.factor.max() < factors):
            raise ValueError(f"a factor is not among the {factors}")
        return found

    def row(self, account: int) -> tuple[I64, F64]:
        """Return the factors and weights of one account."""
        part = slice(self.start[account], self.start[account + 1])
        return self.factor[part], self.weight[part]

    def part(self, first: int, end: int) -> "Accounts":
        """Return the accounts from `first` up to `end`, that one not included."""
        start = self.start[first : end + 1]
        entries = slice(int(start[0]), int(start[-1]))
        return Accounts(start - start[0], self.factor[entries], self.weight[entries], self.factors)

    def dense(self) -> F64:
        """Return the matrix [A, F] with its zeros."""
        full = np.zeros((len(self), self.factors))
        full[np.repeat(np.arange(len(self)), np.diff(self.start)), self.factor] = self.weight
        return full
