"""Keystores: private files, whole or not at all; keys that show nowhere."""

import copy
import json
import pickle
import stat
import traceback
from pathlib import Path

import pytest
from eth_account import Account

from chain.transactions import Authorization, Transaction, decode
from chain.types import checksum
from chain.wallet import keystore
from chain.wallet.env import EnvSigner
from chain.wallet.errors import (
    KeyUnreadable,
    NotAKeystore,
    NotOnThisChain,
    SignedOtherwise,
    WalletError,
    WrongPassword,
)
from chain.wallet.local import Key, LocalSigner
from chain.wallet.signer import verified_authorization, verified_signature

RAW = bytes(range(1, 33))
PASSWORD = "correct horse battery"
FAST = 1 << 12
TX = Transaction(31337, 0, checksum("0x" + "11" * 20), 1, b"", 21_000, 2, 1)


@pytest.fixture
def key() -> Key:
    return Key(RAW, "a test")


def test_write__then_unlock__signs_as_the_key(tmp_path: Path, key: Key) -> None:
    path = tmp_path / "keys" / "ops.json"
    keystore.write(path, key, PASSWORD, n=FAST)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["ops.json"]
    signer = keystore.unlock(path, PASSWORD, key.address)
    assert decode(signer.sign(TX)).sender == Account.from_key(RAW).address == signer.address
    assert Account.decrypt(path.read_text(), PASSWORD) == RAW
    assert keystore.listed(path.parent) == [keystore.Listed("ops", path, key.address)]


def test_unlock__made_by_eth_account__opens(tmp_path: Path, key: Key) -> None:
    for kdf, iterations in (("scrypt", FAST), ("pbkdf2", 1000)):
        path = tmp_path / f"{kdf}.json"
        theirs = Account.encrypt(RAW, PASSWORD, kdf=kdf, iterations=iterations)  # type: ignore[arg-type]
        keystore.save(path, json.dumps(theirs).encode())
        assert keystore.unlock(path, PASSWORD).address == key.address


def test_write__existing_file__is_kept(tmp_path: Path, key: Key) -> None:
    path = tmp_path / "ops.json"
    path.write_text("mine")
    with pytest.raises(KeyUnreadable, match="exists already"):
        keystore.write(path, key, PASSWORD, n=FAST)
    assert path.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["ops.json"]


def test_write__no_place_or_short_password__refused(tmp_path: Path, key: Key) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyUnreadable, match="cannot be written"):
        keystore.write(tmp_path / "file" / "ops.json", key, PASSWORD, n=FAST)
    with pytest.raises(KeyUnreadable, match="fewer than 8"):
        keystore.write(tmp_path / "ops.json", key, "short", n=FAST)


def test_unlock__wrong_password_or_account_or_open_file__clear_error(
    tmp_path: Path, key: Key
) -> None:
    path = tmp_path / "ops.json"
    keystore.write(path, key, PASSWORD, n=FAST)
    wrong = "pass" + "phrase" * 2
    with pytest.raises(WrongPassword, match=r"does not open .*ops\.json") as caught:
        keystore.unlock(path, wrong)
    assert wrong not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(KeyUnreadable, match="holds the key of"):
        keystore.unlock(path, PASSWORD, checksum("0x" + "11" * 20))
    path.chmod(0o640)
    with pytest.raises(KeyUnreadable, match="chmod 600"):
        keystore.unlock(path, PASSWORD)
    with pytest.raises(KeyUnreadable, match="cannot be read"):
        keystore.unlock(tmp_path / "none.json", PASSWORD)


