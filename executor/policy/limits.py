"""What the owner allows a wallet, and the facts that a verdict is made of. Values only.

Dollars are whole millionths (`_usd_e6`), amounts wei or base units, times Unix seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from chain.types import ZERO_ADDRESS, Address
from chain.units import div_up
from executor.policy.calls import Grants

HOUR_S: Final = 3_600
DAY_S: Final = 86_400
USD_E6: Final = 10**6


@dataclass(frozen=True, slots=True)
class Limits:
    """The policy of one wallet on one chain. None means that this one limit is not set."""

    name: str
    """The config's name of the wallet, for messages."""
    wallet: Address
    """Who signs."""
    accounts: frozenset[Address]
    """The owner's own accounts: what may receive, and on whose behalf may be acted."""
    chain_id: int
    max_tx_usd_e6: int
    max_day_usd_e6: int
    max_fee: int
    """Wei per gas."""
    max_gas: int
    max_hour_usd_e6: int | None = None
    max_tx_wei: int | None = None
    max_hour_wei: int | None = None
    max_day_wei: int | None = None
    max_per_hour: int | None = None
    """First signatures in any hour."""
    floor_wei: int = 0
    """What stays in the wallet, whatever happens."""
    max_price_age_s: int | None = None
    """Beside each price's own heartbeat."""
    max_gap_bps: int = 300
    """Between an oracle and the market's mean price."""
    require_market: bool = True
    """Whether a trade needs a market's mean price beside the oracle's."""
    max_silence_s: int | None = None
    """Since the owner's last sign of life; None asks for none."""
    delegates: frozenset[Address] = frozenset()
    """What an account may be delegated to (EIP-7702)."""
    grants: Grants = field(default_factory=dict)
    """What may be called."""


@dataclass(frozen=True, slots=True)
class Price:
    """What one token is worth."""

    usd_e8: int
    """Of one whole token, in 1e-8 dollars."""
    decimals: int
    updated_at: int | None = None
    heartbeat_s: int | None = None
    """The longest silence its oracle promises."""
    gap_bps: int | None = None
    """How far the market's time-weighted mean price is from it; None where there is no market."""
    doubts: tuple[str, ...] = ()
    """What else speaks against it, in words: a sequencer that is down, sources that differ."""

    def usd_e6(self, amount: int) -> int:
        """Return what an amount in base units is worth, rounded up."""
        return div_up(amount * self.usd_e8, int(10 ** (self.decimals + 2)))


@dataclass(frozen=True, slots=True)
class Simulated:
    """What the transaction would do, on top of the newest block."""

    ok: bool
    block: int
    outflows: Mapping[Address, int] = field(default_factory=dict)
    """By token, what leaves the owner's accounts: base units, the native coin at zero address."""
    touched: frozenset[Address] = frozenset()
    """Tokens that came or went."""
    uncountable: tuple[str, ...] = ()
    """What leaves and has no amount, such as an NFT."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at the moment of a verdict. What is not known is None, never zero."""

    now: int
    """Of the newest block: prices and deadlines are the chain's. Windows are the ledger's."""
    prices: Mapping[Address, Price]
    simulated: Simulated | None
    paused: str | None = None
    """Why nothing may be signed; None if nothing says so."""
    alive_at: int | None = None
    """The owner's last sign of life."""
    red_zone: bool = False
    """A position is about to be liquidated: swap-free actions may go where oracles disagree."""
    needed: Mapping[tuple[Address, Address], int] | None = None
    """By (token, spender), the allowance that the plan's next steps use up; None: not known."""

    @property
    def native(self) -> Price | None:
        """The native coin's price."""
        return self.prices.get(ZERO_ADDRESS)
