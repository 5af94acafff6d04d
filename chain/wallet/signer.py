"""What every signer can do, and the check that each signature goes through.

A signer is asked for the signature of a value and returns bytes; `verified_*` reads those bytes
back and compares every field and the signer before anybody else sees them. That holds for keys in
this process as well: a flipped bit in a signature over the right fields is another transaction's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from chain.transactions import (
    Authorization,
    BadTransaction,
    Signature,
    SignedAuthorization,
    Transaction,
    decode,
)
from chain.types import Address
from chain.wallet.errors import SignedOtherwise


@dataclass(frozen=True, slots=True)
class TypedData:
    """EIP-712 data: in full, for signers that show it, and its digest, for those that do not."""

    document: Mapping[str, Any]
    """types, primaryType, domain, message, as wallets take it."""
    digest: bytes


class Signer(Protocol):
    """Signs for one account."""

    @property
    def address(self) -> Address:
        """The account."""
        ...

    @property
    def label(self) -> str:
        """How messages name it; never a secret."""
        ...

    def sign(self, transaction: Transaction) -> bytes:
        """Return the raw bytes of the signed transaction; raises `WalletError`."""
        ...

    def authorize(self, authorization: Authorization) -> SignedAuthorization:
        """Return the signed authorization; raises `WalletError`."""
        ...

    def sign_typed(self, data: TypedData) -> Signature:
        """Return the signature over typed data; raises `WalletError`."""
        ...


def verified(label: str, address: Address, asked: Transaction, raw: bytes) -> bytes:
    """Return `raw` if it is `asked`, signed by `address`; else raise `SignedOtherwise`."""
    try:
        got = decode(raw)
    except BadTransaction:
        raise SignedOtherwise(label, "the form of the transaction") from None
    for field in fields(Transaction):
        if getattr(got.transaction, field.name) != getattr(asked, field.name):
            raise SignedOtherwise(label, field.name)
    if got.sender != address:
        raise SignedOtherwise(label, f"the sender ({got.sender} instead of {address})")
    return raw


def verified_authorization(
    label: str, address: Address, asked: Authorization, got: SignedAuthorization
) -> SignedAuthorization:
    """Return `got` if it is `asked`, signed by `address`; else raise `SignedOtherwise`."""
    if got.authorization != asked:
        raise SignedOtherwise(label, "the authorization")
    _signed_by(label, address, got.signature, asked.digest())
    return got


def verified_signature(
    label: str, address: Address, digest: bytes, signature: Signature
) -> Signature:
    """Return the signature if `address` signed `digest`; else raise `SignedOtherwise`."""
    _signed_by(label, address, signature, digest)
    return signature


def _signed_by(label: str, address: Address, signature: Signature, digest: bytes) -> None:
    try:
        signer = signature.signer(digest)
    except BadTransaction:
        raise SignedOtherwise(label, "the signature") from None
    if signer != address:
        raise SignedOtherwise(label, f"the signer ({signer} instead of {address})")
