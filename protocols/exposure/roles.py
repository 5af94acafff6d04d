"""Who holds the roles of an AccessControl contract: asked where it counts them, else from logs.

A role is a hash; only the names below are known. A role of another name counts as one that may do
everything, because we cannot know that it may not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from eth_utils.crypto import keccak

from chain.abi import Function
from chain.types import Address, address_of_word, checksum
from protocols.adapter import Log, LogFilter, Market
from protocols.exposure.state import Verb

ACCESS_CONTROL: Final = "0x7965db0b"
ENUMERABLE: Final = "0x5a05180f"

SUPPORTS: Final = Function("supportsInterface(bytes4)(bool)")
HAS_ROLE: Final = Function("hasRole(bytes32,address)(bool)")
ROLE_ADMIN: Final = Function("getRoleAdmin(bytes32)(bytes32)")
MEMBER_COUNT: Final = Function("getRoleMemberCount(bytes32)(uint256)")
MEMBER: Final = Function("getRoleMember(bytes32,uint256)(address)")

GRANTED: Final = keccak(text="RoleGranted(bytes32,address,address)")

DEFAULT_ADMIN: Final = bytes(32)
PROPOSER: Final = keccak(text="PROPOSER_ROLE")

NAMED: Final[Mapping[str, Verb | None]] = {
    "DEFAULT_ADMIN_ROLE": Verb.OWN,
    "ADMIN_ROLE": Verb.OWN,
    "OWNER_ROLE": Verb.OWN,
    "GOVERNOR_ROLE": Verb.OWN,
    "TIMELOCK_ADMIN_ROLE": Verb.OWN,
    "UPGRADER_ROLE": Verb.UPGRADE,
    "UPGRADE_ROLE": Verb.UPGRADE,
    "PROXY_ADMIN_ROLE": Verb.UPGRADE,
    "PROPOSER_ROLE": Verb.EXECUTE,
    "MINTER_ROLE": Verb.MINT,
    "PAUSER_ROLE": Verb.PAUSE,
    "PAUSE_ROLE": Verb.PAUSE,
    "GUARDIAN_ROLE": Verb.PAUSE,
    "EMERGENCY_ADMIN": Verb.PAUSE,
    "POOL_ADMIN": Verb.UPGRADE,
    "ASSET_LISTING_ADMIN": Verb.ORACLE,
    "ORACLE_ROLE": Verb.ORACLE,
    "RISK_ADMIN": Verb.CONFIGURE,
    "CANCELLER_ROLE": None,
    "EXECUTOR_ROLE": None,
    "FLASH_BORROWER": None,
    "UNPAUSER_ROLE": None,
    "BURNER_ROLE": None,
}
"""What a role's name says it may do; None for what can take nothing from anybody."""

NAMES: Final[Mapping[bytes, str]] = {
    DEFAULT_ADMIN if name == "DEFAULT_ADMIN_ROLE" else keccak(text=name): name for name in NAMED
}


@dataclass(frozen=True, slots=True)
class Grant:
    """Somebody was given a role at some time; whether he still has it, the contract tells."""

    role: bytes
    account: Address


def name_of(role: bytes) -> str:
    """Return a role's name, or its hash where we do not know one."""
    return NAMES.get(role, f"role 0x{role.hex()[:8]}…")


def verb_of(role: bytes) -> Verb | None:
    """Return what a role may do; everything, where its name is not known."""
    name = NAMES.get(role)
    return Verb.OWN if name is None else NAMED[name]


def grant_of(text: str) -> Grant:
    """Return the grant that `RoleDiscovery` wrote down as 0x, role and account."""
    raw = bytes.fromhex(text[2:])
    return Grant(raw[:32], checksum("0x" + raw[32:].hex()))


@dataclass(frozen=True, slots=True)
class RoleDiscovery:
    """Which accounts were ever given a role; `protocols.adapter.Discovery` for `grants`."""

    key: ClassVar[str] = "grants"

    def filters(self, market: Market, accounts: Sequence[Address]) -> tuple[LogFilter, ...]:
        """Return the filter for the grants of one contract: the market's root."""
        return (LogFilter(market.root, ("0x" + GRANTED.hex(),)),)

    def found(self, logs: Iterable[Log]) -> tuple[str, ...]:
        """Return each grant once, as 0x and 104 hex digits: the role and the account."""
        grants = (
            "0x" + log.topics[1].hex() + address_of_word(log.topics[2])[2:].lower()
            for log in logs
            if len(log.topics) == 4 and log.topics[0] == GRANTED
        )
        return tuple(dict.fromkeys(grants))


GRANTS: Final = RoleDiscovery()
