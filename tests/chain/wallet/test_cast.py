"""The real `cast`, with a keystore in the device's place; and what comes back from a false one."""

import os
import stat
import sys
from pathlib import Path

import pytest
from eth_account import Account
from world.install import node_modules

from chain.transactions import Authorization, Kind, Transaction, decode
from chain.types import Address, checksum
from chain.wallet import keystore
from chain.wallet.cast import DEVICES, CastSigner, Device
from chain.wallet.errors import CannotSign, SignedOtherwise, SignerRefused, WalletError
from chain.wallet.local import Key, LocalSigner
from chain.wallet.safe import SafeTransaction

ROOT = Path(__file__).parents[3]
RAW = b"\x07" * 32
ADDRESS = Address(Account.from_key(RAW).address)
OTHER = checksum("0x" + "11" * 20)
PASSWORD = "correct horse battery"
FEE = Transaction(31337, 3, OTHER, 5, b"\x01\x02", 50_000, 30, 2)
PLAIN = Transaction(31337, 0, OTHER, 10**18, b"", 21_000, 30, 30)
LEGACY = Transaction(31337, 0, OTHER, 0, b"\xff", 21_100, 7, 7, (), Kind.LEGACY)
AUTHORIZED = LocalSigner(Key(b"\x08" * 32, "a test"), "a test").authorize(
    Authorization(31337, OTHER, 1)
)
DELEGATE = Transaction(31337, 4, OTHER, 0, b"", 90_000, 9, 1, (AUTHORIZED,), Kind.DELEGATE)


@pytest.fixture(scope="module")
def cast() -> str:
    """The program, of `$UNDERKEEL_CAST` or of the published package."""
    given = os.environ.get("UNDERKEEL_CAST")
    if given:
        return given
    packages = node_modules(ROOT / "contracts/world/signing")
    program = packages / "@foundry-rs/cast-linux-amd64/bin/cast"
    if not program.is_file():
        pytest.skip("no cast is published for this machine")
    return str(program)


@pytest.fixture
def device(tmp_path: Path) -> Device:
    path = tmp_path / "ops.json"
    keystore.write(path, Key(RAW, "a test"), PASSWORD, n=1 << 12)
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    return Device("keystore", str(path), str(secret))


def test_sign__every_kind__is_what_was_asked(cast: str, device: Device) -> None:
    environ = {**os.environ, "ETH_FROM": OTHER, "ETH_GAS_PRICE": "99", "ETH_KEYSTORE": "/none"}
    signer = CastSigner(device, ADDRESS, program=cast, environ=environ)
    for asked in (FEE, PLAIN, LEGACY, DELEGATE):
        got = decode(signer.sign(asked))
        assert (got.transaction, got.sender) == (asked, ADDRESS)
    for wanted in (Authorization(31337, OTHER, 7), Authorization(1, ADDRESS, 0)):
        assert signer.authorize(wanted).authority == ADDRESS
    safe = SafeTransaction(OTHER, 31337, ADDRESS, 1, b"\x01", 0, 9)
    assert signer.sign_typed(safe.typed).signer(safe.digest) == ADDRESS


def test_sign__wrong_password_or_key__says_so_without_it(
    cast: str, device: Device, tmp_path: Path
) -> None:
    stranger = CastSigner(device, OTHER, program=cast)
    with pytest.raises(SignedOtherwise, match="the sender"):
        stranger.sign(FEE)
    (tmp_path / "password").write_text("hunter2hunter2")
    with pytest.raises(SignerRefused, match="did not sign") as caught:
        CastSigner(device, ADDRESS, program=cast).sign(FEE)
    assert "hunter2" not in str(caught.value)


def false_cast(tmp_path: Path, code: str) -> str:
    path = tmp_path / "cast"
    path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        ("print('0x02c0')", SignedOtherwise, "form"),
        ("print('hello')", SignedOtherwise, "form"),
        ("sys.stderr.write('Device locked\\x1b[2J\\n'); sys.exit(1)", SignerRefused, "locked "),
        ("sys.exit(3)", SignerRefused, "without words"),
        ("time.sleep(60)", SignerRefused, "within 0.2 s"),
    ],
    ids=["form", "words", "error", "mute", "slow"],
)
def test_sign__false_program__is_refused(
    code: str, error: type[WalletError], said: str, tmp_path: Path
) -> None:
    program = false_cast(tmp_path, code)
    signer = CastSigner(
        Device("ledger"), ADDRESS, program=program, timeout_s=0.2 if "sleep" in code else 60
    )
    with pytest.raises(error, match=said) as caught:
        signer.sign(FEE)
    assert "\x1b" not in str(caught.value)
    with pytest.raises(error):
        signer.authorize(Authorization(1, OTHER, 0))
    with pytest.raises(error):
        signer.sign_typed(SafeTransaction(OTHER, 1, ADDRESS, 1, b"", 0, 9).typed)


def test_arguments__every_device__hold_no_secret_and_pass_no_variables_of_casts(
    tmp_path: Path,
) -> None:
    program = false_cast(
        tmp_path, "print(sys.argv[1:], sorted(os.environ), file=sys.stderr); sys.exit(1)"
    )
    environ = {"PATH": os.environ["PATH"], "AWS_KMS_KEY_ID": "x", "ETH_PASSWORD": "hunter2hunter2"}
    for kind in DEVICES:
        signer = CastSigner(
            Device(kind, "m/44'/60'/0'/0/0", "secret-file"), ADDRESS, program=program,
            environ=environ,
        )  # fmt: skip
        with pytest.raises(SignerRefused) as caught:
            signer.sign(PLAIN)
        assert "hunter2" not in str(caught.value)
    assert set(signer._environ) == {"PATH", "AWS_KMS_KEY_ID"}
    assert Device("ledger", "m/1").arguments() == ["--ledger", "--mnemonic-derivation-path", "m/1"]
    assert Device("trezor").arguments() == ["--trezor"]
    assert Device("aws").arguments() == ["--aws"]
    assert Device("gcp").arguments() == ["--gcp"]


def test_sign__what_cast_cannot__refused(tmp_path: Path) -> None:
    signer = CastSigner(Device("ledger"), ADDRESS, program=false_cast(tmp_path, ""))
    for asked in (
        Transaction(1, 0, None, 0, b"\x60", 90_000, 1, 1),
        Transaction(1, 0, OTHER, 0, b"\x01" * 60_000, 90_000, 1, 1),
        Transaction(1, 0, OTHER, 0, b"", 9, 1, 1, (AUTHORIZED, AUTHORIZED), Kind.DELEGATE),
    ):
        with pytest.raises(CannotSign, match="cannot sign"):
            signer.sign(asked)
    with pytest.raises(SignerRefused, match="no program"):
        CastSigner(Device("ledger"), ADDRESS, program=str(tmp_path / "none"))
