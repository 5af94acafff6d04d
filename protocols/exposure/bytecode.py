"""What bytecode alone tells: clones, delegations, constants. Pure.

A minimal proxy is matched from its first byte through the delegation, so that a contract that
merely contains such bytes is not taken for one; what follows (immutable arguments) is not judged.
"""

import re
from collections.abc import Iterator
from typing import Final

from chain.types import Address, checksum

DELEGATION: Final = bytes.fromhex("ef0100")
"""EIP-7702: followed by the address whose code the account runs."""
DELEGATECALL: Final = 0xF4
_PUSH1, _PUSH20, _PUSH32 = 0x60, 0x73, 0x7F
_GAS_DELEGATECALL: Final = bytes.fromhex("5af4")

CLONES: Final = (
    ("EIP-1167", "363d3d373d3d3d363d"),
    ("EIP-1167 without a stack of zeros", "3d3d3d3d363d3d37363d"),
    ("EIP-7511, with PUSH0", "365f5f375f5f365f"),
    ("EIP-1167 as Vyper wrote it", "366000600037611000600036600073"[:-2]),
    ("EIP-1167 with immutable arguments", "3d3d3d3d363d3d3761....603736393661....013d"),
)
"""What a clone begins with, up to the push of its target; `..` is any byte."""

_PATTERNS: Final = tuple(
    (
        name,
        re.compile(
            b"".join(
                b"." if pair == ".." else re.escape(bytes.fromhex(pair))
                for pair in re.findall("..", begins)
            ),
            re.S,
        ),
    )
    for name, begins in CLONES
)


def delegation(code: bytes) -> Address | None:
    """Return whose code an EIP-7702 account runs; None for any other code."""
    if len(code) == 23 and code.startswith(DELEGATION):
        return checksum("0x" + code[3:].hex())
    return None


def clone(code: bytes) -> tuple[str, Address] | None:
    """Return the kind of a minimal proxy and its target; None for any other code.

    A push of fewer than 20 bytes drops the address's leading zeros.
    """
    for name, pattern in _PATTERNS:
        begun = pattern.match(code)
        if begun is None or begun.end() >= len(code):
            continue
        push, start = code[begun.end()], begun.end() + 1
        size = push - _PUSH1 + 1
        if not 10 <= size <= 20:
            continue
        if code[start + size : start + size + 2] == _GAS_DELEGATECALL:
            target = code[start : start + size].rjust(20, b"\0")
            return f"{name}, push{size} at {begun.end()}", checksum("0x" + target.hex())
    return None


def instructions(code: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield every opcode with what it pushes; data behind the code is read as code too."""
    at = 0
    while at < len(code):
        op = code[at]
        size = op - _PUSH1 + 1 if _PUSH1 <= op <= _PUSH32 else 0
        yield op, code[at + 1 : at + 1 + size]
        at += 1 + size


def delegates(code: bytes) -> bool:
    """Return whether the code can run another's code as its own."""
    return DELEGATECALL in code and any(op == DELEGATECALL for op, _ in instructions(code))


def constants(code: bytes, most: int = 8) -> tuple[Address, ...]:
    """Return addresses that are written into the code, each once, at most so many.

    Immutables are pushed as 32 bytes. Small numbers and masks are no addresses.
    """
    found: dict[Address, None] = {}
    for op, pushed in instructions(code):
        word = pushed
        if op == _PUSH32 and len(pushed) == 32 and not any(pushed[:12]):
            word = pushed[12:]
        elif op != _PUSH20 or len(pushed) != 20:
            continue
        if any(word[:4]) and word != b"\xff" * 20:
            found[checksum("0x" + word.hex())] = None
        if len(found) >= most:
            break
    return tuple(found)
