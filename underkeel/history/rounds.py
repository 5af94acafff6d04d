"""Read a feed's rounds back to a time, in few batches, and only those not read before.

The newest rounds are read one by one, because they show how the feed behaves; older ones every
2^k-th, so that a feed that speaks every second costs no more than one that speaks every hour.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, log2
from typing import Final

import numpy as np

from chain.calls import ReadFailed, Reads
from chain.types import Address
from protocols.prices.rounds import Extent, read_extent, read_ids
from protocols.prices.state import Round
from risk.market.types import PriceSeries
from underkeel.history.store import Store

Share = Callable[[float], None]
"""Told how much is done, 0 to 1."""

FIRST_BATCH: Final = 500
LARGEST_BATCH: Final = 4_000
SEVERAL: Final = 10
"""Of so many rounds at least two differ in time, or the source only imitates rounds."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How far back to read."""

    since: int
    """Seconds since 1970."""
    dense: int = 500
    """So many of the newest rounds are read without gaps."""
    most: int = 20_000
    """Rounds of one feed in all; about."""
    settled: int = 0
    """Rounds up to this time are final, and kept."""


@dataclass(frozen=True, slots=True)
class Past:
    """What was found of a feed's rounds."""

    feed: Address
    rounds: tuple[Round, ...]
    """Oldest first, times strictly increasing, of each time the phase that the proxy followed."""
    dense_from: int
    """From this time on no round is left out."""
    whole: bool
    """False where it begins later than was asked for, though the feed is older."""

    def series(self, factor: str, label: str, decimals: int = 0) -> PriceSeries:
        """Return the history as arrays."""
        times = np.array([r.updated_at for r in self.rounds], np.int64)
        prices = np.array([r.answer / 10**decimals for r in self.rounds], np.float64)
        return PriceSeries(factor, label, times, prices, "rounds")

    @property
    def dense(self) -> tuple[Round, ...]:
        """The newest rounds, without gaps."""
        return tuple(r for r in self.rounds if r.updated_at >= self.dense_from)


def read_past(
    feed: Address, depth: Depth, store: Store, tell: Share = lambda _share: None
) -> Reads[Past]:
    """Return a feed's rounds since a time; raises `ReadFailed`.

    What is kept on disk is believed only if its first and last round are still the chain's.
    """
    extent = yield from read_extent(feed)
    known = yield from _believed(feed, extent, store)
    kept = frozenset(known)
    newest = extent.before(extent.newest + 1, depth.dense)
    found = yield from _fetch(feed, newest, known)
    if not found:
        raise ReadFailed("getRoundData: none of its rounds holds an answer")
    if len(newest) >= SEVERAL and len({r.updated_at for r in found.values()}) == 1:
        raise ReadFailed("getRoundData: its numbers do not lead to earlier answers")
    dense_from = min(r.updated_at for r in found.values())
    at, size, stride, whole = min(newest), FIRST_BATCH, 1, True
    batch = found
    while (oldest := min(r.updated_at for r in found.values())) > depth.since:
        latest = max(r.updated_at for r in found.values())
        tell(min((latest - oldest) / (latest - depth.since), 1.0))
        left = depth.most - len(found)
        if left <= 0:
            whole = False
            break
        stride = max(stride, _stride(tuple(batch.values()), oldest - depth.since, left))
        ids = extent.before(at, min(size, left), stride)
        if not ids:
            break
        batch = yield from _fetch(feed, ids, known)
        found |= batch
        at, size = ids[-1], min(2 * size, LARGEST_BATCH)
    _keep(feed, store, (r for i, r in found.items() if i not in kept), depth.settled)
    tell(1.0)
    return Past(feed, _in_order(found.values(), depth.since), dense_from, whole)


def _believed(feed: Address, extent: Extent, store: Store) -> Reads[dict[int, Round]]:
    known: dict[int, Round] = {}
    samples: list[int] = []
    for phase, _ in extent.lasts:
        if part := store.load(feed, phase):
            known |= part
            samples += {min(part), max(part)}
    if not samples:
        return known
    answered = yield from read_ids(feed, samples)
    real = {r.id: r for r in answered}
    for id_ in samples:
        if real.get(id_) != known.get(id_):
            store.forget(feed, id_ >> 64)
            known = {i: r for i, r in known.items() if i >> 64 != id_ >> 64}
            real.pop(id_, None)
    return known


def _fetch(feed: Address, ids: tuple[int, ...], known: dict[int, Round]) -> Reads[dict[int, Round]]:
    """Return the rounds with these ids, from what is known or from the chain."""
    missing = [i for i in ids if i not in known]
    found = {i: known[i] for i in ids if i in known}
    for start in range(0, len(missing), LARGEST_BATCH):
        rounds = yield from read_ids(feed, missing[start : start + LARGEST_BATCH])
        found |= {r.id: r for r in rounds}
    return found


def _stride(batch: Sequence[Round], back_s: int, left: int) -> int:
    """Return the power of two that spreads `left` rounds over a time, at the pace of a batch."""
    if not batch:
        return 1
    first = min(batch, key=lambda r: r.id)
    last = max((r for r in batch if r.phase == first.phase), key=lambda r: r.id)
    span = last.updated_at - first.updated_at
    needed = (last.id - first.id) * back_s / span if span > 0 else 0.0
    return 1 << max(0, ceil(log2(needed / left))) if needed > left else 1


def _keep(feed: Address, store: Store, rounds: Iterable[Round], settled: int) -> None:
    final = sorted((r for r in rounds if r.updated_at <= settled), key=lambda r: r.id)
    for phase, part in groupby(final, key=lambda r: r.phase):
        store.add(feed, phase, part)


def _in_order(rounds: Iterable[Round], since: int) -> tuple[Round, ...]:
    """Return the rounds by time; an older phase ends where the next one began to answer.

    A retired aggregator may go on answering: the proxy does not follow it any more.
    """
    found: list[Round] = []
    for round_ in sorted(rounds, key=lambda r: r.id, reverse=True):
        if not found or round_.updated_at < found[-1].updated_at:
            found.append(round_)
    found.reverse()
    begin = next((i for i, r in enumerate(found) if r.updated_at > since), len(found))
    return tuple(found[max(begin - 1, 0) :])
