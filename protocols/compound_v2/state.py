"""Everything that a Compound v2 position's health depends on; exact, at one block.

All integers are the contracts' own: cTokens, exchange rates and factors in wad, prices scaled by
10^(36 − decimals of the underlying). What liquidates accrues some markets and not others, so that
each market is told twice: as it is stored, and as its own `accrueInterest` leaves it at the block.
"""

from dataclasses import dataclass
from enum import StrEnum

from chain.types import ZERO_ADDRESS, Address
from protocols.types import State, Token


class Clock(StrEnum):
    """What interest is counted in."""

    BLOCKS = "blocks"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Quote:
    """One price of the Comptroller's oracle, and what moves it.

    The price is `raw · num / den`, rounded down, and never zero: the Comptroller refuses zero.
    """

    factor: str
    raw: int
    decimals: int
    num: int = 1
    den: int = 1
    constant: bool = False
    """A price that somebody wrote down: nothing moves it."""
    label: str = ""
    updated_at: int | None = None
    heartbeat_s: int | None = None
    problems: tuple[str, ...] = ()

    def price(self, raw: int | None = None) -> int:
        """Return the oracle's price when the factor is at `raw`; as read where None."""
        return (self.raw if raw is None else raw) * self.num // self.den


@dataclass(frozen=True, slots=True)
class Book:
    """What `accrueInterest` of a market reckons with, as stored since `since`."""

    cash: int
    borrows: int
    reserves: int
    supply: int
    """cTokens."""
    reserve_factor: int
    index: int
    rate: int
    """Borrow rate per block or second from `since` on, a wad."""
    since: int
    """Block or second of the last accrual."""


@dataclass(frozen=True, slots=True)
class CMarket:
    """One cToken and its place in the Comptroller."""

    ctoken: Address
    symbol: str
    """The cToken's own."""
    underlying: Token
    """At the zero address where it is the native coin (cETH)."""
    listed: bool
    collateral_factor: int
    deprecated: bool
    """Whether debts may be liquidated without a shortfall."""
    mint_paused: bool
    """Whether nothing more may be supplied."""
    stored_rate: int
    """Exchange rate as stored: what a liquidation counts of a market that it does not touch."""
    rate: int
    """Exchange rate when accrued to the block, as the contract says it."""
    seize_share: int
    """The protocol's part of the cTokens seized, a wad; 0 where the cToken has none."""
    quote: Quote | None
    """None where the oracle gives no price: then nobody in the market can be judged."""
    book: Book | None
    """None where our accrual does not give `rate`: then the future is not known exactly."""

    @property
    def native(self) -> bool:
        """Tell whether the underlying is the native coin."""
        return self.underlying.address == ZERO_ADDRESS

    def worth(self, tokens: int) -> int:
        """Return the underlying that redeeming cTokens pays at the block, rounded down."""
        return self.rate * tokens // 10**18


@dataclass(frozen=True, slots=True)
class CHolding:
    """What an account has and owes in one market."""

    market: CMarket
    tokens: int
    """cTokens."""
    stored_debt: int
    debt: int
    """Accrued to the block, as the contract says it: what repays everything."""
    entered: bool
    """Whether the Comptroller counts the market for this account. Seizure does not ask."""

    @property
    def supplied(self) -> int:
        """Return the underlying that redeeming every cToken pays, cash permitting."""
        return self.market.worth(self.tokens)

    @property
    def counts(self) -> bool:
        """Tell whether the cTokens carry debt."""
        return self.entered and self.market.collateral_factor > 0


@dataclass(frozen=True, slots=True)
class CompoundAccount(State):
    """One account under one Comptroller at one block."""

    comptroller: Address
    holdings: tuple[CHolding, ...]
    """In the Comptroller's order of markets; each with cTokens, a debt or membership."""
    close_factor: int
    incentive: int
    """What a liquidator's debt repaid is worth in collateral, a wad above one."""
    seize_paused: bool
    clock: Clock | None
    """None where the interest is of a kind we do not know."""
    now: int
    """The block's place on the clock."""
    timestamp: int
    """The block's."""
    block_s: float | None
    """Seconds per block that the rate model itself reckons with; None where it does not say, and
    where interest runs by the second."""
    dollars: bool
    """Whether the oracle is known to count in dollars."""
