"""What was to be shown, what was measured, and whether that is enough."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.contestants import (
    DANK,
    DANK_UNLIMITED,
    EXTENDED,
    FRESH,
    HEALTH,
    LENS,
    NAIVE,
    REFERENCE,
    STORAGE,
    VIEM,
    WARM,
)
from bench.measure import Measured, Result, Size
from bench.scene import NFTS

Results = Mapping[Size, Measured]
Figure = Callable[[Result], float | None]

ONE, TEN, THOUSAND = (Size("full", count, 30) for count in (1, 10, 1_000))
SMALL = Size("full", 1, 10)
WHOLE = Size("full", 10_000, 30)
HEALTHS = Size("health", 1_000, 30)
NFT = Size("uniswap", NFTS, 30)


def far(size: Size, latency_ms: int = 100) -> Size:
    """Return a size with latency."""
    return Size(size.task, size.accounts, size.reserves, latency_ms)


def wall(result: Result) -> float | None:
    return result.wall_ms


def cpu(result: Result) -> float | None:
    return result.cpu_ms


@dataclass(frozen=True)
class Target:
    """One thing to be shown: a figure that must be at least, or at most, so much."""

    what: str
    need: float
    measured: Callable[[Results], float | None]
    """None where this run has not measured it."""
    at_most: bool = False

    def met(self, value: float) -> bool:
        """Whether a figure is enough."""
        return value <= self.need if self.at_most else value >= self.need


def _one(results: Results, size: Size, name: str) -> Result | None:
    measured = results.get(size)
    return next((r for r in measured.results if r.name == name), None) if measured else None


def _waited_ms(results: Results, size: Size, name: str) -> float | None:
    """How long one that gave no answer was waited for: it takes at least so long."""
    fault = results[size].faults.get(name, "") if size in results else ""
    found = re.search(r"no result within (\d+) s", fault)
    return 1e3 * int(found[1]) if found else None


def times(size: Size, ours: str, theirs: str, figure: Figure = wall) -> Callable[..., float | None]:
    """How many times more the other needs, at least."""

    def measured(results: Results) -> float | None:
        one, other = _one(results, size, ours), _one(results, size, theirs)
        less, more = (one and figure(one)), (other and figure(other))
        if more is None and figure is wall:
            more = _waited_ms(results, size, theirs)
        return more / less if less and more else None

    return measured


def across(size: Size, ours: str, other_size: Size, theirs: str) -> Callable[..., float | None]:
    """How many times longer the other takes for what it has to read for the same."""

    def measured(results: Results) -> float | None:
        one, other = _one(results, size, ours), _one(results, other_size, theirs)
        return other.wall_ms / one.wall_ms if one and other else None

    return measured


def over_replay(size: Size, ours: str) -> Callable[..., float | None]:
    """Our time over that of the same requests, sent again without us."""

    def measured(results: Results) -> float | None:
        one = _one(results, size, ours)
        return one.wall_ms / one.floor_ms if one and one.floor_ms else None

    return measured


def trips(size: Size, name: str) -> Callable[..., float | None]:
    """Round trips: the time that latency added, over the latency."""

    def measured(results: Results) -> float | None:
        near, distant = _one(results, size.near, name), _one(results, size, name)
        if not near or not distant:
            return None
        return (distant.wall_ms - near.wall_ms) / size.latency_ms

    return measured


def figure_of(size: Size, name: str, figure: Figure) -> Callable[..., float | None]:
    """One figure of one contestant."""

    def measured(results: Results) -> float | None:
        one = _one(results, size, name)
        return figure(one) if one else None

    return measured


TARGETS = (
    Target("1,000 × 30, lens: × multicall.py", 20, times(THOUSAND, LENS, REFERENCE)),
    Target("1,000 × 30, lens: × viem tuned", 40, times(THOUSAND, LENS, VIEM)),
    Target("1,000 × 30, storage: × multicall.py", 40, times(THOUSAND, STORAGE, REFERENCE)),
    Target("1,000 × 30, health of all: × multicall.py's snapshot", 75,
           across(HEALTHS, HEALTH, THOUSAND, REFERENCE)),
    Target("1,000 × 30, lens: × less CPU than multicall.py", 50,
           times(THOUSAND, LENS, REFERENCE, cpu)),
    Target("1,000 × 30, lens: wall over raw replay", 1.15, over_replay(THOUSAND, LENS), True),
    Target("10 × 30, lens: × dank_mids, as installed", 100, times(TEN, LENS, DANK)),
    Target("10 × 30, lens: × dank_mids, limiter off", 100, times(TEN, LENS, DANK_UNLIMITED)),
    Target("10 × 30, lens: × naive web3.py", 500, times(TEN, LENS, NAIVE)),
    Target("10 × 30, lens: × eth_defi", 50, times(TEN, LENS, EXTENDED)),
    Target("one wallet, 1 × 10: × multicall.py", 4, times(SMALL, LENS, REFERENCE)),
    Target("one wallet, 1 × 30: × multicall.py", 4, times(ONE, LENS, REFERENCE)),
    Target("one wallet, 1 × 10, 100 ms: × multicall.py", 3, times(far(SMALL), LENS, REFERENCE)),
    Target("one wallet, 1 × 30, 100 ms: × multicall.py", 3, times(far(ONE), LENS, REFERENCE)),
    Target("one wallet, 1 × 10, 100 ms: × multicall.py with a fresh client", 3,
           times(far(SMALL), LENS, FRESH)),
    Target("one wallet, 1 × 10: POSTs after the head", 1,
           figure_of(SMALL, LENS, lambda r: r.posts), True),
    Target("one wallet, 1 × 10: round trips, warm", 1.3, trips(far(SMALL), LENS), True),
    Target("Uniswap v3, one owner: × multicall.py", 4, times(NFT, WARM, REFERENCE)),
    Target("Uniswap v3, one owner, 100 ms: × multicall.py", 8, times(far(NFT), WARM, REFERENCE)),
    Target("Uniswap v3, one owner: POSTs after the head", 1,
           figure_of(NFT, WARM, lambda r: r.posts), True),
    Target("10,000 × 30, lens: MB the reader grew by", 300,
           figure_of(WHOLE, LENS, lambda r: r.peak_mb), True),
    Target("10,000 × 30, lens: MB of the whole process", 300,
           figure_of(WHOLE, LENS, lambda r: r.resident_mb), True),
)  # fmt: skip


def verdict(results: Results) -> list[tuple[str, str, str, str]]:
    """Return target, need, measured, met; its head first, and only what was measured."""
    lines = [("target", "need", "measured", "met")]
    for target in TARGETS:
        value = target.measured(results)
        if value is None:
            continue
        need = f"{'≤' if target.at_most else '≥'} {target.need:g}"
        lines.append((target.what, need, f"{value:.3g}", "yes" if target.met(value) else "no"))
    return lines
