"""Health of many accounts in many scenarios: a sign test of one product, and no division.

    Σ (threshold · collateral − debt) · price < 0

`tally` counts by account the scenarios in which it is liquidatable and adds up what it falls short
by. Counts are exact for the numbers given, with numba or without: see `risk.kernel.exact` and
`risk.kernel.fused` for the proofs. Scenarios may be streamed in blocks; nothing of the size
accounts × scenarios is ever held.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk.kernel.accounts import F64, I64, Accounts
from risk.kernel.exact import UNIT, BadPrices, check, tally_account

MEMORY_BYTES: Final = 256 * 2**20
"""Most that one block of scenarios and its working arrays may take, unless told otherwise."""
PLAIN_BLOCK: Final = 1_000
"""Scenarios at a time without numba,"""
PLAIN_ACCOUNTS: Final = 1_000
"""and accounts: their margins take 8 MB."""

__all__ = ["MEMORY_BYTES", "Accounts", "BadPrices", "Tally", "block_size", "blocks", "tally"]


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """What happened to each account over all scenarios."""

    scenarios: int
    liquidatable: I64
    """[A]: scenarios in which it is; exact."""
    shortfall: F64
    """[A]: Σ of what it falls short by, in the weights' money; see `error`."""
    error: F64
    """[A]: the greatest error of `shortfall`."""
    settled: int
    """Tests that only rationals could decide."""

    @property
    def probability(self) -> F64:
        """Return the share of scenarios in which each is liquidatable; NaN without scenarios."""
        return np.asarray(self.liquidatable / (self.scenarios or np.nan))


def block_size(accounts: Accounts, memory_bytes: int = MEMORY_BYTES) -> int:
    """Return how many scenarios fit at once: a float64 each of prices, and five working rows."""
    return max(1, memory_bytes // (8 * (accounts.factors + 5)))


def blocks(prices: NDArray[np.floating], size: int) -> Iterator[NDArray[np.floating]]:
    """Yield prices [F, S] in views of at most so many scenarios."""
    for first in range(0, prices.shape[1], size):
        yield prices[:, first : first + size]


def tally(
    accounts: Accounts,
    scenarios: NDArray[np.floating] | Iterable[NDArray[np.floating]],
    *,
    memory_bytes: int = MEMORY_BYTES,
    fused: bool | None = None,
) -> Tally:
    """Count liquidations and add up shortfalls over prices [F, S], or blocks of such.

    `fused` None takes the compiled kernel where numba is installed. Raises `BadPrices`, and
    `ValueError` where the number of factors differs.
    """
    given = [scenarios] if isinstance(scenarios, np.ndarray) else scenarios
    size = block_size(accounts, memory_bytes)
    judge = _judge(fused)
    counts = np.zeros(len(accounts), np.int64)
    shorts, errors = np.zeros(len(accounts)), np.zeros(len(accounts))
    done = settled = 0
    for whole in given:
        if whole.ndim != 2 or whole.shape[0] != accounts.factors:
            raise ValueError(f"prices are {whole.shape}, not [{accounts.factors}, scenarios]")
        for block in blocks(whole, size):
            found, short, error, exact = judge(accounts, block, done)
            counts, shorts, errors = counts + found, shorts + short, errors + error
            settled, done = settled + exact, done + block.shape[1]
    return Tally(done, counts, shorts, errors, settled)


Judged = tuple[I64, F64, F64, int]
Judge = Callable[[Accounts, NDArray[np.floating], int], Judged]


def _judge(fused: bool | None) -> Judge:
    if fused is None:
        fused = find_spec("numba") is not None
    return _fused if fused else _plain


def _plain(accounts: Accounts, prices: NDArray[np.floating], first: int) -> Judged:
    """Count by blocked matrix products; an account that one of them cannot tell is done again.

    The bound is that of `risk.kernel.exact` with all factors as terms: the zeros of the dense rows
    add no error, and whatever order the product is summed in does not matter.
    """
    check(prices, first)
    parts = [
        _product(accounts.part(lo, lo + PLAIN_ACCOUNTS), prices)
        for lo in range(0, len(accounts), PLAIN_ACCOUNTS)
    ]
    counts = np.concatenate([np.zeros(0, np.int64), *(found for found, _, _ in parts)])
    shorts = np.concatenate([np.zeros(0), *(short for _, short, _ in parts)])
    settled = sum(exact for _, _, exact in parts)
    return counts, shorts, _error(accounts, prices, UNIT, prices.shape[1]), settled


def _product(accounts: Accounts, prices: NDArray[np.floating]) -> tuple[I64, F64, int]:
    """Return counts, shortfalls and how many tests rationals settled, of some accounts."""
    counts, shorts = np.zeros(len(accounts), np.int64), np.zeros(len(accounts))
    matrix, settled = accounts.dense(), 0
    gross = np.abs(matrix)
    width = 2 * (accounts.factors + 2) * UNIT
    for lo in range(0, prices.shape[1], PLAIN_BLOCK):
        part = np.asarray(prices[:, lo : lo + PLAIN_BLOCK], np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            bound = width * (gross @ part.max(axis=1)) + np.finfo(np.float64).tiny
            margin = matrix @ part
            found = (margin < 0).sum(axis=1)
            close = ~(np.abs(margin).min(axis=1) > bound) & (np.diff(accounts.start) > 0)
            short = -np.minimum(margin, 0, out=margin).sum(axis=1)
        for account in np.flatnonzero(close).tolist():
            found[account], short[account], exact = tally_account(*accounts.row(account), part)
            settled += exact
        counts += found
        shorts += short
    return counts, shorts, settled


def _fused(accounts: Accounts, prices: NDArray[np.floating], first: int) -> Judged:
    from risk.kernel.fused import TILE, UNIT32, tally

    counts, shorts, opens = tally(accounts, prices)
    settled = 0
    if opens.any():
        check(prices, first)
    for account in np.flatnonzero(opens).tolist():
        counts[account], shorts[account], exact = tally_account(*accounts.row(account), prices)
        settled += exact
    return counts, shorts, _error(accounts, prices, UNIT32, TILE), settled


def _error(accounts: Accounts, prices: NDArray[np.floating], unit: float, chain: int) -> F64:
    """Return the bound of a sum of shortfalls: each margin's, and that of adding them up.

    A margin of n products is off by (n + 4)·u·Σ|w|·p; adding `chain` of them by (chain − 1)·u of
    their sum, no more than Σ|w|·p each; the rest is added in float64, far below that.
    """
    top = prices.max(axis=1, initial=0.0).astype(np.float64)
    sizes = np.diff(accounts.start)
    gross = np.zeros(len(accounts))
    parts = np.abs(accounts.weight) * top[accounts.factor]
    np.add.at(gross, np.repeat(np.arange(len(accounts)), sizes), parts)
    return np.asarray((sizes + 4 + chain) * unit * gross * prices.shape[1])
