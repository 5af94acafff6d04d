"""Transactions as values, their bytes, and who signed them.

Three kinds are made and read: legacy with replay protection (EIP-155), fee market (EIP-1559), and
set code (EIP-7702). Access lists are always empty. `decode` is the inverse of `encode`: it takes
exactly the bytes that `encode` makes, so two raw texts never mean one transaction, and anything
else is `BadTransaction`. Signatures must have the lower of the two possible `s` (EIP-2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import rlp
from eth_keys import datatypes
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from chain.types import ZERO_ADDRESS, Address, checksum

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of the curve secp256k1."""
AUTHORIZATION_MAGIC: Final = b"\x05"
_U64: Final = 1 << 64
_U256: Final = 1 << 256


class BadTransaction(ValueError):
    """These fields or bytes are no transaction that we make; says which and why."""


class Kind(IntEnum):
    """The EIP-2718 type."""

    LEGACY = 0
    FEE = 2
    DELEGATE = 4


@dataclass(frozen=True, slots=True)
class Signature:
    """An ECDSA signature over secp256k1."""

    y_parity: int
    r: int
    s: int

    def __post_init__(self) -> None:
        _check(self.y_parity in (0, 1), "y_parity", "is neither 0 nor 1")
        _check(0 < self.r < ORDER, "r", "is outside the curve's order")
        _check(0 < self.s <= ORDER // 2, "s", "is outside the lower half of the order")

    def signer(self, digest: bytes) -> Address:
        """Return the account whose key signed this digest of 32 bytes."""
        try:
            found = datatypes.Signature(vrs=(self.y_parity, self.r, self.s))
            return Address(found.recover_public_key_from_msg_hash(digest).to_checksum_address())
        except (BadSignature, ValidationError, ValueError):
            raise BadTransaction("the signature belongs to no key") from None

    def packed(self) -> bytes:
        """Return r, s and v = 27 or 28: 65 bytes, as contracts take it."""
        return self.r.to_bytes(32) + self.s.to_bytes(32) + bytes([27 + self.y_parity])


def unpacked(raw: bytes) -> Signature:
    """Return the signature in 65 bytes r, s, v, with v 0, 1, 27 or 28."""
    _check(len(raw) == 65, "signature", f"has {len(raw)} bytes instead of 65")
    v = raw[64] - 27 if raw[64] >= 27 else raw[64]
    return Signature(v, int.from_bytes(raw[:32]), int.from_bytes(raw[32:64]))


@dataclass(frozen=True, slots=True)
class Authorization:
    """That an account may run the code of `delegate` (EIP-7702); not signed yet.

    `chain_id` 0 would be good on every chain, and `delegate` zero ends a delegation.
    """

    chain_id: int
    delegate: Address
    nonce: int
    """Of the authority; if it is the sender too, one above the transaction's."""

    def __post_init__(self) -> None:
        _check(0 <= self.chain_id < _U256, "chain_id", "is no chain id")
        _check(0 <= self.nonce < _U64 - 1, "nonce", "is out of range")

    def fields(self) -> list[bytes]:
        """Return what is signed, as RLP items."""
        return [_number(self.chain_id), _address(self.delegate), _number(self.nonce)]

    def payload(self) -> bytes:
        """Return the bytes whose hash is signed."""
        return AUTHORIZATION_MAGIC + _encoded(self.fields())

    def digest(self) -> bytes:
        """Return the hash that is signed."""
        return keccak(self.payload())


@dataclass(frozen=True, slots=True)
class SignedAuthorization:
    """An authorization with its signature."""

    authorization: Authorization
    signature: Signature

    @property
    def authority(self) -> Address:
        """The account that is delegated."""
        return self.signature.signer(self.authorization.digest())

    def fields(self) -> list[bytes]:
        """Return the tuple as RLP items."""
        return [*self.authorization.fields(), *_signature(self.signature)]

    def rlp(self) -> bytes:
        """Return its RLP form."""
        return _encoded(self.fields())

    @classmethod
    def from_rlp(cls, raw: bytes) -> "SignedAuthorization":
        """Return what `rlp` wrote; raises `BadTransaction` for anything else."""
        try:
            found = _read_authorization(rlp.decode(raw, strict=True))
        except (RLPException, IndexError, TypeError, OverflowError) as error:
            raise BadTransaction(
                f"the bytes are no authorization: {type(error).__name__}"
            ) from None
        if found.rlp() != raw:
            raise BadTransaction("the bytes are an authorization in another form than we write")
        return found


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction without its signature. All amounts are wei.

    `max_fee` and `max_tip` are per gas; a legacy transaction has one gas price, and both are it.
    `to` None creates a contract. Raises `BadTransaction` for what no chain would take.
    """

    chain_id: int
    nonce: int
    to: Address | None
    value: int
    data: bytes
    gas: int
    max_fee: int
    max_tip: int
    authorizations: tuple[SignedAuthorization, ...] = ()
    kind: Kind = Kind.FEE

    def __post_init__(self) -> None:
        _check(0 < self.chain_id < _U64, "chain_id", "is no chain id")
        _check(0 <= self.nonce < _U64 - 1, "nonce", "is out of range")
        _check(0 <= self.value < _U256, "value", "is out of range")
        _check(0 < self.gas < _U64, "gas", "is out of range")
        _check(0 <= self.max_tip <= self.max_fee < _U256, "max_tip", "is not within max_fee")
        if self.kind is Kind.LEGACY:
            _check(self.max_tip == self.max_fee, "max_tip", "is not the gas price")
        if self.kind is Kind.DELEGATE:
            _check(self.to is not None, "to", "is missing: set code cannot create a contract")
            _check(bool(self.authorizations), "authorizations", "are missing")
        else:
            _check(not self.authorizations, "authorizations", "need the set-code kind")

    @property
    def most_wei(self) -> int:
        """The most it can cost its sender: value, and gas at the cap (not an L1 data fee)."""
        return self.value + self.gas * self.max_fee

    def payload(self) -> bytes:
        """Return the bytes whose hash is signed."""
        if self.kind is Kind.LEGACY:
            return _encoded([*self._legacy(), _number(self.chain_id), b"", b""])
        return bytes([self.kind]) + _encoded(self._typed())

    def digest(self) -> bytes:
        """Return the hash that is signed."""
        return keccak(self.payload())

    def _legacy(self) -> list[bytes]:
        return [
            *(_number(n) for n in (self.nonce, self.max_fee, self.gas)),
            *(_to(self.to), _number(self.value), self.data),
        ]

    def _typed(self) -> list[Any]:
        head = (self.chain_id, self.nonce, self.max_tip, self.max_fee, self.gas)
        fields: list[Any] = [
            *(_number(n) for n in head),
            *(_to(self.to), _number(self.value), self.data, []),
        ]
        if self.kind is Kind.DELEGATE:
            fields.append([signed.fields() for signed in self.authorizations])
        return fields


@dataclass(frozen=True, slots=True)
class Signed:
    """What raw bytes say."""

    transaction: Transaction
    sender: Address
    hash: str
    """0x and 64 lower-case hex digits."""
    raw: bytes


def encode(transaction: Transaction, signature: Signature) -> bytes:
    """Return the bytes that a node takes."""
    if transaction.kind is Kind.LEGACY:
        v = 35 + 2 * transaction.chain_id + signature.y_parity
        parts = [_number(v), *_signature(signature)[1:]]
        return _encoded([*transaction._legacy(), *parts])
    return bytes([transaction.kind]) + _encoded([*transaction._typed(), *_signature(signature)])


def tx_hash(raw: bytes) -> str:
    """Return the hash by which a node knows these bytes."""
    return "0x" + keccak(raw).hex()


def decode(raw: bytes) -> Signed:
    """Return what raw bytes say, and who signed them; raises `BadTransaction`."""
    try:
        transaction, signature = _read(raw)
    except (RLPException, IndexError, TypeError, OverflowError) as error:
        raise BadTransaction(f"the bytes are no transaction: {type(error).__name__}") from None
    if encode(transaction, signature) != raw:
        raise BadTransaction("the bytes are a transaction in another form than we write")
    sender = signature.signer(transaction.digest())
    return Signed(transaction, sender, tx_hash(raw), raw)


def _read(raw: bytes) -> tuple[Transaction, Signature]:
    first = raw[0]
    if first >= 0xC0:
        return _read_legacy(rlp.decode(raw, strict=True))
    if first not in (Kind.FEE, Kind.DELEGATE):
        raise BadTransaction(f"transactions of type {first} are not made here")
    items = rlp.decode(raw[1:], strict=True)
    kind = Kind(first)
    _check(len(items) == (12 if kind is Kind.FEE else 13), "bytes", "have another number of fields")
    _check(items[8] == [], "access list", "is not empty")
    chain_id, nonce, tip, fee, gas = map(_whole, items[:5])
    signed = tuple(map(_read_authorization, items[9])) if kind is Kind.DELEGATE else ()
    transaction = Transaction(
        *(chain_id, nonce, _from_to(items[5]), _whole(items[6]), _bytes(items[7])),
        *(gas, fee, tip, signed, kind),
    )
    parity, r, s = map(_whole, items[-3:])
    return transaction, Signature(parity, r, s)


def _read_legacy(items: Sequence[Any]) -> tuple[Transaction, Signature]:
    _check(len(items) == 9, "bytes", "have another number of fields")
    nonce, price, gas = map(_whole, items[:3])
    v, r, s = map(_whole, items[6:])
    _check(v >= 37, "v", "has no replay protection")
    transaction = Transaction(
        *((v - 35) // 2, nonce, _from_to(items[3]), _whole(items[4]), _bytes(items[5])),
        *(gas, price, price, (), Kind.LEGACY),
    )
    return transaction, Signature((v - 35) % 2, r, s)


def _read_authorization(items: Any) -> SignedAuthorization:
    _check(isinstance(items, list) and len(items) == 6, "authorization", "has not six fields")
    delegate = _bytes(items[1])
    _check(len(delegate) == 20, "delegate", "is no address")
    authorization = Authorization(
        _whole(items[0]), checksum("0x" + delegate.hex()), _whole(items[2])
    )
    parity, r, s = map(_whole, items[3:])
    return SignedAuthorization(authorization, Signature(parity, r, s))


def _check(sound: bool, field: str, what: str) -> None:
    if not sound:
        raise BadTransaction(f"{field} {what}")


def _encoded(items: Any) -> bytes:
    return bytes(rlp.encode(items))


def _signature(signature: Signature) -> list[bytes]:
    return [_number(signature.y_parity), _number(signature.r), _number(signature.s)]


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8)


def _whole(item: Any) -> int:
    return int.from_bytes(_bytes(item))


def _bytes(item: Any) -> bytes:
    if not isinstance(item, bytes):
        raise TypeError("a list where bytes belong")
    return item


def _address(address: Address) -> bytes:
    raw = bytes.fromhex(address[2:])
    _check(len(raw) == 20, "address", "is no address")
    return raw


def _to(address: Address | None) -> bytes:
    return b"" if address is None else _address(address)


def _from_to(item: Any) -> Address | None:
    raw = _bytes(item)
    _check(len(raw) in (0, 20), "to", "is no address")
    return checksum("0x" + raw.hex()) if raw else None


def no_op(transaction: Transaction, wallet: Address) -> bool:
    """Whether it does nothing but use up its nonce: to oneself, no value, no data."""
    return (
        transaction.to == wallet != ZERO_ADDRESS
        and not (transaction.value or transaction.data or transaction.authorizations)
    )  # fmt: skip
