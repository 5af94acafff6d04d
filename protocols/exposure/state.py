"""What was learned of the contracts that positions stand on; values without behaviour.

An address that could not be read is UNKNOWN with the cause; a power whose holder could not be
found has the holder None. Neither is ever the same as "nobody".
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from chain.types import ZERO_ADDRESS, Address
from protocols.types import State

BURNED: Final = frozenset({ZERO_ADDRESS, Address("0x000000000000000000000000000000000000dEaD")})
"""Addresses that nobody has a key of: a power given to one is given up."""


class Kind(StrEnum):
    """What answers at an address."""

    EOA = "eoa"
    DELEGATED = "delegated-eoa"
    """A key's account that runs somebody's code (EIP-7702)."""
    CONTRACT = "contract"
    SAFE = "safe"
    TIMELOCK = "timelock"
    GOVERNOR = "governor"
    GONE = "gone"
    """No code where there must be some: self-destructed, or never there."""
    UNKNOWN = "unknown"


class ProxyKind(StrEnum):
    """How a contract borrows the code of another."""

    TRANSPARENT = "eip-1967-transparent"
    UUPS = "eip-1967-uups"
    EIP1967 = "eip-1967"
    """With an implementation slot, and neither of the two ways to change it."""
    BEACON = "eip-1967-beacon"
    EIP1822 = "eip-1822"
    ZEPPELINOS = "zeppelinos"
    EIP1167 = "eip-1167"
    EIP897 = "eip-897"
    DIAMOND = "eip-2535"
    SAFE = "safe"
    EIP7702 = "eip-7702"


class Verb(StrEnum):
    """What a power lets its holder do."""

    UPGRADE = "upgrade"
    OWN = "own"
    """Owner of a contract whose owner's rights we do not know: counts as all of them."""
    EXECUTE = "execute"
    """Makes the contract act."""
    MINT = "mint"
    PAUSE = "pause"
    ORACLE = "set-oracle"
    CONFIGURE = "configure"
    """Changes risk parameters."""
    FEE = "fee"
    """Changes fees within the contract's own limits; no principal can be taken."""


class LinkKind(StrEnum):
    """Why one thing hangs on another."""

    CHAIN = "chain"
    ACCOUNT = "account"
    """The owner's own account."""
    PROTOCOL = "protocol"
    RECEIPT = "receipt"
    TOKEN = "token"
    ORACLE = "oracle"
    FEED = "feed"
    SOURCE = "source"
    """What a feed passes on."""
    WRAPPER = "wrapper"
    BRIDGE = "bridge"
    RATE_MODEL = "rate-model"
    MARKET = "market"
    """A market that a vault lends to."""
    SPENDER = "spender"
    """Who may take tokens by an allowance."""
    IMPLEMENTATION = "implementation"
    BEACON = "beacon"
    DELEGATE = "delegate"
    GUARD = "guard"
    MEMBER = "member"
    """An owner of a Safe who cannot act alone."""


@dataclass(frozen=True, slots=True)
class Link:
    """`source` hangs on `target`."""

    source: str
    """An address, or the id of a position."""
    target: str
    """An address, `chain:<id>`, or what cannot be read as one."""
    kind: LinkKind
    evidence: str
    """The call, slot or configuration that says so."""
    share: float = 1.0
    """The part of the source's value that hangs on it."""


@dataclass(frozen=True, slots=True)
class Power:
    """Somebody can change a contract, or make it act."""

    verb: Verb
    holder: Address | None
    """None where there is such a power and its holder could not be found."""
    evidence: str
    delay_s: int = 0
    """How long between announcement and effect, by the contract's own rule."""
    of: Address = ZERO_ADDRESS
    """The contract; filled where powers of several are listed together."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a contract's code comes from."""

    kind: ProxyKind
    targets: tuple[Address, ...]
    evidence: str


@dataclass(frozen=True, slots=True)
class Safe:
    """Who may make a Safe act."""

    owners: tuple[Address, ...]
    threshold: int
    modules: tuple[Address, ...]
    """Each acts without any owner's signature."""
    guard: Address
    singleton: Address
    version: str
    standard: bool
    """Whether its code is a published Safe's."""


@dataclass(frozen=True, slots=True)
class Governor:
    """How long a vote takes."""

    voting_delay: int
    voting_period: int
    clock: str
    """`timestamp` for seconds, `blocknumber` for blocks."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an address is, and who controls it, at one block."""

    address: Address
    kind: Kind
    codehash: str | None = None
    """0x and 64 hex digits; None without code or where it could not be read."""
    code_size: int = 0
    proxies: tuple[Proxy, ...] = ()
    powers: tuple[Power, ...] = ()
    links: tuple[Link, ...] = ()
    safe: Safe | None = None
    timelock: str = ""
    """Its family: `openzeppelin`, `compound`, `aave-v2`, `aave-v3`, `zodiac-delay`."""
    delay_s: int | None = None
    """Of a timelock or a governor."""
    governor: Governor | None = None
    pending_owner: Address | None = None
    renounced: bool = False
    """Its owner is the zero address, or one that nobody has a key of."""
    pausable: bool | None = None
    """Whether it answers `paused()`; None where that could not be asked."""
    roles: str = ""
    """`enumerated`, `logs`, or `unread` for roles whose holders only logs can name."""
    unknown: tuple[str, ...] = ()

    @property
    def upgradeable(self) -> bool:
        """Return whether its code can be another tomorrow, as far as its kind tells."""
        fixed = (ProxyKind.EIP1167, ProxyKind.SAFE, ProxyKind.EIP7702)
        return any(proxy.kind not in fixed for proxy in self.proxies)


@dataclass(frozen=True, slots=True)
class Exit:
    """What of a position can leave now."""

    token: Address
    claim: int
    """Base units owned."""
    available: int | None
    """Base units that can leave now; None where that is not known."""
    lent: int | None = None
    """Base units that come back only as borrowers repay."""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What one position stands on directly, and what its protocol's own rules add."""

    position: str
    links: tuple[Link, ...] = ()
    powers: tuple[Power, ...] = ()
    exits: tuple[Exit, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    """Name and value of what its health hangs on and somebody can change."""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey(State):
    """Everything that was found from some addresses on, at one block."""

    facts: dict[Address, Facts] = field(default_factory=dict)
    powers: tuple[Power, ...] = ()
    """Which no contract tells of itself."""
    unseen: tuple[Address, ...] = ()
    """Named, and beyond the depth or the number of contracts that are followed."""
