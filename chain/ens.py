"""Find the address of an ENS name, by our own reads at the pinned block.

Registry, resolver and address travel in one batch. Names are normalised by ENSIP-15, wildcard
resolvers (ENSIP-10) are asked on chain. Not done: off-chain lookups (EIP-3668, CCIP-Read), which
ask a server of the name's owner over HTTP: such names fail with a message that says so. Reverse
resolution is not done either.
"""

from typing import Final

from eth_utils.crypto import keccak

from chain.abi import Function, explain
from chain.calls import Ok, Read, ReadFailed, Reads, Reverted
from chain.errors import NameNotResolved
from chain.snapshot import Snapshot
from chain.types import ZERO_ADDRESS, Address, checksum

REGISTRY: Final = checksum("0x00000000000c2e074ec69a0dfb2997ba6c7d2e1e")
"""The ENS registry, on Ethereum mainnet."""
OFFCHAIN_LOOKUP: Final = bytes.fromhex("556f1830")
"""Selector of the error by which EIP-3668 asks for an off-chain lookup."""
EXTENDED: Final = bytes.fromhex("9061b923")
"""Interface id of wildcard resolvers, ENSIP-10."""

_RESOLVER: Final = Function("resolver(bytes32)(address)")
_ADDR: Final = Function("addr(bytes32)(address)")
_SUPPORTS: Final = Function("supportsInterface(bytes4)(bool)")
_RESOLVE: Final = Function("resolve(bytes,bytes)(bytes)")


def resolve(snapshot: Snapshot, name: str) -> Address:
    """Return the address of a name; raises `NameNotResolved` with a cause."""
    return snapshot.run(program(name))


def program(name: str) -> Reads[Address]:
    """Read the address of a name; raises `NameNotResolved`."""
    labels = normalized(name).split(".")
    nodes = [namehash(labels[i:]) for i in range(len(labels))]
    query = _ADDR.encode(nodes[0])
    dns = b"".join(map(_dns, labels)) + b"\0"
    reads: list[Read] = []
    for node in nodes:
        resolver = _RESOLVER.pointer(REGISTRY, node)
        reads += [
            _RESOLVER.at(REGISTRY, node),
            _SUPPORTS.at(resolver, EXTENDED),
            _RESOLVE.at(resolver, dns, query),
            _ADDR.at(resolver, nodes[0]),
        ]
    results = yield reads
    for i in range(len(nodes)):
        registered, supports, wild, plain = results[4 * i : 4 * i + 4]
        try:
            if _RESOLVER.decode(registered) == ZERO_ADDRESS:
                continue
        except ReadFailed as failure:
            raise NameNotResolved(name, failure.cause) from failure
        extended = isinstance(supports, Ok) and _SUPPORTS.known(supports) is True
        if i and not extended:
            break  # a parent's resolver that does not speak for its children
        answer = wild if extended else plain
        if isinstance(answer, Reverted) and answer.data[:4] == OFFCHAIN_LOOKUP:
            raise NameNotResolved(
                name, "it needs an off-chain lookup (CCIP-Read), which is not done; use the address"
            )
        try:
            if extended:
                answer = Ok(_RESOLVE.decode(answer))
            address: Address = _ADDR.decode(answer)
        except ReadFailed as failure:
            raise NameNotResolved(name, f"its resolver failed: {explain(answer)}") from failure
        if address == ZERO_ADDRESS:
            raise NameNotResolved(name, "it has no Ethereum address set")
        return address
    raise NameNotResolved(name, "it is not registered, or has no resolver; check the spelling")


def normalized(name: str) -> str:
    """Return the name in its one valid form (ENSIP-15); raises `NameNotResolved`."""
    from ens.exceptions import InvalidName  # type: ignore[import-untyped]
    from ens.utils import normalize_name  # type: ignore[import-untyped]

    try:
        clean = str(normalize_name(name))
    except InvalidName as error:
        raise NameNotResolved(name, f"it is no valid ENS name: {error}") from error
    labels = clean.split(".")
    if len(labels) < 2 or not all(0 < len(label.encode()) < 256 for label in labels):
        raise NameNotResolved(name, "it is no valid ENS name: expected label.label")
    return clean


def _dns(label: str) -> bytes:
    """Return a label as DNS writes it: its length, then its bytes."""
    return bytes([len(label.encode())]) + label.encode()


def namehash(labels: list[str]) -> bytes:
    """Return the node of a name, EIP-137."""
    node = bytes(32)
    for label in reversed(labels):
        node = keccak(node + keccak(text=label))
    return node
