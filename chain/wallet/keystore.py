"""Keystores of version 3: one encrypted key to a file, scrypt over AES-128-CTR.

Files are made whole or not at all, with mode 0600 in a folder of mode 0700, and never over an
existing one. A file that others can read, or whose key derivation would take more memory or time
than any honest wallet asks for, is refused before the password is tried.
"""

import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from chain.types import Address, InvalidAddress, parse_address
from chain.wallet.errors import KeyUnreadable, NotAKeystore, WrongPassword
from chain.wallet.local import Key, LocalSigner

MAX_BYTES: Final = 64 * 1024
SCRYPT_N: Final = 1 << 18
"""As geth's standard: 256 MB and about a second."""
MEMORY_MOST: Final = 1 << 30
"""Bytes that a keystore's scrypt may ask for."""
WORK_MOST: Final = 4 << 30
"""Bytes that all its lanes together may go through: some 20 seconds."""
ROUNDS_MOST: Final = 10_000_000
"""Rounds of PBKDF2 that a keystore may ask for; such files are read and not made."""
PASSWORD_LEAST: Final = 8


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of a folder of keystores."""

    name: str
    path: Path
    address: Address | None
    """As the file claims; None where it does not, or is at fault."""
    problem: str | None = None


def write(path: Path, key: Key, password: str, *, n: int | None = None) -> None:
    """Encrypt a key into a new file; raises `KeyUnreadable` where that cannot be."""
    from eth_keyfile.keyfile import create_keyfile_json  # curves of all kinds: slow to import

    if len(password) < PASSWORD_LEAST:
        raise KeyUnreadable(
            "the password", f"has fewer than {PASSWORD_LEAST} characters", "choose a longer one"
        )
    document = create_keyfile_json(
        key.reveal(), password.encode(), version=3, kdf="scrypt", iterations=n or SCRYPT_N
    )
    document["address"] = key.address[2:].lower()  # as other wallets write it
    save(path, orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def save(path: Path, data: bytes) -> None:
    """Write a new private file, whole or not at all; never over another."""
    folder = path.parent
    scratch = folder / f".{path.name}.{secrets.token_hex(8)}"
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(scratch, path)  # unlike a rename, fails where there is one already
        finally:
            scratch.unlink(missing_ok=True)
        _sync(folder)
    except FileExistsError:
        raise KeyUnreadable(str(path), "exists already", "choose another name") from None
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise KeyUnreadable(str(path), what, "make its folder writable for you alone") from None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unlock(path: Path, password: str, expected: Address | None = None) -> LocalSigner:
    """Return the signer of a keystore file.

    Raises `KeyUnreadable`, `NotAKeystore` or `WrongPassword`; with `expected`, also where the key
    inside is another account's.
    """
    key = decrypt(read(path), password, str(path))
    if expected is not None and key.address != expected:
        raise KeyUnreadable(
            str(path), f"holds the key of {key.address}", f"the config says {expected}: fix either"
        )
    return LocalSigner(key, f"keystore {path.name}")


def read(path: Path) -> dict[str, Any]:
    """Return what a keystore file holds; refuses one that others can read."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        what = f"cannot be read ({error.strerror or type(error).__name__})"
        todo = "check the path, or make one with `underkeel wallet create`"
        raise KeyUnreadable(str(path), what, todo) from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyUnreadable(str(path), "can be read by others", f"run: chmod 600 {path}")
    return parse(raw, str(path))


def parse(raw: bytes, where: str) -> dict[str, Any]:
    """Return a keystore's document, checked as far as one can without the password."""
    try:
        document = orjson.loads(raw) if len(raw) <= MAX_BYTES else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise NotAKeystore(where, "it is no JSON object of a sensible size")
    lowered = {str(name).lower(): value for name, value in document.items()}
    crypto = lowered.get("crypto")
    if lowered.get("version") != 3 or not isinstance(crypto, dict):
        raise NotAKeystore(where, "its version or its crypto part is another")
    if crypto.get("cipher") != "aes-128-ctr":
        raise NotAKeystore(where, "its cipher is not aes-128-ctr")
    if problem := _derivation(crypto.get("kdf"), crypto.get("kdfparams")):
        raise NotAKeystore(where, problem)
    return lowered


def _derivation(kind: Any, params: Any) -> str | None:
    """Say what is wrong with a key derivation: a hostile one could take all memory."""
    if not isinstance(params, Mapping) or params.get("dklen") != 32:
        return "its key derivation has no sound parameters"
    numbers = [params.get(name) for name in ("n", "r", "p", "c")]
    if any(type(number) is not int for number in numbers if number is not None):
        return "its key derivation has no sound parameters"
    n, r, p, c = (number or 0 for number in numbers)
    if kind == "scrypt":
        sound = n > 1 and n & (n - 1) == 0 and r > 0 and 0 < p <= 16
        if not sound or 128 * n * r > MEMORY_MOST or 128 * n * r * p > WORK_MOST:
            return "its scrypt asks for more than any honest wallet does"
    elif kind == "pbkdf2":
        if not 0 < c <= ROUNDS_MOST or params.get("prf") != "hmac-sha256":
            return "its PBKDF2 asks for more than any honest wallet does"
    else:
        return "its key derivation is neither scrypt nor PBKDF2"
    return None


def decrypt(document: dict[str, Any], password: str, where: str) -> Key:
    """Return the key in a checked document; raises `WrongPassword` or `NotAKeystore`."""
    from eth_keyfile.keyfile import decode_keyfile_json

    try:
        raw = decode_keyfile_json(document, password.encode())
    except ValueError as error:
        if str(error) == "MAC mismatch":
            raise WrongPassword(where) from None
        raise NotAKeystore(where, "a part of it is missing or no hex") from None
    except (KeyError, TypeError, AttributeError):
        raise NotAKeystore(where, "a part of it is missing or no hex") from None
    key = Key(bytes(raw), where)
    claimed = claimed_address(document)
    if claimed is not None and claimed != key.address:
        raise NotAKeystore(where, f"it says {claimed} and holds the key of {key.address}")
    return key


def claimed_address(document: Mapping[str, Any]) -> Address | None:
    """Return the address that a keystore says it is of; nothing proves it."""
    text = document.get("address")
    if not isinstance(text, str):
        return None
    try:
        return parse_address("0x" + text.removeprefix("0x").lower())
    except InvalidAddress:
        return None


def listed(folder: Path) -> list[Listed]:
    """Return the keystores of a folder by name; none where there is no folder."""
    if not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            address = claimed_address(read(path))
            found.append(Listed(path.stem, path, address))
        except (KeyUnreadable, NotAKeystore) as error:
            found.append(Listed(path.stem, path, None, str(error)))
    return found
