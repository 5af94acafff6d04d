"""The world's 2-of-3 Safe: sign, approve and execute as its owners do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from world.deployer import ZERO
from world.node import Bound, Node, Tx
from world.world import World

CALL, DELEGATECALL = 0, 1
EXEC_GAS = 5_000_000
FIELDS = (
    ("to", "address"),
    ("value", "uint256"),
    ("data", "bytes"),
    ("operation", "uint8"),
    ("safeTxGas", "uint256"),
    ("baseGas", "uint256"),
    ("gasPrice", "uint256"),
    ("gasToken", "address"),
    ("refundReceiver", "address"),
    ("nonce", "uint256"),
)
"""The struct SafeTx of EIP-712."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the Safe is to make."""

    to: str
    data: str = "0x"
    value: int = 0
    operation: int = CALL

    def params(self) -> tuple[Any, ...]:
        """Arguments of a Safe transaction that pays nobody for its gas."""
        data = bytes.fromhex(self.data[2:])
        return (self.to, self.value, data, self.operation, 0, 0, 0, ZERO, ZERO)


def safe(world: World[Node]) -> Bound:
    return world.contract("safe/Safe", world.book["safe"]["safe"])


def as_call(tx: Tx) -> Call:
    """What a transaction of another actor would do, for the Safe to do."""
    assert tx.to is not None
    return Call(tx.to, tx.data, tx.value)


def together(world: World[Node], calls: Iterable[Call]) -> Call:
    """Several calls as one delegate call of MultiSendCallOnly."""
    packed = b""
    for call in calls:
        data = bytes.fromhex(call.data[2:])
        packed += bytes([call.operation]) + bytes.fromhex(call.to[2:])
        packed += call.value.to_bytes(32, "big") + len(data).to_bytes(32, "big") + data
    address = world.book["safe"]["multi_send_call_only"]
    bound = world.contract("safe/MultiSendCallOnly", address)
    return Call(address, bound.interface["multiSend"].encode(packed), operation=DELEGATECALL)


def hash_of(world: World[Node], call: Call, nonce: int | None = None) -> bytes:
    """The hash that owners sign or approve, from the Safe itself; at its present nonce."""
    bound = safe(world)
    at = bound.call("nonce") if nonce is None else nonce
    found: bytes = bound.call("getTransactionHash", *call.params(), at)
    return found


def sign(world: World[Node], call: Call, owner: str) -> bytes:
    """Let the node sign SafeTx as typed data with the owner's key."""
    bound = safe(world)
    values = (*call.params(), bound.call("nonce"))
    message = {
        name: "0x" + value.hex() if isinstance(value, bytes) else value
        for (name, _), value in zip(FIELDS, values, strict=True)
    }
    domain = (("chainId", "uint256"), ("verifyingContract", "address"))
    chain_id = int(world.node.rpc.request("eth_chainId"), 16)
    typed = {
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for name, kind in domain],
            "SafeTx": [{"name": name, "type": kind} for name, kind in FIELDS],
        },
        "primaryType": "SafeTx",
        "domain": {"chainId": chain_id, "verifyingContract": bound.address},
        "message": message,
    }
    signature: str = world.node.rpc.request("eth_signTypedData_v4", owner, typed)
    return bytes.fromhex(signature[2:])


def approve(world: World[Node], call: Call, owner: str) -> bytes:
    """Approve on chain; return the signature that stands for it."""
    safe(world).send(owner, "approveHash", hash_of(world, call))
    return bytes(12) + bytes.fromhex(owner[2:]) + bytes(32) + b"\x01"


def exec_tx(
    world: World[Node], call: Call, sender: str, signatures: Sequence[tuple[str, bytes]]
) -> Tx:
    """Execute with (owner, signature) pairs, which the Safe wants in the owners' order."""
    ordered = sorted(signatures, key=lambda pair: int(pair[0], 16))
    joined = b"".join(signature for _, signature in ordered)
    return safe(world).tx(sender, "execTransaction", *call.params(), joined, gas=EXEC_GAS)


def execute(world: World[Node], call: Call, owners: Sequence[str] | None = None) -> dict[str, Any]:
    """Let owners sign, by default as many as are needed, and the first one send."""
    page = world.book["safe"]
    signers = owners or page["owners"][: page["threshold"]]
    signatures = [(owner, sign(world, call, owner)) for owner in signers]
    return world.node.send(exec_tx(world, call, signers[0], signatures))
