"""A feed's own past: its rounds, across the aggregators that it has had.

Reads of `read_rounds`, three rounds: `latestRoundData` and `phaseId` of the proxy; `getRoundData`
back to the phase's first round, and what the last round of each earlier phase's aggregator was;
then `getRoundData` in those. `read_extent` is its first half and `read_ids` its second, for
whoever reads a long past piece by piece.
Rounds: a proxy's round is `phase << 64 | n` with n from 1. Phases are counted separately, so
the round before `phase << 64 | 1` is not `phase << 64` (that one is answered with zeros, or not
at all) but the last round of the phase before. Rounds that hold no positive answer are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain.abi import Function
from chain.calls import NoCode, Ok, Pointer, ReadFailed, Reads, Result, Reverted
from chain.types import Address
from protocols.prices.feed import LATEST
from protocols.prices.state import Round

PHASE: Final = Function("phaseId()(uint16)")
AGGREGATOR: Final = Function("phaseAggregators(uint16)(address)")
LAST_ROUND: Final = Function("latestRound()(uint256)")
GET_ROUND: Final = Function("getRoundData(uint80)(uint80,int256,uint256,uint256,uint80)")
PHASES: Final = 8
"""How many earlier aggregators are looked at."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Which rounds a feed has."""

    newest: int
    """The proxy's id of the latest round."""
    lasts: tuple[tuple[int, int], ...]
    """(phase, number of its last round), the latest phase first; one phase 0 without phases."""

    def before(self, id_: int, count: int, stride: int = 1) -> tuple[int, ...]:
        """Return up to `count` ids below one, the nearest first: every `stride`-th of a phase.

        Those whose number is a multiple of it, so that whoever asks later gets the same ones.
        """
        found: list[int] = []
        for phase, last in self.lasts:
            top = min(last, id_ - 1 - (phase << 64))
            wanted = count - len(found)
            found += [(phase << 64) + n for n in range(top - top % stride, 0, -stride)[:wanted]]
        return tuple(found)


def read_extent(feed: Address) -> Reads[Extent]:
    """Return which rounds a feed has, in two rounds of reads; raises `ReadFailed`.

    A phase whose aggregator is gone has none any more.
    """
    results = yield [LATEST.at(feed), PHASE.at(feed)]
    newest: int = LATEST.decode(results[0])[0]
    phase, last = newest >> 64, newest % 2**64
    if isinstance(results[1], Reverted):
        return Extent(newest, ((phase, last),))
    if PHASE.decode(results[1]) != phase:
        raise ReadFailed(f"phaseId: {PHASE.decode(results[1])} is not the phase of round {newest}")
    before = range(phase - 1, max(1, phase - PHASES) - 1, -1)
    results = yield [LAST_ROUND.at(Pointer(AGGREGATOR.at(feed, p))) for p in before]
    ended = [
        (old, 0 if isinstance(r, Reverted | NoCode) else int(LAST_ROUND.decode(r)) % 2**64)
        for old, r in zip(before, results, strict=True)
    ]
    return Extent(newest, ((phase, last), *ended))


def read_ids(feed: Address, ids: Sequence[int]) -> Reads[tuple[Round, ...]]:
    """Return the rounds with these ids that hold an answer, in their order.

    Raises `ReadFailed` where one was not learned: a hole would look like a silent feed.
    """
    results = yield [GET_ROUND.at(feed, id_) for id_ in ids]
    return tuple(_rounds(ids, results))


def read_rounds(feed: Address, count: int) -> Reads[tuple[Round, ...]]:
    """Return up to `count` latest rounds, newest first; raises `ReadFailed`.

    Fewer where the feed is younger, or not a proxy with phases.
    """
    results = yield [LATEST.at(feed), PHASE.at(feed)]
    newest: int = LATEST.decode(results[0])[0]
    phase, last = newest >> 64, newest % 2**64
    has_phases = not isinstance(results[1], Reverted)
    if has_phases and PHASE.decode(results[1]) != phase:
        raise ReadFailed(f"phaseId: {PHASE.decode(results[1])} is not the phase of round {newest}")

    here = [newest - i for i in range(min(count, last))]
    missing = count - len(here)
    first = max(1, phase - PHASES)
    before = range(phase - 1, first - 1, -1) if missing and has_phases else ()
    results = yield [
        *(GET_ROUND.at(feed, id_) for id_ in here),
        *(LAST_ROUND.at(Pointer(AGGREGATOR.at(feed, p))) for p in before),
    ]
    found = _rounds(here, results[: len(here)])

    earlier: list[int] = []
    for old, result in zip(before, results[len(here) :], strict=True):
        ended = 0 if isinstance(result, Reverted) else int(LAST_ROUND.decode(result)) % 2**64
        earlier += [(old << 64) + n for n in range(ended, max(0, ended - missing), -1)]
    if earlier := earlier[:missing]:
        results = yield [GET_ROUND.at(feed, id_) for id_ in earlier]
        found += _rounds(earlier, results)
    return tuple(found)


def _rounds(ids: Sequence[int], results: Sequence[Result]) -> list[Round]:
    found = []
    for id_, result in zip(ids, results, strict=True):
        if isinstance(result, Reverted):
            continue  # the aggregator never finished this round
        answer, updated = _answer(result)
        if answer > 0 and updated:
            found.append(Round(id_, answer, updated))
    return found


def _answer(result: Result) -> tuple[int, int]:
    """Return answer and time of a round; a past has tens of thousands, so words are cut by hand."""
    if isinstance(result, Ok) and len(result.data) == 5 * 32:
        data = result.data
        if not any(data[:22]) and not any(data[128:150]):
            return int.from_bytes(data[32:64], signed=True), int.from_bytes(data[96:128])
    _, answer, _, updated, _ = GET_ROUND.decode(result)
    return answer, updated
