"""The fused kernel: sign test, count and shortfall in one pass over float32, nothing stored.

Needs numba (extra `risk`); importing this module costs a second and a half.

Scenarios are cut into tiles that stay in the first-level cache; every account then runs over the
tile with its products, its counts and its shortfall in registers.

**The bound.** Weights are scaled to at most 1 by account. With u = 2⁻²⁴, weight and price are each
rounded once and the sum of n products is off by γₙ more, so a margin is off by less than
b = (n + 5)·u·Σ|w|·p, p the tile's highest price of the factor, plus what underflow takes (below
2⁻¹²⁰). Margins below −b and margins below b are counted apart: where the counts of a tile differ,
the account is done again over that tile in float64 under float64's bound; what is open even then is
reported and left to `risk.kernel.exact`.
"""

from typing import Any, Final

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from risk.kernel.accounts import F64, Accounts

TILE: Final = 512
UNIT32: Final = 2.0**-24
UNIT64: Final = 2.0**-53
TINY: Final = 2.0**-120
HIGHEST_BITS: Final = (127 + 100) << 23
"""2¹⁰⁰ as float32: no tile with a price from there on is done in float32."""

# Everything is finite by then, so sums may be reordered and spread over vector lanes.
_FAST: Final = njit(fastmath=True, cache=True)


@_FAST
def _one(p: Any, w: Any, k: Any, size: Any, b: Any) -> Any:  # pragma: no cover (compiled)
    sure, most, short = np.float32(0), np.float32(0), np.float32(0)
    x = w[0]
    p0 = p[k[0]]
    for i in range(size):
        h = x * p0[i]
        sure += np.float32(1) if h < -b else np.float32(0)
        most += np.float32(1) if h < b else np.float32(0)
        short += h if h < np.float32(0) else np.float32(0)
    return sure, most, short


@_FAST
def _two(p: Any, w: Any, k: Any, size: Any, b: Any) -> Any:  # pragma: no cover (compiled)
    sure, most, short = np.float32(0), np.float32(0), np.float32(0)
    x, y = w[0], w[1]
    p0, p1 = p[k[0]], p[k[1]]
    for i in range(size):
        h = x * p0[i] + y * p1[i]
        sure += np.float32(1) if h < -b else np.float32(0)
        most += np.float32(1) if h < b else np.float32(0)
        short += h if h < np.float32(0) else np.float32(0)
    return sure, most, short


@_FAST
def _three(p: Any, w: Any, k: Any, size: Any, b: Any) -> Any:  # pragma: no cover (compiled)
    sure, most, short = np.float32(0), np.float32(0), np.float32(0)
    x, y, z = w[0], w[1], w[2]
    p0, p1, p2 = p[k[0]], p[k[1]], p[k[2]]
    for i in range(size):
        h = x * p0[i] + y * p1[i] + z * p2[i]
        sure += np.float32(1) if h < -b else np.float32(0)
        most += np.float32(1) if h < b else np.float32(0)
        short += h if h < np.float32(0) else np.float32(0)
    return sure, most, short


@_FAST
def _more(
    p: Any, w: Any, k: Any, size: Any, b: Any, rest: Any
) -> Any:  # pragma: no cover (compiled)
    """Four entries at a time; all but the last four are summed into `rest` first."""
    n = len(w)
    rest[:size] = np.float32(0)
    j = 0
    while n - j > 4:
        x, p0 = w[j], p[k[j]]
        for i in range(size):
            rest[i] += x * p0[i]
        j += 1
    sure, most, short = np.float32(0), np.float32(0), np.float32(0)
    x, y, z, v = w[j], w[j + 1], w[j + 2], w[j + 3]
    p0, p1, p2, p3 = p[k[j]], p[k[j + 1]], p[k[j + 2]], p[k[j + 3]]
    for i in range(size):
        h = rest[i] + (x * p0[i] + y * p1[i]) + (z * p2[i] + v * p3[i])
        sure += np.float32(1) if h < -b else np.float32(0)
        most += np.float32(1) if h < b else np.float32(0)
        short += h if h < np.float32(0) else np.float32(0)
    return sure, most, short


@njit(cache=True)
def _load(prices: Any, lo: Any, size: Any, p: Any, bits: Any) -> Any:  # pragma: no cover (compiled)
    """Fill one factor's row of a tile; return the lowest and highest bit pattern.

    Of floats that are not negative the patterns are in the floats' own order; a negative one is a
    negative integer, an infinite one or NaN is above all others. Integers go into vector lanes.
    """
    for i in range(size):
        p[i] = prices[lo + i]
    least, most = np.int32(HIGHEST_BITS), np.int32(0)
    for i in range(size):
        least = min(least, bits[i])
        most = max(most, bits[i])
    return least, most


