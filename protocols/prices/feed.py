"""Read a Chainlink-compatible feed, or the feed behind a protocol's oracle.

Reads: `latestRoundData()`, `decimals()`, `description()` of the proxy; and, because capped and
synchronised adapters answer none but `latestAnswer()`, `latestRoundData()` of the feeds that
those name (`BASE_TO_USD_AGGREGATOR`, `ASSET_TO_USD_AGGREGATOR`, `ASSET_TO_PEG`, `PEG_TO_BASE`,
`BASE_TO_PEG`), which tell the age that the adapter hides.
Scales: `answer / 10**decimals` whole quotes per whole token.
Rounds: a proxy's round is `phase << 64 | round`; a round whose number is 0 is the boundary
between two aggregators and holds nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain.abi import Function
from chain.calls import NoCode, Ok, Pointer, Read, ReadFailed, Result, Unknown
from chain.types import Address, BlockRef
from protocols import tokens
from protocols.prices.state import Sequencer, SequencerState

LATEST: Final = Function("latestRoundData()(uint80,int256,uint256,uint256,uint80)")
DECIMALS: Final = Function("decimals()(uint8)")
DESCRIPTION: Final = Function("description()(string)")
UNDERLYING: Final = tuple(
    Function(f"{name}()(address)")
    for name in (
        *("BASE_TO_USD_AGGREGATOR", "ASSET_TO_USD_AGGREGATOR"),
        *("ASSET_TO_PEG", "PEG_TO_BASE", "BASE_TO_PEG"),
    )
)
READS: Final = 3 + len(UNDERLYING)
"""How many reads `reads` gives, and how many results `facts` takes."""

HEARTBEAT_S: Final = 25 * 3600
"""Longest silence borne where none is promised: Chainlink's slowest day, and an hour."""
GRACE_S: Final = 3600
"""How long after a rollup's sequencer came back prices are not to be trusted."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What a feed said at one block."""

    answer: int | None
    """Positive; None where it is not usable as a price, then `cause` says why."""
    decimals: int | None
    round_id: int | None
    updated_at: int | None
    """Seconds since 1970; None where neither it nor the feeds behind it tell."""
    heartbeat_s: int
    label: str
    problems: tuple[str, ...]
    """Why not to trust the price, in words."""
    cause: str = ""


def reads(feed: Address | Pointer) -> tuple[Read, ...]:
    """Return the reads that `facts` decodes, in its order."""
    behind = (LATEST.at(Pointer(getter.at(feed))) for getter in UNDERLYING)
    return (LATEST.at(feed), DECIMALS.at(feed), DESCRIPTION.at(feed), *behind)


def facts(results: Sequence[Result], at: BlockRef, heartbeat_s: int | None = None) -> Feed:
    """Return what the feed said; what it did not say is None, with a cause. Never raises."""
    latest, decimals, description, *behind = results
    heartbeat = HEARTBEAT_S if heartbeat_s is None else heartbeat_s
    label = tokens.text(description) or ""
    scale = DECIMALS.known(decimals)
    known_scale = None if isinstance(scale, Unknown) else int(scale)
    try:
        round_id, answer, started, updated, answered_in = LATEST.decode(latest)
    except ReadFailed as failure:
        times, problems = _behind(behind, at, heartbeat)
        if isinstance(latest, Unknown | NoCode) or (isinstance(latest, Ok) and latest.data):
            # a source that has no such function reverts, or answers nothing
            problems = (f"age unknown: {failure.cause}", *problems)
        oldest = min(times, default=None)
        return Feed(None, known_scale, None, oldest, heartbeat, label, problems, failure.cause)

    cause = ""
    if answer <= 0:
        cause = f"the feed answers {answer}"
    elif round_id and round_id % 2**64 == 0:
        cause = "no round yet in the feed's new phase"
    elif updated == 0 and (round_id or started or answered_in):
        cause = "the feed's latest round is not complete"
    elif isinstance(scale, Unknown):
        cause = scale.reason
    when = updated or None  # computed prices have neither rounds nor times
    problems = _age_problems(when, at, heartbeat)
    if round_id and answered_in < round_id:
        problems += (f"answered in an older round ({answered_in} < {round_id})",)
    return Feed(
        None if cause else answer,
        known_scale,
        round_id,
        when,
        heartbeat,
        label,
        problems,
        cause,
    )


def _behind(
    results: Sequence[Result], at: BlockRef, heartbeat: int
) -> tuple[list[int], tuple[str, ...]]:
    times: list[int] = []
    problems: tuple[str, ...] = ()
    for result in results:
        if isinstance(result, Ok) and result.data:
            decoded = LATEST.known(result)
            if isinstance(decoded, Unknown):
                problems += (f"age unknown: {decoded.reason}",)
            elif decoded[3]:
                times.append(decoded[3])
        elif isinstance(result, Unknown):
            problems += (f"age unknown: {result.reason}",)
    return times, problems + _age_problems(min(times, default=None), at, heartbeat)


def _age_problems(updated: int | None, at: BlockRef, heartbeat: int) -> tuple[str, ...]:
    if updated is None:
        return ()
    age = at.timestamp - updated
    if age > heartbeat:
        return (f"stale: {age} s old, promised every {heartbeat} s",)
    if age < 0:
        return (f"updated {-age} s after the block it was read at",)
    return ()


def sequencer_reads(uptime_feed: Address) -> tuple[Read, ...]:
    """Return the reads that `sequencer_problems` decodes."""
    return (LATEST.at(uptime_feed),)


def sequencer_problems(results: Sequence[Result], at: BlockRef) -> tuple[str, ...]:
    """Say why a rollup's prices are not to be trusted now; empty when its sequencer is well."""
    found = sequencer(results, at)
    return (found.problem,) if found.problem else ()


def sequencer(results: Sequence[Result], at: BlockRef) -> Sequencer:
    """Return the state of a rollup's sequencer. Never raises.

    The uptime feed answers 0 for up and 1 for down; `startedAt` is when that began.
    """
    try:
        _, answer, started, _, _ = LATEST.decode(results[0])
    except ReadFailed as failure:
        problem = f"sequencer state unknown: {failure.cause}"
        return Sequencer(SequencerState.UNKNOWN, None, problem)
    if answer != 0:
        problem = f"the sequencer is down since {started}"
        return Sequencer(SequencerState.DOWN, started, problem)
    if started == 0:
        problem = "sequencer state unknown: its feed has no round yet"
        return Sequencer(SequencerState.UNKNOWN, None, problem)
    if at.timestamp - started <= GRACE_S:
        back = at.timestamp - started
        problem = f"the sequencer came back {back} s ago, within the grace period of {GRACE_S} s"
        return Sequencer(SequencerState.GRACE, started, problem)
    return Sequencer(SequencerState.UP, started, "")
