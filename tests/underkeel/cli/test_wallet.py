"""`wallet`, `pause` and `resume`: keys never in arguments, files never overwritten or deleted."""

import io
import json
import stat
import sys
from pathlib import Path

import pytest
from eth_account import Account
from typer.testing import CliRunner, Result

from chain.wallet import keystore
from chain.wallet.local import Key
from underkeel.cli.main import app
from underkeel.config.load import load
from underkeel.documents.registry import DOCUMENTS
from underkeel.errors import UsageError

KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
ADDRESS = Account.from_key(KEY).address
OTHER = "0x52908400098527886E0F7030069857D2E4169EE7"
PASSWORD = "correct horse battery"
HEAD = 'version = 1\n[chains.a]\nchain_id = 1\nrpc = ["http://127.0.0.1:1"]\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNDERKEEL_CONFIG", raising=False)
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(keystore, "SCRYPT_N", 1 << 12)
    (tmp_path / "underkeel.toml").write_text(HEAD)
    (tmp_path / "pw").write_text(PASSWORD + "\n")
    return tmp_path


def run(*args: str, text: str | None = None) -> Result:
    result = CliRunner().invoke(app, list(args), input=text)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    for secret in (KEY, PASSWORD):
        assert secret not in result.output + result.stderr
    return result


def document(result: Result) -> dict[str, object]:
    found: dict[str, object] = json.loads(result.stdout)
    DOCUMENTS[str(found["schema"])].model_validate_json(result.stdout)
    return found


def test_create__password_file__writes_a_private_keystore_and_the_config(folder: Path) -> None:
    made = document(run("wallet", "create", "ops", "--password-file", "pw", "--json"))
    path = folder / "keys" / "ops.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keystore.unlock(path, PASSWORD).address == made["address"]
    table = load(None, {}).settings.wallets["ops"]
    assert (table.address, table.own) == (made["address"], True)
    again = run("wallet", "create", "ops", "--password-file", "pw")
    assert again.exit_code == 4
    assert "exists already" in again.stderr
    assert "exists already" in run("wallet", "create", "ops").stderr  # before anything is asked


def test_import__pipe_and_keystore__are_the_same_account(folder: Path) -> None:
    made = run("wallet", "import", "ops", "--stdin", "--password-file", "pw", text=KEY + "\n")
    assert made.exit_code == 0
    assert ADDRESS in made.stdout
    other = folder / "other.json"
    other.write_bytes((folder / "keys" / "ops.json").read_bytes())
    run("wallet", "remove", "ops", "--yes")
    copied = run("wallet", "import", "copy", "--keystore", "other.json", "--password-file", "pw")
    assert copied.exit_code == 0
    assert load(None, {}).settings.wallets["copy"].address == ADDRESS
    assert (folder / "keys" / "copy.json").read_bytes() == other.read_bytes()
    assert len(list((folder / "keys" / "removed").iterdir())) == 1


def test_import__address_of_the_config_is_another__says_so(folder: Path) -> None:
    run("wallet", "watch", OTHER, "--name", "ops")
    made = run("wallet", "import", "ops", "--stdin", "--password-file", "pw", text="0x" + KEY)
    assert made.exit_code == 0
    assert "correct address and signer" in made.stdout


@pytest.mark.parametrize(
    ("args", "text", "code", "said"),
    [
        (["import", "ops", "--stdin", "--password-file", "pw"], "0x1234", 4, "holds no key"),
        (["import", "ops", "--stdin", "--password-file", "pw"], "", 4, "holds no key"),
        (["import", "ops", "--password-file", "pw"], None, 2, "--stdin"),
        (["import", "ops", "--keystore", "none", "--password-file", "pw"], None, 4, "no keystore"),
        (["create", "ops"], None, 2, "--password-file is missing"),
        (["create", "ops", "--password-file", "none"], None, 2, "cannot be read"),
        (["create", "ops", "--password-file", "short"], None, 4, "fewer than 8"),
        (["create", "ops", "--password-file", "empty"], None, 2, "is empty"),
        (["create", "../x", "--password-file", "pw"], None, 2, "cannot be a wallet's name"),
        (["create", KEY, "--password-file", "pw"], None, 2, "treat it as exposed"),
        (["watch", "0x" + KEY], None, 2, "treat it as exposed"),
        (["watch", "0x1234"], None, 2, "is not an address"),
        (["remove", "nobody"], None, 2, "is no wallet of the config"),
    ],
    ids=range(13),
)
def test_wallet__mistake__is_refused_with_what_to_do(
    args: list[str], text: str | None, code: int, said: str, folder: Path
) -> None:
    (folder / "short").write_text("1234567")
    (folder / "empty").write_text("\n")
    before = (folder / "underkeel.toml").read_text()
    result = run("wallet", *args, text=text)
    assert result.exit_code == code, result.stderr
    assert said in result.stderr
    assert (folder / "underkeel.toml").read_text() == before
    assert not (folder / "keys").exists() or not list((folder / "keys").iterdir())


