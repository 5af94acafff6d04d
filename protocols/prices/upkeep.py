"""Read who stands behind a feed, and within which bounds it may answer.

Reads, one round: of the proxy `latestRoundData`, `decimals`, `description`, `phaseId`,
`aggregator`, `owner`, `proposedAggregator`, `accessController`; through it, of the aggregator in
charge, `typeAndVersion`, `owner`, `minAnswer` and `maxAnswer` (OffchainAggregator) or
`minSubmissionValue` and `maxSubmissionValue` (FluxAggregator); a second round for the
aggregators of earlier phases.
Scales: answers and bounds are the feed's own integers, with its decimals.
"""

from collections.abc import Sequence
from typing import Any, Final

from chain.abi import Function
from chain.calls import Ok, Read, Reads, Result, Unknown
from chain.types import ZERO_ADDRESS, Address
from protocols import tokens
from protocols.prices.feed import DECIMALS, DESCRIPTION, LATEST
from protocols.prices.rounds import AGGREGATOR, PHASE, PHASES
from protocols.prices.state import Upkeep

LIVE: Final = Function("aggregator()(address)")
OWNER: Final = Function("owner()(address)")
PROPOSED: Final = Function("proposedAggregator()(address)")
ACCESS: Final = Function("accessController()(address)")
KIND: Final = Function("typeAndVersion()(string)")
MINIMA: Final = (Function("minAnswer()(int192)"), Function("minSubmissionValue()(int256)"))
MAXIMA: Final = (Function("maxAnswer()(int192)"), Function("maxSubmissionValue()(int256)"))


def read_upkeep(feed: Address) -> Reads[Upkeep]:
    """Return who stands behind a feed; never raises: what is not known is said in it."""
    live = LIVE.pointer(feed)
    asked: dict[Function | tuple[str, Function], Read] = {
        function: function.at(feed)
        for function in (LATEST, DECIMALS, DESCRIPTION, PHASE, LIVE, OWNER, PROPOSED, ACCESS)
    }
    asked |= {("live", function): function.at(live) for function in (KIND, OWNER, *MINIMA, *MAXIMA)}
    results = yield list(asked.values())
    found = dict(zip(asked, results, strict=True))
    lost: list[str] = []

    def told(*functions: Function, live: bool = False) -> Any:
        """Return the first that is answered; note what was not learned."""
        for function in functions:
            value = _told(function, found[("live", function) if live else function], lost)
            if value is not None:
                return value
        return None

    latest, phase = told(LATEST), told(PHASE)
    past: tuple[tuple[int, Address], ...] = ()
    if phase is not None and phase > 1:
        past = yield from _past(feed, phase, lost)
    return Upkeep(
        feed=feed,
        label=tokens.text(found[DESCRIPTION]) or "",
        decimals=told(DECIMALS),
        round_id=latest and latest[0],
        answer=None if latest is None else latest[1],
        updated_at=(latest and latest[3]) or None,
        phase=phase,
        owner=told(OWNER),
        aggregator=told(LIVE),
        aggregator_owner=told(OWNER, live=True),
        aggregator_kind=tokens.text(found["live", KIND]) or "",
        proposed=_not_zero(told(PROPOSED)),
        access=_not_zero(told(ACCESS)),
        minimum=told(*MINIMA, live=True),
        maximum=told(*MAXIMA, live=True),
        phases=past,
        unknown=tuple(lost),
    )


def _past(feed: Address, phase: int, lost: list[str]) -> Reads[tuple[tuple[int, Address], ...]]:
    before = range(phase - 1, max(1, phase - PHASES) - 1, -1)
    results: Sequence[Result] = yield [AGGREGATOR.at(feed, p) for p in before]
    named = ((p, _told(AGGREGATOR, r, lost)) for p, r in zip(before, results, strict=True))
    return tuple((p, a) for p, a in named if _not_zero(a) is not None)


def _told(function: Function, result: Result, lost: list[str]) -> Any:
    """Return an answer; None where there is none, noted where that was not learned."""
    value = function.known(result)
    if not isinstance(value, Unknown):
        return value
    if isinstance(result, Unknown) or (isinstance(result, Ok) and result.data):
        lost.append(value.reason)
    return None


def _not_zero(address: Address | None) -> Address | None:
    return None if address in (None, ZERO_ADDRESS) else address
