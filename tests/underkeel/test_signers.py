"""The signer of a wallet of the config: every kind is made, every mistake is one clear error."""

import sys
from pathlib import Path

import pytest
from eth_account import Account

from chain.wallet import keystore
from chain.wallet.cast import CastSigner
from chain.wallet.local import Key
from chain.wallet.web3signer import Web3Signer
from underkeel.config.load import Config, load
from underkeel.errors import ConfigError, UsageError
from underkeel.signers import no_one, on_terminal, signer_for, wallet_of

RAW = b"\x07" * 32
ADDRESS = Account.from_key(RAW).address
OTHER = "0x52908400098527886E0F7030069857D2E4169EE7"
PASSWORD = "correct horse battery"
HEAD = 'version = 1\n[chains.a]\nchain_id = 1\nrpc = ["http://127.0.0.1:1"]\n[wallets.ops]\n'
ENVIRON = {"KEY": RAW.hex(), "URL": "http://127.0.0.1:9", "BAD": "ftp://x", "PW": PASSWORD}


def config(folder: Path, signer: str | None, address: str = ADDRESS) -> Config:
    line = "" if signer is None else f"signer = {{ {signer} }}\n"
    path = folder / "underkeel.toml"
    path.write_text(f'{HEAD}address = "{address}"\n{line}')
    return load(path, ENVIRON)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keystore.write(tmp_path / "keys" / "ops.json", Key(RAW, "a test"), PASSWORD, n=1 << 12)
    (tmp_path / "pw").write_text(PASSWORD)
    return tmp_path


@pytest.mark.parametrize("password", ["file:pw", "env:PW", None])
def test_keystore__password_from_anywhere__opens(folder: Path, password: str | None) -> None:
    given = f', password = "{password}"' if password else ""
    found = config(folder, f'kind = "keystore", path = "ops.json"{given}')
    asked: list[str] = []

    def ask(what: str) -> str:
        asked.append(what)
        return PASSWORD

    assert signer_for(found, "ops", 1, ask, ENVIRON).address == ADDRESS
    assert asked == ([] if password else ["ops.json"])


def test_others__are_made_without_touching_anything(folder: Path) -> None:
    web3signer = signer_for(
        config(folder, 'kind = "web3signer", url = "env:URL"'), "ops", 1, no_one, ENVIRON
    )
    assert isinstance(web3signer, Web3Signer)
    web3signer.close()
    program = f'program = "{sys.executable}"'
    for device in (
        'device = "ledger", path = "m/44"',
        'device = "aws"',
        'device = "keystore", path = "ops.json", password = "file:pw"',
    ):
        found = config(folder, f'kind = "cast", {device}, {program}')
        signer = signer_for(found, "ops", 1, no_one, ENVIRON)
        assert isinstance(signer, CastSigner)
        if "keystore" in device:
            arguments = signer._device.arguments()
            assert arguments[1] == str(folder / "keys" / "ops.json")
            assert arguments[3] == str(folder / "pw")


@pytest.mark.parametrize(
    ("signer", "said"),
    [
        (None, "has no signer"),
        ('kind = "keystore", path = "ops.json", password = "file:none"', "no readable file"),
        ('kind = "keystore", path = "none.json", password = "file:pw"', "wallet create"),
        ('kind = "keystore", path = "ops.json", password = "env:URL"', "does not open"),
        ('kind = "env", name = "KEY"', "not known as a test network"),
        ('kind = "env", name = "NONE", insist = true', "is not set"),
        ('kind = "web3signer", url = "env:BAD"', "is not a URL"),
        ('kind = "cast", device = "ledger", program = "/none"', "there is no program"),
        (
            'kind = "cast", device = "keystore", path = "ops.json", password = "file:none"',
            "no readable file",
        ),
    ],
    ids=range(9),
)
def test_signer__mistake__is_an_error_of_the_config(
    signer: str | None, said: str, folder: Path
) -> None:
    found = config(folder, signer)
    with pytest.raises(ConfigError, match=r"underkeel\.toml: wallets\.ops") as caught:
        signer_for(found, "ops", 1, no_one, ENVIRON)
    assert said in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert RAW.hex() not in str(caught.value)


def test_signer__of_another_account__is_refused(folder: Path) -> None:
    for signer in (
        'kind = "keystore", path = "ops.json", password = "file:pw"',
        'kind = "env", name = "KEY", insist = true',
    ):
        with pytest.raises(ConfigError, match=ADDRESS):
            signer_for(config(folder, signer, OTHER), "ops", 1, no_one, ENVIRON)


def test_wallet__unknown_or_nobody_to_ask__says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = config(folder, 'kind = "keystore", path = "ops.json"')
    with pytest.raises(UsageError, match="did you mean 'ops'"):
        signer_for(found, "opps", 1, no_one, ENVIRON)
    with pytest.raises(UsageError, match="there is no terminal"):
        signer_for(found, "ops", 1, no_one, ENVIRON)
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: PASSWORD)
    assert signer_for(found, "ops", 1, on_terminal, ENVIRON).address == ADDRESS
    assert wallet_of(found, ADDRESS) == "ops"
    assert wallet_of(found, OTHER) is None  # type: ignore[arg-type]
