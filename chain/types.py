"""The values that every room shares: addresses and block references."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NewType

from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address

Address = NewType("Address", str)
"""A 20-byte address as EIP-55 text."""

ZERO_ADDRESS: Final = Address("0x" + "0" * 40)


class InvalidAddress(ValueError):
    """The text is not a 20-byte address, or its EIP-55 checksum is wrong."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"{text!r} is not an address: {reason}")
        self.text = text
        self.reason = reason


def parse_address(text: str) -> Address:
    """Return the address a person wrote.

    All-lower and all-upper case carry no checksum and are taken as they are; mixed case must
    match EIP-55, because a wrong checksum is most often a wrong address.
    """
    if not is_hex_address(text) or not text.lower().startswith("0x"):
        raise InvalidAddress(text, "expected 0x and 40 hex digits")
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(text):
        raise InvalidAddress(
            text, f"its checksum is wrong; if the digits are right, write {checksum(text)}"
        )
    return checksum(text)


@lru_cache(maxsize=1 << 16)
def checksum(text: str) -> Address:
    """Return the EIP-55 form of 0x and 40 hex digits that a machine wrote."""
    return Address(to_checksum_address(text))


def address_of_word(word: bytes) -> Address:
    """Return the address in the low 20 bytes of a 32-byte ABI word."""
    return checksum("0x" + word[-20:].hex())


@dataclass(frozen=True, slots=True)
class BlockRef:
    """One block of one chain, by hash; every value read from a chain carries one."""

    chain_id: int
    number: int
    hash: str
    """0x and 64 lower-case hex digits."""
    parent_hash: str
    timestamp: int
    """Seconds since 1970, as the chain has it."""

    def __str__(self) -> str:
        return f"{self.chain_id}:{self.number}:{self.hash[:10]}"
