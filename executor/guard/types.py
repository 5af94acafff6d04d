"""The values of the guard contract (contracts/src/guard), in its own units.

Health is wad. Values (`max_window_loss`, losses) are in the lending protocol's unit of account:
Aave's base currency (1e8 a dollar), base units of Morpho's loan token, Compound's dollars of 1e18.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from chain.types import ZERO_ADDRESS, Address

UNLIMITED: Final = 2**128 - 1
"""As a ceiling: any health, no debt at all included."""
ALL_NATIVE: Final = 2**256 - 1
"""As the value of a step: whatever was gained of the native coin."""
NATIVE: Final = ZERO_ADDRESS
"""The native coin, where a token is named."""


class Protocol(IntEnum):
    """The lending protocol of the position."""

    AAVE_V3 = 0
    MORPHO_BLUE = 1
    COMPOUND_V2 = 2


class LenderKind(IntEnum):
    """Whose way of flash lending a lender has."""

    MORPHO = 0
    BALANCER_V2 = 1
    AAVE_V3 = 2


@dataclass(frozen=True, slots=True)
class Policy:
    """The owner's limits; fields as in Types.sol."""

    executor: Address
    valid_until: int
    """Unix seconds."""
    cooldown: int
    """Seconds between two executions; never two in one block."""
    guardian: Address
    """May pause; the zero address for nobody."""
    window: int
    """Seconds in which a used-up allowance refills."""
    max_loss_bps: int
    """Of the position's equity, in one execution."""
    max_flash_fee_bps: int
    protocol: Protocol
    may_borrow: bool
    market: Address
    """Aave's Pool, Morpho, or Compound's Comptroller."""
    max_base_fee: int
    """Wei."""
    market_id: bytes
    """Morpho's market, 32 bytes; else zeros."""
    trigger: int
    floor: int
    ceiling: int
    max_window_loss: int


@dataclass(frozen=True, slots=True)
class Asset:
    """A watched token. `market` gives its price, zero for none: Aave's reserve, Compound's cToken,
    Morpho itself. `position`: supply and debt of that market belong to the position."""

    token: Address
    market: Address
    position: bool
    max_outflow: int
    """Base units that may leave the account's own balance in a window."""


@dataclass(frozen=True, slots=True)
class Lender:
    """A flash lender; the guard asks them in the owner's order."""

    kind: LenderKind
    address: Address


@dataclass(frozen=True, slots=True)
class Rule:
    """A function that steps may call; `pins` has a bit for each argument word that is fixed."""

    target: Address
    selector: bytes
    permit2: bool
    pins: int
    words: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One call of an intent. `token`, `amount`: an exact approval of a watched token, zeroed after.

    `fill` is 0 or one more than the index of the argument word that, with `amount`, becomes what
    was gained of `token` so far, less what is owed to the flash lender.
    """

    target: Address
    value: int
    token: Address
    amount: int
    fill: int
    data: bytes


@dataclass(frozen=True, slots=True)
class GuardIntent:
    """What the executor asks for; limits at least as strict as the policy's."""

    id: bytes
    """32 bytes; the id of the executor's intent."""
    deadline: int
    max_base_fee: int
    min_health_factor_after: int
    max_loss_bps: int
    flash_token: Address
    flash_amount: int
    """Base units; 0 for no loan."""
    calls: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Watched:
    """A watched token as the guard keeps it."""

    token: Address
    decimals: int
    position: bool
    source: Address
    """aToken or cToken of a position, else what gives the price."""
    debt_token: Address
    max_outflow: int
    outflow_spent: int
    outflow_at: int


@dataclass(frozen=True, slots=True)
class GuardState:
    """A configured guard at one block."""

    account: Address
    policy: Policy
    assets: tuple[Watched, ...]
    lenders: tuple[Lender, ...]
    epoch: int
    paused: bool
    last_at: int
    """Unix seconds of the last execution, 0 if there was none."""
    last_block: int
    loss_left: int


@dataclass(frozen=True, slots=True)
class Unset:
    """There is a guard, and nobody has configured it: it refuses everyone."""

    account: Address


@dataclass(frozen=True, slots=True)
class Executed:
    """The guard's event: an intent was carried out."""

    id: bytes
    lender: Address
    """Zero without a flash loan."""
    health_before: int
    health_after: int
    loss: int
    """Below zero where worth was gained."""


@dataclass(frozen=True, slots=True)
class GuardError:
    """Why the guard refused; of `StepFailed` the second argument is what the callee said."""

    name: str
    args: tuple[object, ...]
