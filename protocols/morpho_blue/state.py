"""The facts that the risk engine needs about a Morpho position; exact, at one block."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from chain.types import ZERO_ADDRESS, Address
from chain.units import UINT256_MAX
from protocols.morpho import Accrued, MarketParams, Totals
from protocols.types import State, Token


@dataclass(frozen=True, slots=True)
class FeedLeaf:
    """A feed behind an oracle, and what it answered."""

    feed: Address
    answer: int
    decimals: int
    label: str
    updated_at: int | None
    heartbeat_s: int | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VaultLeaf:
    """A vault whose share price an oracle multiplies or divides by."""

    vault: Address
    assets: int
    """What `convertToAssets(sample)` answered."""
    sample: int


@dataclass(frozen=True, slots=True)
class OracleParts:
    """What a MorphoChainlinkOracle (V1 or V2) is made of; it answers exactly `price()`.

    price = ⌊scale · (base vault · base feeds) / (quote vault · quote feeds)⌋
    """

    scale: int
    base_vault: VaultLeaf | None
    base_feeds: tuple[FeedLeaf, ...]
    quote_vault: VaultLeaf | None
    quote_feeds: tuple[FeedLeaf, ...]

    def price(self, answers: Mapping[str, int] | None = None) -> int | None:
        """Return the oracle's price with some feeds answering otherwise, by feed address.

        None where the oracle would revert: a negative answer, a zero divisor, an overflow.
        """
        told = answers or {}
        base = [told.get(leaf.feed, leaf.answer) for leaf in self.base_feeds]
        quote = [told.get(leaf.feed, leaf.answer) for leaf in self.quote_feeds]
        over = prod(base) * (self.base_vault.assets if self.base_vault else 1)
        under = prod(quote) * (self.quote_vault.assets if self.quote_vault else 1)
        if under == 0 or min((*base, *quote), default=0) < 0:
            return None
        price = self.scale * over // under
        return price if max(over, under, price) <= UINT256_MAX else None

    def power(self, feed: Address) -> int:
        """Return how often a feed multiplies the price, less how often it divides it."""
        ups = sum(leaf.feed == feed for leaf in self.base_feeds)
        return ups - sum(leaf.feed == feed for leaf in self.quote_feeds)


@dataclass(frozen=True, slots=True)
class MorphoOracle:
    """A market's oracle: loan base units per collateral base unit, times 1e36."""

    address: Address
    price: int
    parts: OracleParts | None
    """None for an oracle that does not say what it is made of."""
    label: str = ""
    updated_at: int | None = None
    """Of the oldest feed; None where none tells."""
    heartbeat_s: int | None = None
    problems: tuple[str, ...] = ()
    """Why not to trust the price, in words."""


@dataclass(frozen=True, slots=True)
class MorphoPosition(State):
    """One owner in one market, accrued to the block."""

    market_id: str
    params: MarketParams
    loan: Token
    collateral_token: Token | None
    """None in a market without collateral."""
    stored: Totals
    """As the contract holds them, at their `last_update`."""
    accrued: Accrued
    """At the block's time."""
    rate: int
    """Average borrow rate since `last_update`, a wad per second; 0 without an IRM."""
    rate_at_target: int | None
    """Of an AdaptiveCurveIrm, proven by its answers; None where the IRM is another or none."""
    timestamp: int
    """The block's."""
    supply_shares: int
    """Fee shares of the accrual included, for the fee recipient."""
    borrow_shares: int
    collateral: int
    oracle: MorphoOracle | None
    """None where nothing needs a price: no debt, and an oracle that is absent or silent."""

    @property
    def supplied(self) -> int:
        """Return the loan assets that the supply shares are worth, rounded down."""
        return self.accrued.totals.supplied(self.supply_shares)

    @property
    def borrowed(self) -> int:
        """Return the loan assets owed, rounded up."""
        return self.accrued.totals.borrowed(self.borrow_shares)

    @property
    def withdrawable(self) -> int:
        """Return the supplied assets that the market's liquidity lets out now."""
        return min(self.supplied, self.accrued.totals.liquidity)

    @property
    def has_adaptive_irm(self) -> bool:
        """Return whether future rates are known exactly."""
        return self.rate_at_target is not None or self.params.irm == ZERO_ADDRESS