def sound(**change: object) -> dict[str, object]:
    params = {"dklen": 32, "n": FAST, "r": 8, "p": 1, "salt": "00" * 16}
    crypto = {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "00" * 16},
        "ciphertext": "00" * 32,
        "kdf": "scrypt",
        "kdfparams": params,
        "mac": "00" * 32,
    }
    return {"version": 3, "crypto": {**crypto, **change}}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"version": 4, "crypto": {}},
        {"version": 3},
        sound(cipher="aes-256-gcm"),
        sound(kdf="argon2"),
        sound(kdfparams=None),
        sound(kdfparams={"dklen": 32, "n": 2**40, "r": 8, "p": 1}),
        sound(kdfparams={"dklen": 32, "n": 1000, "r": 8, "p": 1}),
        sound(kdfparams={"dklen": 32, "n": 1 << 12, "r": 8, "p": 10**9}),
        sound(kdfparams={"dklen": 32, "n": 1 << 20, "r": 8, "p": 16}),
        sound(kdfparams={"dklen": 32, "n": "4096", "r": 8, "p": 1}),
        sound(kdf="pbkdf2", kdfparams={"dklen": 32, "c": 10**12, "prf": "hmac-sha256"}),
        sound(kdfparams={"dklen": 32, "n": FAST, "r": 8, "p": 1}),
        sound(mac="zz"),
    ],
    ids=range(14),
)
def test_unlock__hostile_or_damaged_file__refused_fast(document: object, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    keystore.save(path, json.dumps(document).encode())
    with pytest.raises(NotAKeystore, match="wallet create"):
        keystore.unlock(path, PASSWORD)
    (listed,) = keystore.listed(tmp_path)
    assert listed.address is None


def test_unlock__not_json_or_huge__refused(tmp_path: Path) -> None:
    for name, raw in (("a", b"{"), ("b", b" " * (keystore.MAX_BYTES + 1))):
        keystore.save(tmp_path / f"{name}.json", raw)
        with pytest.raises(NotAKeystore):
            keystore.unlock(tmp_path / f"{name}.json", PASSWORD)


def test_unlock__claims_another_address__refused(tmp_path: Path, key: Key) -> None:
    path = tmp_path / "ops.json"
    keystore.write(path, key, PASSWORD, n=FAST)
    document = json.loads(path.read_text()) | {"address": "11" * 20}
    keystore.save(tmp_path / "lies.json", json.dumps(document).encode())
    with pytest.raises(NotAKeystore, match="holds the key of"):
        keystore.unlock(tmp_path / "lies.json", PASSWORD)


@pytest.mark.parametrize("text", ["", "0x12", "zz" * 32, "00" * 32, "ff" * 32, "11" * 33])
def test_key__no_key__refused_without_repeating_it(text: str) -> None:
    with pytest.raises(KeyUnreadable) as caught:
        Key.parse(text, "the input")
    shown = "".join(traceback.format_exception(caught.value))
    assert not text or text not in shown.replace('Key.parse(text, "the input")', "")


def test_key__printed_copied_pickled__shows_nothing(key: Key) -> None:
    secret = RAW.hex()
    signer = LocalSigner(key, "a test")
    for shown in (repr(key), str(key), repr(signer), str(vars(signer)), f"{key!r}"):
        assert secret not in shown
    for write in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            write(key)
    for write in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            write(signer)
    with pytest.raises(ValueError, match="32 bytes"):
        key.sign(b"short")


def test_fresh__two_keys__differ() -> None:
    assert Key.fresh().address != Key.fresh().address


def test_env__test_network_or_insisted__signs_elsewhere_refused() -> None:
    environ = {"K": "0x" + RAW.hex(), "BAD": "0x12"}
    signer = EnvSigner("K", environ, 31337)
    assert decode(signer.sign(TX)).sender == signer.address
    for chain_id in (1, 8453, 4242):
        with pytest.raises(NotOnThisChain, match="insist = true"):
            EnvSigner("K", environ, chain_id)
    assert EnvSigner("K", environ, 1, insist=True).address == signer.address
    mainnet = Transaction(1, 0, TX.to, 1, b"", 21_000, 2, 1)
    with pytest.raises(NotOnThisChain):
        signer.sign(mainnet)
    for name in ("NONE", "BAD"):
        with pytest.raises(WalletError) as caught:
            EnvSigner(name, environ, 31337)
        assert "0x12" not in str(caught.value)
    assert RAW.hex() not in repr(signer)


def test_verified__anything_else_than_asked__is_refused(key: Key) -> None:
    signer = LocalSigner(key, "a test")
    asked = Authorization(1, TX.to or signer.address, 5)
    signed = signer.authorize(asked)
    assert verified_authorization("x", signer.address, asked, signed) == signed
    other = Authorization(1, asked.delegate, 6)
    with pytest.raises(SignedOtherwise, match="the authorization"):
        verified_authorization("x", signer.address, other, signed)
    with pytest.raises(SignedOtherwise, match="the signer"):
        verified_authorization("x", asked.delegate, asked, signed)
    with pytest.raises(SignedOtherwise, match="sign"):
        verified_signature("x", signer.address, b"\x01" * 32, signed.signature)
