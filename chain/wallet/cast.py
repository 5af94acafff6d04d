"""Hardware wallets and key services through Foundry's `cast`, in a process of its own.

`cast` builds the bytes (`cast mktx`) and is told every field, so that it asks no node; what it
returns is read back and compared like any other signature. Of its arguments, which everybody on
the machine can see, none is a secret: a keystore's password is named by its file.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from chain.transactions import (
    Authorization,
    BadTransaction,
    Kind,
    Signature,
    SignedAuthorization,
    Transaction,
    unpacked,
)
from chain.types import Address
from chain.wallet.errors import CannotSign, SignedOtherwise, SignerRefused
from chain.wallet.signer import (
    TypedData,
    verified,
    verified_authorization,
    verified_signature,
)

ARGUMENT_MOST: Final = 120_000
"""Characters: Linux takes 128 KiB for one argument."""
TIMEOUT_S: Final = 120.0
"""A person may have to press a button."""
DEAD_END: Final = "http://127.0.0.1:9"
"""Where cast would look for a chain: every field is given, so it has nothing to ask."""
NEVER_PASSED: Final = ("ETH_", "FOUNDRY_", "DAPP_", "CAST_", "UNDERKEEL_")
"""Variables that would change what is signed, or that are ours."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where cast finds the key."""

    kind: str
    """One of `DEVICES`."""
    path: str | None = None
    """The keystore's file, or the derivation path of a hardware wallet."""
    password_file: str | None = None

    def arguments(self) -> list[str]:
        """Return cast's options for it."""
        return DEVICES[self.kind](self)


def _hardware(flag: str) -> Callable[[Device], list[str]]:
    return lambda device: [flag, *(["--mnemonic-derivation-path", device.path] if device.path
                                   else [])]  # fmt: skip


def _keystore(device: Device) -> list[str]:
    password = ["--password-file", device.password_file] if device.password_file else []
    return ["--keystore", device.path or "", *password]


DEVICES: Final[Mapping[str, Callable[[Device], list[str]]]] = {
    "ledger": _hardware("--ledger"),
    "trezor": _hardware("--trezor"),
    "aws": lambda _: ["--aws"],
    "gcp": lambda _: ["--gcp"],
    "keystore": _keystore,
}


class CastSigner:
    """Signs with what `cast` reaches."""

    def __init__(
        self,
        device: Device,
        address: Address,
        *,
        program: str = "cast",
        environ: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.address = address
        self.label = f"cast ({device.kind})"
        found = shutil.which(program)
        if found is None:
            raise SignerRefused(
                self.label, f"there is no program {program}", "install Foundry 1.7 or newer"
            )
        self._program = str(Path(found).resolve())
        self._device = device
        self._timeout_s = timeout_s
        inherited = os.environ if environ is None else environ
        self._environ = {k: v for k, v in inherited.items() if not k.startswith(NEVER_PASSED)}

    def __repr__(self) -> str:
        return f"CastSigner({self.label}, {self.address})"

    def sign(self, transaction: Transaction) -> bytes:
        """Return the raw bytes of the signed transaction."""
        if transaction.to is None:
            raise CannotSign(self.label, "the creation of a contract")
        if len(transaction.authorizations) > 1:
            raise CannotSign(self.label, "more than one authorization at once")
        data = "0x" + transaction.data.hex()
        if len(data) > ARGUMENT_MOST:
            raise CannotSign(self.label, f"{len(transaction.data)} bytes of data")
        out = self._run(["mktx", *_fields(transaction, data)])
        return verified(self.label, self.address, transaction, self._bytes(out))

    def authorize(self, authorization: Authorization) -> SignedAuthorization:
        """Return the signed authorization."""
        out = self._run(
            [
                *("wallet", "sign-auth", authorization.delegate),
                *("--nonce", str(authorization.nonce), "--chain", str(authorization.chain_id)),
            ]
        )
        try:
            signed = SignedAuthorization.from_rlp(self._bytes(out))
        except BadTransaction:
            raise SignedOtherwise(self.label, "the form of the authorization") from None
        return verified_authorization(self.label, self.address, authorization, signed)

    def sign_typed(self, data: TypedData) -> Signature:
        """Return the signature over typed data."""
        document = orjson.dumps(data.document).decode()
        if len(document) > ARGUMENT_MOST:
            raise CannotSign(self.label, f"{len(document)} characters of typed data")
        out = self._run(["wallet", "sign", "--data", document])
        try:
            signature = unpacked(self._bytes(out))
        except BadTransaction:
            raise SignedOtherwise(self.label, "the form of the signature") from None
        return verified_signature(self.label, self.address, data.digest, signature)

    def _run(self, arguments: Sequence[str]) -> str:
        command = [self._program, *arguments, *self._device.arguments()]
        environ = self._environ | {"ETH_RPC_URL": DEAD_END, "NO_COLOR": "1"}
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._timeout_s,
                env=environ,
                check=False,
            )
        except subprocess.TimeoutExpired:
            what = f"no answer within {self._timeout_s:g} s"
            raise SignerRefused(self.label, what, "unlock the device and confirm in time") from None
        except OSError as error:
            what = f"cannot be run ({error.strerror})"
            raise SignerRefused(self.label, what, "check the installation of Foundry") from None
        if done.returncode:
            raise SignerRefused(
                self.label, _said(done.stderr), "unlock the device, and check path and password"
            )
        return done.stdout

    def _bytes(self, out: str) -> bytes:
        try:
            return bytes.fromhex(out.strip().removeprefix("0x"))
        except ValueError:
            raise SignedOtherwise(self.label, "the form of the answer") from None


def _fields(transaction: Transaction, data: str) -> list[str]:
    fees = (
        ["--legacy", "--gas-price", str(transaction.max_fee)]
        if transaction.kind is Kind.LEGACY
        else [
            *("--gas-price", str(transaction.max_fee)),
            *("--priority-gas-price", str(transaction.max_tip)),
        ]
    )
    auth = [part for a in transaction.authorizations for part in ("--auth", "0x" + a.rlp().hex())]
    return [
        str(transaction.to),
        *([data] if transaction.data else []),
        *("--nonce", str(transaction.nonce), "--gas-limit", str(transaction.gas)),
        *("--value", str(transaction.value), "--chain", str(transaction.chain_id)),
        *fees,
        *auth,
    ]


def _said(text: str) -> str:
    """Return the last words of cast in one short line that commands no terminal."""
    lines = [line for line in text.splitlines() if line.strip()]
    line = lines[-1] if lines else "it ended without words"
    return "".join(c if c.isprintable() else " " for c in line).strip()[:200]
