"""What every contract is asked, and what an answer means. Data, not code.

A contract that answers a question nobody can have written it for answers anything: then nothing
that it says of itself is believed.
"""

from typing import Final

from eth_utils.crypto import keccak

from chain.abi import Function
from chain.calls import Call, Ok, Result, Unknown
from chain.types import ZERO_ADDRESS, Address, address_of_word
from protocols.exposure.state import LinkKind, Verb

NONSENSE: Final = keccak(text="underkeel asks what no contract answers")[:4]

# What it borrows its code from.
IMPLEMENTATIONS: Final = tuple(
    Function(f"{name}()(address)") for name in ("implementation", "comptrollerImplementation")
)
PROXY_TYPE: Final = Function("proxyType()(uint256)")
PROXIABLE_UUID: Final = Function("proxiableUUID()(bytes32)")
FACETS: Final = Function("facets()((address,bytes4[])[])")

# Safe, and modules that time themselves.
OWNERS: Final = Function("getOwners()(address[])")
THRESHOLD: Final = Function("getThreshold()(uint256)")
VERSION: Final = Function("VERSION()(string)")
MODULES: Final = Function("getModulesPaginated(address,uint256)(address[],address)")
SENTINEL: Final = Address("0x0000000000000000000000000000000000000001")
MOST_MODULES: Final = 50
"""A page,"""
MOST_PAGES: Final = 20
"""and how many of them."""
COOLDOWN: Final = Function("txCooldown()(uint256)")

# Timelocks and governors.
MIN_DELAY: Final = Function("getMinDelay()(uint256)")
DELAY: Final = Function("delay()(uint256)")
GRACE: Final = Function("GRACE_PERIOD()(uint256)")
ADMIN: Final = Function("admin()(address)")
EXECUTOR_DELAY: Final = Function("getDelay()(uint256)")
EXECUTOR_ADMIN: Final = Function("getAdmin()(address)")
PAYLOADS: Final = Function("getExecutorSettingsByAccessControl(uint8)((address,uint40))")
LEVELS: Final = (1, 2)
VOTING_DELAY: Final = Function("votingDelay()(uint256)")
VOTING_PERIOD: Final = Function("votingPeriod()(uint256)")
CLOCK_MODE: Final = Function("CLOCK_MODE()(string)")
VAULT_TIMELOCK: Final = Function("timelock()(uint256)")

# Protocols whose owner's rights are known.
MORPHO: Final = Function("MORPHO()(address)")
MARKET_PARAMS: Final = Function(
    "idToMarketParams(bytes32)(address,address,address,address,uint256)"
)

OWNER: Final = Function("owner()(address)")
PENDING: Final = tuple(
    Function(f"{name}()(address)") for name in ("pendingOwner", "proposedOwner", "pendingAdmin")
)
PAUSED: Final = Function("paused()(bool)")

POWERS: Final[tuple[tuple[Function, Verb], ...]] = (
    (OWNER, Verb.OWN),
    (ADMIN, Verb.OWN),
    (Function("governance()(address)"), Verb.OWN),
    (Function("governor()(address)"), Verb.OWN),
    (Function("authority()(address)"), Verb.OWN),
    (Function("minter()(address)"), Verb.MINT),
    (Function("masterMinter()(address)"), Verb.MINT),
    (Function("pauser()(address)"), Verb.PAUSE),
    (Function("guardian()(address)"), Verb.PAUSE),
    (Function("curator()(address)"), Verb.CONFIGURE),
)
"""Who a contract says holds a power over it."""

NAMES: Final[tuple[tuple[Function, LinkKind], ...]] = tuple(
    (Function(f"{name}()(address)"), kind)
    for kind, names in (
        (LinkKind.SOURCE, "aggregator"),
        (
            LinkKind.FEED,
            "BASE_TO_USD_AGGREGATOR ASSET_TO_USD_AGGREGATOR ASSET_TO_PEG PEG_TO_BASE BASE_TO_PEG "
            "BASE_FEED_1 BASE_FEED_2 QUOTE_FEED_1 QUOTE_FEED_2 RATIO_PROVIDER",
        ),
        (LinkKind.WRAPPER, "asset stETH UNDERLYING_ASSET_ADDRESS BASE_VAULT QUOTE_VAULT"),
        (LinkKind.PROTOCOL, "POOL MORPHO ADDRESSES_PROVIDER"),
        (LinkKind.BRIDGE, "bridge BRIDGE l2Bridge gateway l2Gateway"),
    )
    for name in names.split()
)
"""Which other contracts a contract says it hangs on."""


def word_address(result: Result) -> Address | Unknown | None:
    """Return an address that one word holds; None for no answer, zero, or another kind of word."""
    if isinstance(result, Unknown):
        return result
    if not isinstance(result, Ok) or len(result.data) != 32 or any(result.data[:12]):
        return None
    address = address_of_word(result.data)
    return None if address == ZERO_ADDRESS else address


def answered_zero(result: Result) -> bool:
    """Return whether the answer is the zero address: a power that was given up."""
    return isinstance(result, Ok) and result.data == bytes(32)


def nonsense(address: Address) -> Call:
    """Return the question that only who answers anything answers."""
    return Call(address, NONSENSE)
