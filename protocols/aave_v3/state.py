"""Everything that an Aave v3 position's health depends on, as the contracts store it.

All integers are the contracts' own: scaled balances, indexes and rates in ray, thresholds in bps,
prices in the oracle's base currency. Nothing is accrued here, so health can be recomputed at any
other time and price vector; `protocols.aave_v3.math` does.
"""

from dataclasses import dataclass

from chain.types import Address
from protocols.aave_v3.rules import Rules
from protocols.types import State


@dataclass(frozen=True, slots=True)
class Quote:
    """One price of the pool's oracle, and what moves it.

    The price is `min(raw · num / den, cap)`, rounded down at the division.
    """

    factor: str
    raw: int
    decimals: int
    num: int = 1
    den: int = 1
    cap: int | None = None
    constant: bool = False
    """The base currency itself: nothing moves it."""
    label: str = ""
    updated_at: int | None = None
    heartbeat_s: int | None = None
    problems: tuple[str, ...] = ()

    def price(self, raw: int | None = None) -> int:
        """Return the oracle's price when the factor is at `raw`; as read where None."""
        value = (self.raw if raw is None else raw) * self.num // self.den
        return value if self.cap is None else min(value, self.cap)


@dataclass(frozen=True, slots=True)
class Reserve:
    """One asset of a pool. `configuration` is the contract's own bitmap."""

    id: int
    asset: Address
    symbol: str
    configuration: int
    liquidity_index: int
    liquidity_rate: int
    borrow_index: int
    borrow_rate: int
    updated_at: int
    quote: Quote | None
    """None where the oracle gives no price; then nothing that counts may be held or owed."""
    grace_until: int = 0

    @property
    def max_ltv(self) -> int:
        """Return the highest loan to value at which one may borrow, in bps."""
        return self.configuration & 0xFFFF

    @property
    def liquidation_threshold(self) -> int:
        """Return the reserve's own liquidation threshold, in bps."""
        return self.configuration >> 16 & 0xFFFF

    @property
    def liquidation_bonus(self) -> int:
        """Return what a liquidator receives for each 10000 of debt, in bps; 0 where not set."""
        return self.configuration >> 32 & 0xFFFF

    @property
    def decimals(self) -> int:
        """Return the asset's decimals as the pool counts them."""
        return self.configuration >> 48 & 0xFF

    @property
    def active(self) -> bool:
        """Tell whether the reserve works at all."""
        return bool(self.configuration >> 56 & 1)

    @property
    def frozen(self) -> bool:
        """Tell whether new supply and debt are refused."""
        return bool(self.configuration >> 57 & 1)

    @property
    def paused(self) -> bool:
        """Tell whether everything is refused, liquidations too."""
        return bool(self.configuration >> 60 & 1)

    @property
    def siloed(self) -> bool:
        """Tell whether the asset may only be borrowed alone."""
        return bool(self.configuration >> 62 & 1)

    @property
    def protocol_fee(self) -> int:
        """Return the protocol's part of the liquidation bonus, in bps."""
        return self.configuration >> 152 & 0xFFFF

    @property
    def emode_category(self) -> int:
        """Return the reserve's only e-mode category (to 3.1)."""
        return self.configuration >> 168 & 0xFF

    @property
    def debt_ceiling(self) -> int:
        """Return the isolation-mode debt ceiling; 0 where the asset is not isolated."""
        return self.configuration >> 212 & (1 << 40) - 1

    @property
    def virtual_balance(self) -> bool:
        """Tell whether virtual accounting is on."""
        return bool(self.configuration >> 252 & 1)


@dataclass(frozen=True, slots=True)
class StableDebt:
    """Debt at the rate that it was taken at."""

    principal: int
    rate: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Discount:
    """A debt token's rebate on the interest since the holder's last action (GHO before 3.4)."""

    percent: int
    previous_index: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What an account has and owes of one reserve."""

    reserve: Reserve
    scaled_supply: int
    scaled_debt: int = 0
    collateral: bool = False
    """The account's flag; whether it counts also depends on thresholds."""
    borrowing: bool = False
    stable: StableDebt | None = None
    discount: Discount | None = None


@dataclass(frozen=True, slots=True)
class EMode:
    """The efficiency mode an account is in."""

    category: int
    liquidation_threshold: int
    liquidation_bonus: int
    bitmap: int | None
    """Collateral reserves by id (3.2 on); None before, when a reserve names its category."""
    quote: Quote | None = None
    """The price that replaces its assets' own (to 3.1), where there is one."""

    def covers(self, reserve: Reserve) -> bool:
        """Tell whether a reserve has this category's threshold and bonus."""
        if self.bitmap is None:
            return reserve.emode_category == self.category
        return bool(self.bitmap >> reserve.id & 1)


@dataclass(frozen=True, slots=True)
class AaveAccount(State):
    """One account in one pool at one block."""

    rules: Rules
    timestamp: int
    holdings: tuple[Holding, ...]
    """By reserve id, each with a balance or a flag."""
    emode: EMode | None
    liquidation_allowed: bool
    """What the oracle sentinel says; True where there is none."""
    base_decimals: int | None
    """Decimals of the base currency where that is the dollar, else None."""
    minimum_base: int = 2000 * 10**8
    """Close whole below this value (3.3 on): a constant, whatever the base currency."""
