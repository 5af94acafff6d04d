"""An external signer that speaks Web3Signer's interface: the key never comes here.

Legacy and fee-market transactions go by JSON-RPC (`eth_signTransaction`), so that the signer's own
rules see every field. What that method does not know (set-code transactions, authorizations, typed
data) goes by the eth1 REST interface (`POST /api/v1/eth1/sign/{public key}`), which hashes the
payload and signs it. Everything that comes back is read and compared before it is returned.
"""

import threading
import time
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import orjson
from eth_keys import datatypes
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from chain.errors import EndpointError
from chain.transactions import (
    Authorization,
    BadTransaction,
    Kind,
    Signature,
    SignedAuthorization,
    Transaction,
    encode,
    unpacked,
)
from chain.transport import HttpTransport, Response
from chain.types import Address
from chain.wallet.errors import SignedOtherwise, SignerRefused
from chain.wallet.signer import (
    TypedData,
    verified,
    verified_authorization,
    verified_signature,
)

MOST: Final = 1 << 20
"""Bytes of an answer."""
_SIGN: Final = "/api/v1/eth1/sign/"
_TODO: Final = "check that it runs, holds this account's key and allows this"


class Web3Signer:
    """Signs through one Web3Signer. `url` may hold a login; it is never shown."""

    def __init__(
        self,
        url: str,
        address: Address,
        *,
        public_key: str | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        self.address = address
        self._url = url
        self._timeout_s = timeout_s
        self._rpc = HttpTransport(url, max_answer=MOST)
        self.label = f"web3signer {self._rpc.label}"
        self._lock = threading.Lock()
        self._public_key = public_key
        if public_key is not None and account_of(public_key) != address:
            raise SignerRefused(
                self.label, "the public key is another account's", "correct public_key"
            )

    def __repr__(self) -> str:
        return f"Web3Signer({self.label}, {self.address})"

    def close(self) -> None:
        """Let the connections go."""
        self._rpc.close()

    def sign(self, transaction: Transaction) -> bytes:
        """Return the raw bytes of the signed transaction."""
        if transaction.kind is Kind.DELEGATE:
            signature = self._signed(transaction.payload())
            raw = encode(transaction, signature)
        else:
            answer = self._request("eth_signTransaction", [_fields(transaction, self.address)])
            raw = self._bytes(answer.get("raw") if isinstance(answer, dict) else answer)
        return verified(self.label, self.address, transaction, raw)

    def authorize(self, authorization: Authorization) -> SignedAuthorization:
        """Return the signed authorization."""
        signed = SignedAuthorization(authorization, self._signed(authorization.payload()))
        return verified_authorization(self.label, self.address, authorization, signed)

    def sign_typed(self, data: TypedData) -> Signature:
        """Return the signature over typed data."""
        answer = self._request("eth_signTypedData", [self.address, data.document])
        signature = self._signature(self._bytes(answer))
        return verified_signature(self.label, self.address, data.digest, signature)

    def _request(self, method: str, params: list[Any]) -> Any:
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        answer = self._json(self._posted(self._rpc, body).body)
        if not isinstance(answer, dict):
            raise SignerRefused(self.label, "its answer is no JSON-RPC", _TODO)
        if answer.get("error") is not None or "result" not in answer:
            error = answer.get("error")
            text = error.get("message") if isinstance(error, dict) else None
            raise SignerRefused(self.label, self._said(text), _TODO)
        return answer["result"]

    def _signed(self, payload: bytes) -> Signature:
        """Return the signature over the hash of a payload, by the REST interface."""
        place = HttpTransport(self._at(_SIGN + self._key()), max_answer=MOST)
        try:
            body = self._posted(place, orjson.dumps({"data": "0x" + payload.hex()})).body
        finally:
            place.close()
        text = body.decode("latin-1").strip().strip('"')
        if text.startswith("{"):
            found = self._json(body)
            text = found.get("signature", "") if isinstance(found, dict) else ""
        return self._signature(self._bytes(text))

    def _key(self) -> str:
        """Return the public key by which the REST interface knows our account."""
        with self._lock:
            if self._public_key is None:
                self._public_key = self._found_key()
            return self._public_key

    def _found_key(self) -> str:
        """Learn the public key from a signature over a payload that is no transaction."""
        answer = self._request("eth_sign", [self.address, "0x" + b"public key".hex()])
        signature = self._signature(self._bytes(answer))
        digest = keccak(b"\x19Ethereum Signed Message:\n10public key")
        verified_signature(self.label, self.address, digest, signature)
        found = datatypes.Signature(vrs=(signature.y_parity, signature.r, signature.s))
        return str(found.recover_public_key_from_msg_hash(digest).to_hex())

    def _at(self, path: str) -> str:
        parts = urlsplit(self._url)
        return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))

    def _posted(self, place: HttpTransport, body: bytes) -> Response:
        started = time.monotonic()
        try:
            response = place.post(body, self._timeout_s)
        except EndpointError as error:
            took = time.monotonic() - started
            what = f"no answer after {took:.0f} s ({type(error).__name__})"
            raise SignerRefused(self.label, what, _TODO) from None
        if not 200 <= response.status < 300:
            raise SignerRefused(self.label, f"HTTP {response.status}", _TODO)
        return response

    def _json(self, body: bytes) -> Any:
        try:
            return orjson.loads(body)
        except ValueError:
            raise SignerRefused(self.label, "its answer is no JSON", _TODO) from None

    def _said(self, text: object) -> str:
        short = text[:200] if isinstance(text, str) else "an error without words"
        return self._rpc.redact("".join(c if c.isprintable() else " " for c in short))

    def _bytes(self, value: object) -> bytes:
        try:
            return bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else b""
        except ValueError:
            return b""

    def _signature(self, raw: bytes) -> Signature:
        try:
            return unpacked(raw)
        except BadTransaction:
            raise SignedOtherwise(self.label, "the form of the signature") from None


def account_of(public_key: str) -> Address:
    """Return the account of an uncompressed public key in 128 hex digits."""
    try:
        raw = bytes.fromhex(public_key.removeprefix("0x"))
        return Address(datatypes.PublicKey(raw).to_checksum_address())
    except (ValueError, ValidationError):
        raise SignerRefused("web3signer", "public_key is none", "give 128 hex digits") from None


def _fields(transaction: Transaction, sender: Address) -> dict[str, str]:
    fees = (
        {"gasPrice": hex(transaction.max_fee)}
        if transaction.kind is Kind.LEGACY
        else {
            "maxFeePerGas": hex(transaction.max_fee),
            "maxPriorityFeePerGas": hex(transaction.max_tip),
        }
    )
    to = {} if transaction.to is None else {"to": transaction.to}
    return {
        "from": sender,
        **to,
        "gas": hex(transaction.gas),
        **fees,
        "value": hex(transaction.value),
        "data": "0x" + transaction.data.hex(),
        "nonce": hex(transaction.nonce),
        "chainId": hex(transaction.chain_id),
    }
