"""A key in this process, and the signer made of it."""

import secrets
from typing import Final, NoReturn

from eth_keys.datatypes import PrivateKey

from chain.transactions import (
    ORDER,
    Authorization,
    Signature,
    SignedAuthorization,
    Transaction,
    encode,
)
from chain.types import Address
from chain.wallet.errors import KeyUnreadable
from chain.wallet.process import harden
from chain.wallet.signer import (
    TypedData,
    verified,
    verified_authorization,
    verified_signature,
)

KEY_BYTES: Final = 32


class Key:
    """A private key that prints, compares, copies and pickles as nothing."""

    __slots__ = ("__raw",)

    def __init__(self, raw: bytes, where: str) -> None:
        harden()
        if len(raw) != KEY_BYTES or not 0 < int.from_bytes(raw) < ORDER:
            raise KeyUnreadable(where, "holds no key of this curve", "give 32 bytes as hex digits")
        self.__raw = raw

    @classmethod
    def fresh(cls) -> "Key":
        """Return a new random key."""
        return cls((1 + secrets.randbelow(ORDER - 1)).to_bytes(KEY_BYTES), "the generator")

    @classmethod
    def parse(cls, text: str, where: str) -> "Key":
        """Return the key in 64 hex digits, with or without 0x."""
        digits = text.strip().removeprefix("0x")
        try:
            raw = bytes.fromhex(digits) if len(digits) == 2 * KEY_BYTES else b""
        except ValueError:
            raw = b""
        return cls(raw, where)

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not written anywhere")

    def __copy__(self) -> NoReturn:
        self.__reduce__()

    def __deepcopy__(self, memo: object) -> NoReturn:
        self.__reduce__()

    @property
    def address(self) -> Address:
        """The account that the key is of."""
        return Address(PrivateKey(self.__raw).public_key.to_checksum_address())

    def sign(self, digest: bytes) -> Signature:
        """Return the deterministic signature (RFC 6979) over a digest."""
        if len(digest) != 32:
            raise ValueError("a digest has 32 bytes")
        found = PrivateKey(self.__raw).sign_msg_hash(digest)
        return Signature(found.v, found.r, found.s)

    def reveal(self) -> bytes:
        """Return the raw key, for the one place that encrypts it."""
        return self.__raw


class LocalSigner:
    """Signs with a key in this process."""

    def __init__(self, key: Key, label: str) -> None:
        self._key = key
        self.label = label
        self.address = key.address

    def __repr__(self) -> str:
        return f"LocalSigner({self.label}, {self.address})"

    def sign(self, transaction: Transaction) -> bytes:
        """Return the raw bytes of the signed transaction."""
        raw = encode(transaction, self._key.sign(transaction.digest()))
        return verified(self.label, self.address, transaction, raw)

    def authorize(self, authorization: Authorization) -> SignedAuthorization:
        """Return the signed authorization."""
        signed = SignedAuthorization(authorization, self._key.sign(authorization.digest()))
        return verified_authorization(self.label, self.address, authorization, signed)

    def sign_typed(self, data: TypedData) -> Signature:
        """Return the signature over typed data."""
        return verified_signature(
            self.label, self.address, data.digest, self._key.sign(data.digest)
        )
