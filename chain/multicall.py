"""Encode and decode Multicall3's `aggregate3`, strictly and without a general ABI decoder.

Its answer carries no digest. The reader therefore asks everything twice in the same POST and
takes only what is the same both times; see chain/snapshot.py.
"""

from collections.abc import Sequence
from typing import Final

from eth_utils.crypto import keccak

from chain.calls import Ok, Reverted
from chain.types import Address

AGGREGATE3: Final = keccak(text="aggregate3((address,bool,bytes)[])")[:4]
GET_BLOCK_NUMBER: Final = keccak(text="getBlockNumber()")[:4]
GET_TIMESTAMP: Final = keccak(text="getCurrentBlockTimestamp()")[:4]
GET_ETH_BALANCE: Final = keccak(text="getEthBalance(address)")[:4]


class Misshapen(Exception):
    """The bytes are not what `aggregate3` returns for so many calls."""


def encode(calls: Sequence[tuple[Address, bytes]]) -> bytes:
    """Return the call data of `aggregate3` with failure allowed for every call."""
    heads: list[bytes] = []
    tails: list[bytes] = []
    offset = 32 * len(calls)
    for target, data in calls:
        padded = data + bytes(-len(data) % 32)
        heads.append(offset.to_bytes(32, "big"))
        tails.append(
            bytes(12)
            + bytes.fromhex(target[2:])
            + (1).to_bytes(32, "big")
            + (96).to_bytes(32, "big")
            + len(data).to_bytes(32, "big")
            + padded
        )
        offset += 128 + len(padded)
    start = (32).to_bytes(32, "big") + len(calls).to_bytes(32, "big")
    return AGGREGATE3 + start + b"".join(heads) + b"".join(tails)


def decode(answer: bytes, count: int) -> list[Ok | Reverted]:
    """Return one result per call: `Ok`, or `Reverted` for a call that failed, for whatever reason.

    Raises `Misshapen` unless every offset, flag, length and padding is what the contract writes.
    """

    def word(at: int) -> int:
        if at + 32 > len(answer):
            raise Misshapen("the answer ends early")
        return int.from_bytes(answer[at : at + 32], "big")

    if word(0) != 32 or word(32) != count:
        raise Misshapen(f"no array of {count} results")
    results: list[Ok | Reverted] = []
    expected = 64 + 32 * count
    for i in range(count):
        at = 64 + word(64 + 32 * i)
        if at != expected:
            raise Misshapen("results out of place")
        success, where, size = word(at), word(at + 32), word(at + 64)
        end = at + 96 + size
        expected = end + -size % 32
        if success > 1 or where != 64 or expected > len(answer) or any(answer[end:expected]):
            raise Misshapen("a result with a wrong head or padding")
        data = answer[at + 96 : end]
        results.append(Ok(data) if success else Reverted(data))
    if expected != len(answer):
        raise Misshapen("bytes after the last result")
    return results
