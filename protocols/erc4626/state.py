"""What a vault holding is worth, and how much of it can leave; exact, at one block."""

from dataclasses import dataclass

from chain.types import Address
from protocols.types import State, Token


@dataclass(frozen=True, slots=True)
class QueueMarket:
    """One Morpho market in a MetaMorpho's withdraw queue; loan assets, accrued to the block."""

    market_id: str
    collateral_token: Address
    """The zero address in an idle market."""
    lltv: int
    supplied: int
    """The vault's own supply, rounded down."""
    liquidity: int
    """What anybody could withdraw from the market."""
    withdrawable: int
    """What the vault could: the least of both."""
    cap: int
    pending_cap: int | None
    """A higher cap that waits for its timelock."""
    removable_at: int
    """When the market may be dropped with its assets; 0 if nobody asked for that."""


@dataclass(frozen=True, slots=True)
class MetaMorpho:
    """What a MetaMorpho vault lends to, who rules it, and what it lost."""

    version: str
    """`1.0`, or `1.1` for a vault that answers `lostAssets()`."""
    morpho: Address
    queue: tuple[QueueMarket, ...]
    """In the order of withdrawal."""
    real_assets: int
    """Sum of what the markets owe the vault."""
    total_assets: int
    """What shares divide: of 1.1 this includes the lost assets."""
    lost_assets: int | None
    """Bad debt that a 1.1 vault carries as if it were there; None in 1.0, which lowers its shares
    instead."""
    fee: int
    """Wad: share of the interest."""
    fee_recipient: Address
    fee_shares: int
    """Owed to the recipient and not yet minted; they dilute every redemption."""
    owner: Address
    curator: Address
    guardian: Address
    timelock_s: int
    pending_timelock_s: int | None
    pending_guardian: Address | None

    @property
    def withdrawable(self) -> int:
        """Return the assets that the whole queue lets out now."""
        return sum(market.withdrawable for market in self.queue)


@dataclass(frozen=True, slots=True)
class VaultHolding(State):
    """One owner's shares of one vault. None: the vault does not tell."""

    vault: Address
    share: Token
    asset: Token
    shares: int
    claim: int | None
    """`convertToAssets(shares)`: the share of the assets, fees on exit left out."""
    preview: int | None
    """`previewRedeem(shares)`: what the vault promises for all of them."""
    max_withdraw: int | None
    max_redeem: int | None
    """Shares."""
    redeemable: int | None
    """Assets that `redeem` really pays now, of `redeemable_shares`; None where not known."""
    redeemable_shares: int
    share_price: int | None
    """Assets of one whole share, `convertToAssets(10**decimals)`."""
    total_assets: int | None
    total_supply: int | None
    cash: int | None
    """Assets that lie in the vault itself."""
    metamorpho: MetaMorpho | None = None

    @property
    def exit_liquidity(self) -> int | None:
        """Return the most assets that could leave the vault now, whoever asks; None if not known.

        Of a plain vault that is not known beyond what this owner can take.
        """
        return self.metamorpho.withdrawable if self.metamorpho else self.redeemable