def test_list__shows_what_signs_and_what_is_wrong(folder: Path) -> None:
    run("wallet", "create", "ops", "--password-file", "pw")
    run("wallet", "watch", OTHER)
    keystore.write(folder / "keys" / "stray.json", Key.fresh(), PASSWORD)
    (folder / "keys" / "ops.json").chmod(0o644)
    text = (folder / "underkeel.toml").read_text()
    text += f'[wallets.gone]\naddress = "0x{"11" * 20}"\n'
    text += 'signer = { kind = "keystore", path = "gone.json" }\n'
    text += f'[wallets.ledger]\naddress = "0x{"12" * 20}"\n'
    text += 'signer = { kind = "cast", device = "ledger" }\n'
    (folder / "underkeel.toml").write_text(text)
    rows = document(run("wallet", "list", "--json"))["wallets"]
    assert isinstance(rows, list)
    found = {row["name"] or row["keystore"]: row for row in rows}
    assert "chmod 600" in found["ops"]["problem"]
    assert "there is no" in found["gone"]["problem"]
    assert found["wallet1"]["signer"] is None
    assert found["ledger"]["signer"] == "cast ledger"
    assert "no wallet of the config names it" in found["stray.json"]["problem"]
    shown = run("wallet", "list").stdout
    assert "chmod 600" in shown.replace("\n", " ")
    taken = run("wallet", "watch", OTHER)
    assert (taken.exit_code, "is in the config already" in taken.stderr) == (2, True)


def test_remove__asks__and_leaves_all_without_an_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("wallet", "create", "ops", "--password-file", "pw")
    before = (folder / "underkeel.toml").read_text()
    result = run("wallet", "remove", "ops")
    assert (result.exit_code, "--yes" in result.stderr) == (2, True)
    assert (folder / "underkeel.toml").read_text() == before
    assert run("wallet", "remove", "ops", "--yes").exit_code == 0
    assert "ops" not in (folder / "underkeel.toml").read_text()
    (kept,) = (folder / "keys" / "removed").iterdir()
    assert keystore.unlock(kept, PASSWORD)


class Terminal(io.StringIO):
    """Somebody sits there."""

    def isatty(self) -> bool:
        return True


def test_create__on_a_terminal__asks_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from underkeel.cli import wallet
    from underkeel.cli.options import Globals

    answers = iter([PASSWORD, "another one", PASSWORD, PASSWORD, KEY, PASSWORD, PASSWORD])
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: next(answers))
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(UsageError, match="differ"):
        wallet.create_wallet(Globals(), "ops", None)
    assert not (folder / "keys").exists()
    assert wallet.create_wallet(Globals(), "ops", None) == 0
    args = {"file": None, "stdin": False, "password_file": None}
    assert wallet.import_wallet(Globals(), "mine", **args) == 0  # type: ignore[arg-type]
    assert load(None, {}).settings.wallets["mine"].address == ADDRESS


def test_pause__and_resume__make_and_remove_the_file(folder: Path) -> None:
    assert document(run("pause", "--reason", "x", "--json"))["paused"] is True
    assert (folder / "state" / "pause").exists()
    assert "resumed" in run("resume").stdout
    assert "nothing was paused" in run("resume").stdout
    (folder / "state").rmdir()
    (folder / "state").write_text("")
    for command in ("pause", "resume"):
        result = run(command)
        assert result.exit_code == 1
        assert "cannot" in result.stderr


def test_tx__no_journal__is_empty_and_knows_no_id(folder: Path) -> None:
    assert document(run("tx", "list", "--json"))["transactions"] == []
    assert "no open transactions" in run("tx", "list").stdout
    for command in ("speedup", "cancel"):
        result = run("tx", command, "0x12")
        assert (result.exit_code, "tx list" in result.stderr) == (2, True)
    assert not (folder / "state").exists()