@njit(cache=True)
def _again(w: Any, k: Any, prices: Any, lo: Any, hi: Any) -> Any:  # pragma: no cover (compiled)
    """Return (count, shortfall, open) of one account over a tile in float64."""
    count, open_, short = 0, 0, 0.0
    for s in range(lo, hi):
        h, gross = 0.0, 0.0
        sound: Any = True
        for j in range(len(w)):
            price = np.float64(prices[k[j], s])
            sound &= price >= 0 and price < np.inf
            part = w[j] * price
            h += part
            gross += abs(part)
        if not sound or (gross > 0 and abs(h) <= (len(w) + 2) * UNIT64 * gross):
            open_ += 1
        if h < 0:
            count += 1
            short -= h
    return count, short, open_


@njit(parallel=True, cache=True, error_model="numpy")
def _tally(
    start: Any, factor: Any, narrow: Any, wide: Any, prices: Any, used: Any, parts: Any
) -> Any:  # pragma: no cover (compiled)
    accounts, scenarios = len(start) - 1, prices.shape[1]
    counts = np.zeros((parts, accounts), np.int64)
    shorts = np.zeros((parts, accounts))
    opens = np.zeros((parts, accounts), np.int64)
    tiles = (scenarios + TILE - 1) // TILE
    for part in prange(parts):
        p = np.empty((prices.shape[0], TILE), np.float32)
        bits = p.view(np.int32)
        top_bits = np.zeros(prices.shape[0], np.int32)
        top = top_bits.view(np.float32)
        rest = np.empty(TILE, np.float32)
        for tile in range(part * tiles // parts, (part + 1) * tiles // parts):
            lo = tile * TILE
            hi = min(lo + TILE, scenarios)
            size = hi - lo
            sound = True
            for f in used:
                least, highest = _load(prices[f], lo, size, p[f], bits[f])
                top_bits[f] = highest
                sound &= (least >= 0) and (highest < HIGHEST_BITS)
            for a in range(accounts):
                k = factor[start[a] : start[a + 1]]
                w = narrow[start[a] : start[a + 1]]
                n = len(k)
                if n == 0:
                    continue
                if sound:
                    gross = 0.0
                    for j in range(n):
                        gross += abs(np.float64(w[j])) * np.float64(top[k[j]])
                    b = np.float32((n + 5) * UNIT32 * gross + TINY)
                    if n == 1:
                        sure, most, short = _one(p, w, k, size, b)
                    elif n == 2:
                        sure, most, short = _two(p, w, k, size, b)
                    elif n == 3:
                        sure, most, short = _three(p, w, k, size, b)
                    else:
                        sure, most, short = _more(p, w, k, size, b, rest)
                    if sure == most:
                        counts[part, a] += np.int64(sure)
                        shorts[part, a] -= np.float64(short)
                        continue
                full = wide[start[a] : start[a + 1]]
                again, missing, open_ = _again(full, k, prices, lo, hi)
                counts[part, a] += again
                shorts[part, a] += missing
                opens[part, a] += open_
    return counts.sum(0), shorts.sum(0), opens.sum(0)


def tally(
    accounts: Accounts, prices: NDArray[np.floating]
) -> tuple[NDArray[np.int64], F64, NDArray[np.int64]]:
    """Return by account (counts, shortfalls, tests left open) over prices [F, S].

    Where tests were left open, nothing of that account is to be believed.
    """
    sizes = np.diff(accounts.start)
    scale = np.ones(len(accounts))
    filled = np.flatnonzero(sizes)
    if len(filled):
        scale[filled] = np.maximum.reduceat(np.abs(accounts.weight), accounts.start[filled])
    wide = accounts.weight / np.repeat(scale, sizes)
    # a power of two, so that scaling moves no sign and rounds nothing
    scale = np.exp2(np.ceil(np.log2(scale)))
    wide = accounts.weight / np.repeat(scale, sizes)
    counts, shorts, opens = _tally(
        accounts.start,
        accounts.factor,
        wide.astype(np.float32),
        wide,
        np.ascontiguousarray(prices),
        np.unique(accounts.factor),
        max(1, min(get_num_threads(), -(-prices.shape[1] // TILE))),
    )
    return counts, shorts * scale, opens
