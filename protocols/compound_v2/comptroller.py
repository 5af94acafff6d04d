"""Read a Comptroller: its rules, its markets, and which clock its interest runs by.

Reads: of the root `getAllMarkets`, `oracle`, `closeFactorMantissa`, `liquidationIncentiveMantissa`,
`seizeGuardianPaused`, `getBlockNumber`, `getBlockTimestamp`, `vaiController`; of its oracle
`getFeed("")`, to learn whether it names feeds by symbols.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain.calls import NoCode, Ok, Read, ReadFailed, Result, Reverted, Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols.compound_v2 import contracts as c
from protocols.compound_v2.state import Clock

READS: Final = 9
MOST_MARKETS: Final = 1_000
"""Of one Comptroller, or of one account. Each takes twenty reads, and one for every account; no
fork has a hundred, and an answer may name a hundred thousand."""


@dataclass(frozen=True, slots=True)
class Comptroller:
    """What concerns every account."""

    address: Address
    oracle: Address
    ctokens: tuple[Address, ...]
    close_factor: int
    incentive: int
    seize_paused: bool
    clock: Clock | None
    now: int
    """The block's place on that clock, as the Comptroller has it: on a rollup the number may be
    that of the chain underneath."""
    feeds_by_symbol: bool
    foreign: tuple[str, ...]
    """Why its liquidations are not those we know."""
    unknown: tuple[str, ...]


def reads(root: Address) -> tuple[Read, ...]:
    """Return the reads that `decode` takes."""
    plain = (
        *(c.GET_ALL_MARKETS, c.ORACLE, c.CLOSE_FACTOR, c.INCENTIVE),
        *(c.SEIZE_PAUSED, c.BLOCK_NUMBER, c.BLOCK_TIMESTAMP, c.VAI_CONTROLLER),
    )
    return (*(f.at(root) for f in plain), c.GET_FEED.at(c.ORACLE.pointer(root), ""))


def decode(root: Address, results: Sequence[Result], at: BlockRef) -> Comptroller:
    """Return what the Comptroller says. Raises `ReadFailed` where its rules are not known."""
    ctokens, oracle, close_factor, incentive = (
        function.decode(result)
        for function, result in zip(
            (c.GET_ALL_MARKETS, c.ORACLE, c.CLOSE_FACTOR, c.INCENTIVE), results[:4], strict=True
        )
    )
    within_reason(c.GET_ALL_MARKETS.name, ctokens)
    if oracle == ZERO_ADDRESS:
        raise ReadFailed("oracle: none is set")
    unknown: list[str] = []
    paused = c.SEIZE_PAUSED.known(results[4])
    if isinstance(paused, Unknown):
        # the first releases cannot pause seizures
        unknown += [] if absent(results[4]) else [paused.reason]
        paused = False
    clock, now = _clock(results[5], results[6], at)
    vai = results[7]
    foreign: tuple[str, ...] = ()
    if isinstance(vai, Ok) and vai.data:
        foreign = (
            "this Comptroller also counts debts of a stablecoin of its own (Venus): its "
            "liquidations are not known here",
        )
    elif not absent(vai):
        unknown.append(f"vaiController: {c.VAI_CONTROLLER.known(vai).reason}")
    if isinstance(results[8], Unknown):
        unknown.append(f"getFeed: {results[8].reason}")
    by_symbol = isinstance(results[8], Ok) and len(results[8].data) == 32
    return Comptroller(
        root,
        oracle,
        tuple(dict.fromkeys(ctokens)),
        close_factor,
        incentive,
        paused,
        clock,
        now,
        by_symbol,
        foreign,
        tuple(unknown),
    )


def within_reason(name: str, named: Sequence[Address]) -> None:
    """Raise `ReadFailed` where more markets are named than can be read."""
    if len(named) > MOST_MARKETS:
        raise ReadFailed(f"{name}: names {len(named)} markets; {MOST_MARKETS} are read at most")


def _clock(block: Result, time: Result, at: BlockRef) -> tuple[Clock | None, int]:
    number, seconds = c.BLOCK_NUMBER.known(block), c.BLOCK_TIMESTAMP.known(time)
    if not isinstance(number, Unknown):
        return Clock.BLOCKS, number
    if not isinstance(seconds, Unknown) and seconds == at.timestamp:
        return Clock.SECONDS, seconds
    return None, at.number


def absent(result: Result) -> bool:
    """Tell whether a contract shows that it has no such function.

    Old cETH answers nothing to what it does not know, and takes it for a deposit of nothing.
    """
    return isinstance(result, Reverted | NoCode) or (isinstance(result, Ok) and not result.data)
