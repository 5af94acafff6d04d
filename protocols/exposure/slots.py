"""Where proxies and Safes keep what they are, reckoned from the names that define the places."""

from typing import Final

from eth_utils.crypto import keccak

from chain.calls import Ok, Result, Unknown
from chain.types import ZERO_ADDRESS, Address, address_of_word


def _slot(name: str, less: int = 0) -> int:
    return int.from_bytes(keccak(text=name), "big") - less


IMPLEMENTATION: Final = _slot("eip1967.proxy.implementation", 1)
ADMIN: Final = _slot("eip1967.proxy.admin", 1)
BEACON: Final = _slot("eip1967.proxy.beacon", 1)
PROXIABLE: Final = _slot("PROXIABLE")
ZEPPELINOS: Final = _slot("org.zeppelinos.proxy.implementation")
ZEPPELINOS_ADMIN: Final = _slot("org.zeppelinos.proxy.admin")
SINGLETON: Final = 0
GUARD: Final = _slot("guard_manager.guard.address")
_INITIALIZABLE: Final = _slot("openzeppelin.storage.Initializable", 1).to_bytes(32, "big")
INITIALIZED: Final = int.from_bytes(keccak(_INITIALIZABLE), "big") & ~0xFF
"""Where OpenZeppelin 5 keeps how often a proxy was initialised (ERC-7201)."""

NAMES: Final = {
    IMPLEMENTATION: "eip1967.proxy.implementation",
    ADMIN: "eip1967.proxy.admin",
    BEACON: "eip1967.proxy.beacon",
    PROXIABLE: "PROXIABLE",
    ZEPPELINOS: "org.zeppelinos.proxy.implementation",
    ZEPPELINOS_ADMIN: "org.zeppelinos.proxy.admin",
    SINGLETON: "0",
    GUARD: "guard_manager.guard.address",
    INITIALIZED: "openzeppelin.storage.Initializable",
}
ALL: Final = tuple(NAMES)


def held(result: Result) -> Address | Unknown | None:
    """Return the address in a slot, None for an empty one or one that holds something else."""
    if isinstance(result, Unknown):
        return result
    if not isinstance(result, Ok) or len(result.data) != 32 or any(result.data[:12]):
        return None
    address = address_of_word(result.data)
    return None if address == ZERO_ADDRESS else address


def evidence(slot: int) -> str:
    """Return how a slot is named as evidence."""
    return f"slot {NAMES[slot]}"
