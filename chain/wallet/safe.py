"""Safe: build a proposal and sign it as one owner. Nothing here can execute one.

The digest is Safe's own `getTransactionHash` (EIP-712, contracts 1.3.0 and newer, whose domain has
the chain id); several calls become one delegate call of `MultiSendCallOnly`, which cannot delegate
further.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from chain.abi import Function
from chain.transactions import Signature
from chain.types import ZERO_ADDRESS, Address
from chain.wallet.signer import Signer, TypedData

CALL: Final = 0
DELEGATECALL: Final = 1
MULTI_SEND: Final = Function("multiSend(bytes)()")
NONCE: Final = Function("nonce()(uint256)")
OWNERS: Final = Function("getOwners()(address[])")
THRESHOLD: Final = Function("getThreshold()(uint256)")
VERSION: Final = Function("VERSION()(string)")
DOMAIN_TYPE: Final = "EIP712Domain(uint256 chainId,address verifyingContract)"
_FIELDS: Final = (
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
SAFE_TX_TYPE: Final = f"SafeTx({','.join(f'{kind} {name}' for name, kind in _FIELDS)})"


@dataclass(frozen=True, slots=True)
class SafeCall:
    """One call that a Safe shall make."""

    to: Address
    value: int
    data: bytes


@dataclass(frozen=True, slots=True)
class SafeTransaction:
    """What owners sign. No refund of gas is ever offered: it could be set to drain the Safe."""

    safe: Address
    chain_id: int
    to: Address
    value: int
    data: bytes
    operation: int
    nonce: int

    @property
    def typed(self) -> TypedData:
        """Return it as EIP-712 data, with its digest."""
        message: dict[str, Any] = {
            "to": self.to,
            "value": str(self.value),
            "data": "0x" + self.data.hex(),
            "operation": self.operation,
            "safeTxGas": "0",
            "baseGas": "0",
            "gasPrice": "0",
            "gasToken": ZERO_ADDRESS,
            "refundReceiver": ZERO_ADDRESS,
            "nonce": str(self.nonce),
        }
        domain = [("chainId", "uint256"), ("verifyingContract", "address")]
        document: Mapping[str, Any] = {
            "types": {
                "EIP712Domain": [{"name": name, "type": kind} for name, kind in domain],
                "SafeTx": [{"name": name, "type": kind} for name, kind in _FIELDS],
            },
            "primaryType": "SafeTx",
            "domain": {"chainId": self.chain_id, "verifyingContract": self.safe},
            "message": message,
        }
        return TypedData(document, self.digest)

    @property
    def digest(self) -> bytes:
        """Return the hash that owners sign: the contract's `getTransactionHash`."""
        domain = keccak(
            abi_encode(
                ["bytes32", "uint256", "address"],
                [keccak(text=DOMAIN_TYPE), self.chain_id, self.safe],
            )
        )
        kinds = ["bytes32" if kind == "bytes" else kind for _, kind in _FIELDS]
        values = (self.to, self.value, keccak(self.data), self.operation)
        rest = (0, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS, self.nonce)
        struct = keccak(
            abi_encode(["bytes32", *kinds], [keccak(text=SAFE_TX_TYPE), *values, *rest])
        )
        return keccak(b"\x19\x01" + domain + struct)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A signed proposal, for the owners' tool of choice."""

    transaction: SafeTransaction
    sender: Address
    signature: Signature

    def document(self) -> dict[str, Any]:
        """Return the body that Safe's transaction service takes; big numbers as text."""
        message = dict(self.transaction.typed.document["message"])
        return {
            "safe": self.transaction.safe,
            **message,
            "data": message["data"] if self.transaction.data else None,
            "contractTransactionHash": "0x" + self.transaction.digest.hex(),
            "sender": self.sender,
            "signature": "0x" + self.signature.packed().hex(),
            "origin": "underkeel",
        }


def together(calls: Sequence[SafeCall], multi_send: Address) -> tuple[Address, int, bytes, int]:
    """Return (to, value, data, operation) that make all the calls, or none of them, in order.

    One call is made plainly. `multi_send` must be MultiSendCallOnly.
    """
    if not calls:
        raise ValueError("a proposal needs at least one call")
    if len(calls) == 1:
        return calls[0].to, calls[0].value, calls[0].data, CALL
    packed = b"".join(
        bytes([CALL])
        + bytes.fromhex(call.to[2:])
        + call.value.to_bytes(32)
        + len(call.data).to_bytes(32)
        + call.data
        for call in calls
    )
    return multi_send, 0, MULTI_SEND.encode(packed), DELEGATECALL


def propose(transaction: SafeTransaction, owner: Signer) -> Proposal:
    """Return the transaction signed by one owner; raises `WalletError`."""
    return Proposal(transaction, owner.address, owner.sign_typed(transaction.typed))
