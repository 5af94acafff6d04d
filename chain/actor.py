"""Speak with the actor program: make calls as an account that has no code, one after the other.

The layout of input and output is described in contracts/src/Actor.sol.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import orjson
from eth_utils.crypto import keccak

from chain.relay import Corrupt
from chain.types import Address

MARK: Final = keccak(text="underkeel.actor")
_HEAD: Final = 64
_ANSWER: Final = 13


@dataclass(frozen=True, slots=True)
class Entry:
    """One call that an account is to make."""

    target: Address
    data: bytes
    value: int = 0
    gas: int = 0
    """0: all there is."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one call."""

    ok: bool
    gas_used: int
    """Of the call alone: neither the transaction around it nor its refunds."""
    output: bytes


@cache
def code() -> str:
    """Return the program as hex, for a code override."""
    built = orjson.loads((files("chain") / "data" / "actor.json").read_bytes())
    return str(built["runtime"])


def encode(entries: Sequence[Entry]) -> bytes:
    """Return the input of one run."""
    parts = [MARK]
    for entry in entries:
        parts += (
            bytes.fromhex(entry.target[2:]),
            entry.value.to_bytes(32, "big"),
            entry.gas.to_bytes(8, "big"),
            len(entry.data).to_bytes(4, "big"),
            entry.data,
        )
    return b"".join(parts)


def decode(program_input: bytes, count: int, output: bytes) -> list[Done]:
    """Return what each of `count` calls gave; raises `Corrupt` unless the digest is right."""
    if len(output) < _HEAD or keccak(output[32:]) != output[:32]:
        raise Corrupt("the digest over the answer does not match")
    if output[32:64] != keccak(program_input):
        raise Corrupt("the answer is to another question")
    found: list[Done] = []
    at = _HEAD
    while at < len(output):
        size = int.from_bytes(output[at + 9 : at + 13], "big")
        data = output[at + _ANSWER : at + _ANSWER + size]
        if len(data) != size:
            raise Corrupt("an answer that is cut short")
        used = int.from_bytes(output[at + 1 : at + 9], "big")
        found.append(Done(output[at] == 1, used, data))
        at += _ANSWER + size
    if len(found) != count:
        raise Corrupt(f"{len(found)} answers to {count} calls")
    return found
