"""Read one cToken: as it is listed, as it is stored, and as its own accrual leaves it.

Reads, of every market: at the Comptroller `markets`, `isDeprecated`, `mintGuardianPaused`; at the
oracle `getUnderlyingPrice` and `getConfig`; of the cToken `symbol`, `underlying`, `getCash`,
`totalBorrows`, `totalReserves`, `totalSupply`, `reserveFactorMantissa`, `borrowIndex`,
`accrualBlockNumber` or `accrualBlockTimestamp`, the borrow rate, `exchangeRateStored`, its coins;
of its rate model `blocksPerYear`. Of the markets that somebody is in besides:
`exchangeRateCurrent`, `protocolSeizeShareMantissa`, the underlying token, and the price's feed.
`underlying` and `protocolSeizeShareMantissa` are asked with a sender, so that each is a call of its
own: the first cETH takes what it does not know for a deposit, which burns all gas where nothing may
be written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain.abi import Function
from chain.calls import NativeBalance, Ok, Read, ReadFailed, Result, Unknown
from chain.types import ZERO_ADDRESS, Address
from chain.units import YEAR
from protocols import tokens
from protocols.compound_v2 import contracts as c
from protocols.compound_v2.comptroller import Comptroller, absent
from protocols.compound_v2.math import AccrualReverts, accrue, exchange_rate
from protocols.compound_v2.state import Book, Clock, CMarket, Quote
from protocols.types import Token

_CLOCKS: Final = {
    Clock.BLOCKS: (c.ACCRUED_AT_BLOCK, c.RATE_PER_BLOCK),
    Clock.SECONDS: (c.ACCRUED_AT_TIME, c.RATE_PER_SECOND),
}
_TOTALS: Final = (
    *(c.CASH, c.TOTAL_BORROWS, c.TOTAL_RESERVES, c.TOTAL_SUPPLY),
    *(c.RESERVE_FACTOR, c.BORROW_INDEX),
)
_MARKETS: Final[dict[int, Function]] = {64: c.MARKETS, 96: c.MARKETS_COMPED}
"""By the length of the answer: who answers `markets` with more keeps other rules in it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One market before it is known who is in it."""

    ctoken: Address
    symbol: str
    underlying: Address
    """The zero address: the native coin."""
    listed: bool
    collateral_factor: int
    deprecated: bool
    mint_paused: bool
    price: int | Unknown
    config: tuple[int, Address, int] | None
    """What the oracle is set to: decimals, feed, fixed price; None where it does not say."""
    unsaid: str
    """Why we did not learn whether it says so; empty where we did."""
    stored_rate: int
    book: Book | None
    block_s: float | None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """A market of which too much could not be read."""

    ctoken: Address
    cause: str


def reads(comptroller: Comptroller, ctoken: Address) -> tuple[Read, ...]:
    """Return the reads that `listed` decodes."""
    root, oracle = comptroller.address, comptroller.oracle
    book: tuple[Function, ...] = ()
    if comptroller.clock is not None:
        book = (*_TOTALS, *_CLOCKS[comptroller.clock])
    return (
        c.MARKETS.at(root, ctoken),
        c.IS_DEPRECATED.at(root, ctoken),
        c.UNDERLYING_PRICE.at(oracle, ctoken),
        c.GET_CONFIG.at(oracle, ctoken),
        c.SYMBOL.at(ctoken),
        c.UNDERLYING.at(ctoken, sender=root),
        NativeBalance(ctoken),
        c.EXCHANGE_RATE_STORED.at(ctoken),
        c.BLOCKS_PER_YEAR.at(c.RATE_MODEL.pointer(ctoken)),
        c.CASH.at(ctoken),
        c.MINT_PAUSED.at(root, ctoken),
        *(function.at(ctoken) for function in book),
    )


def listed(comptroller: Comptroller, ctoken: Address, results: Sequence[Result]) -> Listed | Broken:
    """Return one market; `Broken` where amounts in it could not be told."""
    name = tokens.text(results[4]) or tokens.short(ctoken)
    try:
        is_listed, factor = _listing(results[0])
        underlying = _underlying(results[5], results[6], results[9])
        stored_rate: int = c.EXCHANGE_RATE_STORED.decode(results[7])
    except ReadFailed as failure:
        return Broken(ctoken, f"{name}: {failure.cause}")
    deprecated, lost = _flag(name, c.IS_DEPRECATED, results[1])
    mint_paused, more = _flag(name, c.MINT_PAUSED, results[10])
    config = c.GET_CONFIG.known(results[3])
    yearly = c.BLOCKS_PER_YEAR.known(results[8])
    by_blocks = comptroller.clock is Clock.BLOCKS and not isinstance(yearly, Unknown) and yearly
    return Listed(
        ctoken,
        name,
        underlying,
        is_listed,
        factor,
        deprecated,
        mint_paused,
        c.UNDERLYING_PRICE.known(results[2]),
        None if isinstance(config, Unknown) else config,
        config.reason if isinstance(config, Unknown) and not _told(results[3]) else "",
        stored_rate,
        _book(results[11:]),
        YEAR / yearly if by_blocks else None,
        (*lost, *more),
    )


def _flag(name: str, function: Function, result: Result) -> tuple[bool, tuple[str, ...]]:
    """Return a flag, and why it is not known; earlier releases do not have it, nor mean it."""
    flag = function.known(result)
    if isinstance(flag, Unknown):
        return False, () if absent(result) else (f"{name}: {flag.reason}",)
    return bool(flag), ()


def _told(result: Result) -> bool:
    """Tell whether an oracle answered, though perhaps something else."""
    return absent(result) or isinstance(result, Ok)


def _listing(result: Result) -> tuple[bool, int]:
    function = _MARKETS.get(len(result.data)) if isinstance(result, Ok) else c.MARKETS
    if function is None:
        raise ReadFailed("markets: answers more than we know the meaning of")
    is_listed, factor, *_ = function.decode(result)
    return is_listed, factor


def _underlying(answer: Result, coins: Result, cash: Result) -> Address:
    """Return the underlying token; the zero address where the market's cash is coins.

    A market that does not name a token is taken for one of coins only where it shows them.
    """
    if not absent(answer):
        token: Address = c.UNDERLYING.decode(answer)
        if token == ZERO_ADDRESS:
            raise ReadFailed("underlying: the zero address")
        return token
    held: int = c.CASH.decode(cash)
    if not (isinstance(coins, Ok) and len(coins.data) == 32):
        raise ReadFailed("underlying: none, and its coins could not be read")
    if not held or held != int.from_bytes(coins.data, "big"):
        raise ReadFailed("underlying: none, and its cash is not coins")
    return ZERO_ADDRESS


def _book(results: Sequence[Result]) -> Book | None:
    """Return what interest is reckoned from; None where any of it is not known."""
    values = [c.CASH.known(result) for result in results]  # all are one word
    if len(values) != len(_TOTALS) + 2 or any(isinstance(value, Unknown) for value in values):
        return None
    cash, borrows, reserves, supply, reserve_factor, index, since, rate = values
    return Book(cash, borrows, reserves, supply, reserve_factor, index, rate, since)


CURRENT_READS: Final = 2


def current_reads(comptroller: Comptroller, ctoken: Address) -> tuple[Read, ...]:
    """Return the reads that `market` decodes: the contract accrues, for this one call alone."""
    sender = comptroller.address
    return (
        c.EXCHANGE_RATE_CURRENT.at(ctoken, sender=sender),
        c.SEIZE_SHARE.at(ctoken, sender=sender),
    )


def market(
    comptroller: Comptroller,
    one: Listed,
    underlying: Token,
    quote: Quote | None,
    results: Sequence[Result],
) -> tuple[CMarket, tuple[str, ...]]:
    """Return a market, and what of it is unknown. Raises `ReadFailed` where it cannot accrue."""
    rate: int = c.EXCHANGE_RATE_CURRENT.decode(results[0])
    share = c.SEIZE_SHARE.known(results[1])
    unknown = one.unknown
    if isinstance(share, Unknown):
        # the first cTokens know no such share
        unknown += () if absent(results[1]) else (f"{one.symbol}: {share.reason}",)
        share = 0
    return CMarket(
        one.ctoken,
        one.symbol,
        underlying,
        one.listed,
        one.collateral_factor,
        one.deprecated,
        one.mint_paused,
        one.stored_rate,
        rate,
        share,
        quote,
        _proven(one.book, comptroller.now, one.stored_rate, rate),
    ), unknown


def _proven(book: Book | None, now: int, stored_rate: int, rate: int) -> Book | None:
    """Return the book if our accrual of it gives the contract's own exchange rate."""
    if book is None:
        return None
    try:
        ours = exchange_rate(accrue(book, now), stored_rate)
    except AccrualReverts:
        return None
    return book if ours == rate else None
