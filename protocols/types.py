"""What a position is, whatever protocol holds it.

Amounts are base units, prices are the oracle's own integers with their own decimals; nothing here
is rounded, converted to float, or defaulted. What could not be read is `Unreadable`, a missing
price is `Unpriced`, and neither ever becomes a zero.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from chain.types import Address, BlockRef


@dataclass(frozen=True, slots=True)
class Token:
    """An ERC-20, or the native coin at the zero address."""

    address: Address
    symbol: str
    """For display only; two tokens may share one. The address in short form where unreadable."""
    decimals: int | None
    """None where the token does not say; amounts then stay in base units."""


class Side(StrEnum):
    """What a leg is to its owner."""

    ASSET = "asset"
    """Owned, and not counted as collateral."""
    COLLATERAL = "collateral"
    """Owned, and counted by the liquidation function."""
    DEBT = "debt"
    """Owed; subtracts from equity."""
    REWARD = "reward"
    """Claimable, not yet owned."""
    FEE = "fee"
    """Earned by liquidity and not yet collected."""


@dataclass(frozen=True, slots=True)
class Price:
    """One unit of a token in `quote`, as one source has it."""

    token: Address
    quote: str
    """`"USD"`, `"ETH"`, or the address of the token that the price counts in."""
    raw: int
    decimals: int
    """One whole token is worth `raw / 10**decimals` whole quotes."""
    source: str
    """The expression the price comes from, e.g. `feed(0x…)`; see `protocols.prices`."""
    factor: str
    """The primitive that moves it: the feed's address, or the expression where it is opaque."""
    updated_at: int | None
    """Seconds since 1970; None where the source does not tell."""
    heartbeat_s: int | None = None
    """Longest promised silence, where known."""
    label: str = ""
    """What the feed calls itself, e.g. `ETH / USD`."""
    problems: tuple[str, ...] = ()
    """Why not to trust it, in words: stale, sequencer down, differs from TWAP. Empty if sound."""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A token whose price could not be had from a source."""

    token: Address
    source: str
    cause: str


@dataclass(frozen=True, slots=True)
class Leg:
    """One amount inside a position."""

    token: Token
    amount: int
    """Base units, non-negative; `side` gives the sign."""
    side: Side
    price: Price | Unpriced | None = None
    """The price the protocol itself uses; None where it uses none (the app may value the leg)."""
    name: str = ""
    """Which of several legs of one token: `variable`, `stable`, `uncollected` …"""


@dataclass(frozen=True, slots=True)
class AllowanceGiven:
    """What a spender may take from the owner."""

    token: Token
    spender: Address
    amount: int
    unlimited: bool


class State:
    """Base of the protocol-specific facts that a risk engine needs; frozen dataclasses."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Position:
    """What one owner holds in one market, at one block."""

    id: str
    """`chain_id:protocol:root:owner[:part]`, stable across blocks."""
    protocol: str
    """The adapter's name, e.g. `aave-v3`."""
    version: str
    """What the contract says it is, e.g. `rev 10`; never a guess from a name."""
    market: str
    """The market's display name."""
    root: Address
    """The root address everything else was resolved from."""
    owner: Address
    kind: str
    """`lending`, `vault`, `liquidity` or `wallet`."""
    legs: tuple[Leg, ...]
    at: BlockRef
    state: State | None = None
    verified: bool = True
    """False where our numbers disagree with the protocol's own view, or its engine is unknown."""
    notes: tuple[str, ...] = ()
    """What a reader should know, in words; the reason when not `verified`."""
    unknown: tuple[str, ...] = ()
    """Parts that could not be read, with causes; a position with any is never called safe."""
    allowances: tuple[AllowanceGiven, ...] = field(default=())
    receipts: tuple[Address, ...] = ()
    """Tokens in the owner's wallet that stand for legs of this position: aTokens, debt tokens,
    vault shares. Whoever adds up must not count them a second time."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A market, or one account in it, that could not be read."""

    protocol: str
    market: str
    root: Address
    owner: Address | None
    """None where it concerns every watched account."""
    cause: str
    at: BlockRef


@dataclass(frozen=True, slots=True)
class Reading:
    """What one adapter learned from one market at one block."""

    positions: tuple[Position | Unreadable, ...] = ()
    prices: tuple[Price | Unpriced, ...] = ()
    """Prices that also serve to value other positions on the chain."""
