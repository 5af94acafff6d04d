"""The common case of ABI encoding, done quickly: values of one word each, and one list of them.

`encode` and `decode` return None for whatever is not plainly right; `chain.abi` then leaves it to
eth-abi, which does the rest and says what is wrong. What both do comes out the same.
"""

import re
from binascii import Error as HexError
from collections.abc import Callable, Sequence
from typing import Any, Final

from chain.types import address_of_word

_INTEGER: Final = re.compile(r"(u?)int([0-9]+)")
_ZEROS: Final = bytes(12)

Reader = Callable[[bytes], Any]
"""Takes a word apart; raises `ValueError` for one that is not clean."""
Writer = Callable[[Any], bytes]
"""Makes a word; raises `ValueError` or `TypeError` for what is not plainly of the type."""


def readers(kinds: Sequence[str]) -> tuple[Reader, ...] | None:
    """Return what reads outputs of these types; None where eth-abi has to."""
    found = [_reader(kind) for kind in kinds]
    return tuple(one for one in found if one) if all(found) else None


def list_reader(kinds: Sequence[str]) -> Reader | None:
    """Return what reads the items of the one output that is a list of words; None otherwise."""
    if len(kinds) != 1 or not kinds[0].endswith("[]"):
        return None
    return _reader(kinds[0][:-2])


def writers(kinds: Sequence[str]) -> tuple[Writer, ...] | None:
    """Return what writes inputs of these types; None where eth-abi has to."""
    found = [_writer(kind) for kind in kinds]
    return tuple(one for one in found if one) if all(found) else None


def decode(plan: Sequence[Reader], data: bytes) -> tuple[Any, ...] | None:
    """Return one value per word."""
    if len(data) < 32 * len(plan):
        return None
    try:
        return tuple(read(data[32 * i : 32 * i + 32]) for i, read in enumerate(plan))
    except ValueError:
        return None


def decode_list(read: Reader, data: bytes) -> tuple[tuple[Any, ...]] | None:
    """Return the one list that was answered."""
    if int.from_bytes(data[:32], "big") != 32:
        return None
    end = 64 + 32 * int.from_bytes(data[32:64], "big")
    if not 64 <= end <= len(data):
        return None
    try:
        return (tuple(read(data[at : at + 32]) for at in range(64, end, 32)),)
    except ValueError:
        return None


def encode(plan: Sequence[Writer], args: Sequence[Any]) -> bytes | None:
    """Return the words of the arguments."""
    if len(plan) != len(args):
        return None
    try:
        return b"".join([write(arg) for write, arg in zip(plan, args, strict=True)])
    except (ValueError, TypeError, OverflowError, HexError):
        return None


def _reader(kind: str) -> Reader | None:
    if kind == "address":
        return _address
    if kind == "bool":
        return _bool
    if kind == "bytes32":
        return bytes
    return _integer(kind)


def _address(word: bytes) -> Any:
    if word[:12] != _ZEROS:
        raise ValueError("a dirty address")
    return address_of_word(word)


def _bool(word: bytes) -> bool:
    number = int.from_bytes(word, "big")
    if number > 1:
        raise ValueError("a dirty bool")
    return number == 1


def _integer(kind: str) -> Reader | None:
    match = _INTEGER.fullmatch(kind)
    if not match:
        return None
    bits, signed = int(match[2]), not match[1]
    least, end = (-1 << bits - 1, 1 << bits - 1) if signed else (0, 1 << bits)

    def read(word: bytes) -> int:
        number = int.from_bytes(word, "big", signed=signed)
        if not least <= number < end:
            raise ValueError("a dirty number")
        return number

    return read


def _writer(kind: str) -> Writer | None:
    if kind == "address":
        return _address_word
    match = _INTEGER.fullmatch(kind)
    if not match or not match[1]:
        return None
    end = 1 << int(match[2])

    def write(number: Any) -> bytes:
        if type(number) is not int or not 0 <= number < end:
            raise ValueError("not such a number")
        return number.to_bytes(32, "big")

    return write


def _address_word(text: Any) -> bytes:
    if type(text) is not str or len(text) != 42 or text[:2] != "0x":
        raise ValueError("not an address")
    raw = bytes.fromhex(text[2:])
    if len(raw) != 20:
        raise ValueError("not an address")
    return _ZEROS + raw
