"""A few contracts, a batch of every kind of read, and what it truly answers."""

from collections.abc import Sequence

from chain.abi import Function
from chain.calls import (
    Call,
    Code,
    NativeBalance,
    NoCode,
    Ok,
    Pointer,
    Read,
    Result,
    Reverted,
    Storage,
    Unknown,
)
from chain.client import Client
from tests.chain.helpers import address, word
from tests.support.fake_node import FakeNode, Revert

TOKEN, REGISTRY, SILENT, ANGRY, NOBODY, WHO = (address(n) for n in range(0x1001, 0x1007))
MULTICALL3 = address(0x2000)
BALANCE = Function("balanceOf(address)(uint256)")
FIND = Function("find(uint256)(address)")


def token(data: bytes, sender: str) -> bytes:
    """Answer with a number made from the call and, where it is given, the sender."""
    if data[:4] != BALANCE.selector:
        raise Revert(b"what?")
    return word(int.from_bytes(data[-8:], "big") ** 2 + (sender == WHO))


def registry(data: bytes, _: str) -> bytes:
    """Name contracts: several words, of which some are no addresses."""
    kind = data[-1]
    if kind == 9:
        raise Revert(b"no such thing")
    words = [int(TOKEN, 16), 0, 1 << 200, int(NOBODY, 16), int(ANGRY, 16), int(REGISTRY, 16)]
    return b"".join(map(word, words))


def angry(data: bytes, _: str) -> bytes:
    raise Revert(data[:4] if data else b"")


def node(**kwargs: object) -> FakeNode:
    """Return a node with a few contracts."""
    made = FakeNode(**kwargs)  # type: ignore[arg-type]
    made.contracts = {
        TOKEN: token,
        REGISTRY: registry,
        SILENT: lambda _, __: b"",
        ANGRY: angry,
        MULTICALL3: lambda _, __: b"",
    }
    made.balances = {WHO: 10**30, TOKEN: 5}
    made.slots = {(TOKEN, 3): 7, (REGISTRY, 0): 1 << 255}
    if made.multicall3 is None:
        made.multicall3 = MULTICALL3
    return made


def at(word: int, kind: int = 0) -> Pointer:
    return FIND.pointer(REGISTRY, kind, word=word)


NESTED = FIND.pointer(FIND.pointer(REGISTRY, 0, word=5), 1, word=0)

BATCH: list[Read] = [
    BALANCE.at(TOKEN, WHO),
    BALANCE.at(TOKEN, address(3)),
    BALANCE.at(at(0), address(4)),
    BALANCE.at(NESTED, address(5)),
    BALANCE.at(at(1), WHO),
    BALANCE.at(at(2), WHO),
    BALANCE.at(at(3), WHO),
    BALANCE.at(at(4), WHO),
    BALANCE.at(at(6), WHO),
    BALANCE.at(at(0, 9), WHO),
    BALANCE.at(FIND.pointer(at(0, 9), 0), WHO),
    BALANCE.at(FIND.pointer(NOBODY, 0), WHO),
    FIND.at(REGISTRY, 0),
    FIND.at(REGISTRY, 9),
    Call(TOKEN, b"\x00\x01\x02\x03"),
    Call(SILENT, b"\x01"),
    Call(NOBODY, b"\x01"),
    Call(ANGRY, b""),
    BALANCE.at(TOKEN, WHO, sender=WHO),
    BALANCE.at(at(0), WHO, sender=WHO),
    Call(ANGRY, b"abcd", WHO),
    NativeBalance(WHO),
    NativeBalance(NOBODY),
    Code(TOKEN),
    Code(NOBODY),
    Storage(TOKEN, 3),
    Storage(TOKEN, 2**256 - 1),
    Storage(REGISTRY, 0),
]

SQUARE = Ok(word((int(WHO, 16) & 0xFFFFFFFFFFFFFFFF) ** 2))
PLUS = Ok(word((int(WHO, 16) & 0xFFFFFFFFFFFFFFFF) ** 2 + 1))
TRUTH: list[Result] = [
    SQUARE,
    Ok(word(9)),
    Ok(word(16)),
    Ok(word(25)),
    NoCode(),
    Unknown("the call that names the target did not answer with an address"),
    NoCode(),
    Reverted(BALANCE.selector),
    Unknown("the call that names the target answered with too few words"),
    Reverted(b"no such thing"),
    Reverted(b"no such thing"),
    NoCode(),
    Ok(registry(b"\0", "")),
    Reverted(b"no such thing"),
    Reverted(b"what?"),
    Ok(b""),
    NoCode(),
    Reverted(b""),
    PLUS,
    PLUS,
    Reverted(b"abcd"),
    Ok(word(10**30)),
    Ok(word(0)),
    Ok(b"\xfe"),
    Ok(b""),
    Ok(word(7)),
    Ok(word(0)),
    Ok(word(1 << 255)),
]


def read(chain: Client, reads: Sequence[Read] = BATCH) -> list[Result]:
    return chain.snapshot(chain.head()).read(reads)
