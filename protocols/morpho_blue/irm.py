"""Read a market's borrow rate, and find out whether its rate model is the AdaptiveCurveIrm.

Reads: `borrowRateView(params, market)` and `rateAtTarget(id)` of the IRM.
A model is taken for the AdaptiveCurveIrm only when our port of it reproduces what it answers, to
the wei, for the market itself and for four made-up states of it: below and above the target
after some days, and idle and full for decades, which show both bounds. These are views of the
same contract with the same stored rate, so that every constant shows in one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain.abi import Function
from chain.calls import Read, ReadFailed, Result, Unknown
from chain.types import ZERO_ADDRESS, BlockRef
from protocols.morpho import BORROW_RATE_VIEW, MarketParams, Totals, rate_read
from protocols.morpho_blue.math import average_rate

RATE_AT_TARGET: Final = Function("rateAtTarget(bytes32)(int256)")
MAX_RATE: Final = 2**128
"""No rate per second that could be accrued for a second without overflow is above it."""

DAY: Final = 86_400
_SUPPLY: Final = 10**24


@dataclass(frozen=True, slots=True)
class Rate:
    """What a rate model says about one market at the block's time."""

    average: int
    """Since the market's last update, a wad per second."""
    at_target: int | None
    """The stored rate at target of an AdaptiveCurveIrm; None for any other model."""
    unknown: tuple[str, ...] = ()
    """What could not be learned about the model, though the rate is known."""


def probes(at: BlockRef) -> tuple[Totals, ...]:
    """Return market states that together show every constant of an AdaptiveCurveIrm."""
    return tuple(
        Totals(_SUPPLY, _SUPPLY, _SUPPLY * used // 100, _SUPPLY, max(1, at.timestamp - age), 0)
        for used, age in ((50, 3 * DAY), (97, 5 * DAY), (0, at.timestamp), (100, at.timestamp))
    )


def reads(params: MarketParams, totals: Totals, at: BlockRef) -> tuple[Read, ...]:
    """Return the reads that `decode` takes; none for a market without a rate model."""
    if params.irm == ZERO_ADDRESS:
        return ()
    return (
        rate_read(params, totals),
        RATE_AT_TARGET.at(params.irm, params.id()),
        *(rate_read(params, probe) for probe in probes(at)),
    )


def decode(params: MarketParams, totals: Totals, results: Sequence[Result], at: BlockRef) -> Rate:
    """Return the rate; raises `ReadFailed` where the model does not answer with one."""
    if params.irm == ZERO_ADDRESS:
        return Rate(0, None)
    average: int = BORROW_RATE_VIEW.decode(results[0])
    if average >= MAX_RATE:
        raise ReadFailed(f"borrowRateView: {average} is no rate")
    lost = tuple(f"rate model: {r.reason}" for r in results[1:] if isinstance(r, Unknown))
    at_target = RATE_AT_TARGET.known(results[1])
    if isinstance(at_target, Unknown) or at_target < 0:
        return Rate(average, None, lost[:1])
    states = (totals, *probes(at))
    answers = (BORROW_RATE_VIEW.known(r) for r in (results[0], *results[2:]))
    same = all(
        answer == average_rate(at_target, state, at.timestamp)
        for state, answer in zip(states, answers, strict=True)
    )
    return Rate(average, at_target if same else None, lost[:1])
