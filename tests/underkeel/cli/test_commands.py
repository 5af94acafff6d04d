"""Commands that need no chain: help, init, config, and the usage errors of the rest."""

import json
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from underkeel import __version__
from underkeel.cli.group import ORDER
from underkeel.cli.main import app
from underkeel.config.load import load
from underkeel.config.template import config_text

WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"
KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
HEAVY = ("web3", "pydantic", "numpy", "pandas", "eth_abi", "eth_utils", "urllib3", "chain", "rich")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("UNDERKEEL_CONFIG", raising=False)


def run(*args: str, text: str | None = None) -> Result:
    result = CliRunner().invoke(app, list(args), input=text)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_help__imports__nothing_heavy() -> None:
    root = str(Path(__file__).parents[3])
    code = (
        "import sys\nfrom underkeel.cli.main import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert "positions" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_output__terminal_without_our_signs__shows_others() -> None:
    code = "import sys; from underkeel.cli.main import run; sys.argv[1:] = ['doctor']; run()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "PYTHONIOENCODING": "ascii",
        },
    )
    assert (done.returncode, done.stderr) == (4, b"")  # there is no config
    assert done.stdout.startswith(b" ? ok")


def test_tables__narrow_terminal__lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    shown = run("doctor").stdout
    assert "packages" in shown
    assert "modules" in shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("arguments", ["config schema", "--version"])
def test_output__disk_full_or_closed__exit_1_without_a_traceback(arguments: str) -> None:
    def shell(redirection: str) -> subprocess.CompletedProcess[str]:
        line = f"exec {sys.executable} -m underkeel {arguments} {redirection}"
        return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)

    full = shell("> /dev/full")
    assert full.returncode == 1
    assert full.stderr.startswith("error: the output could not be written")
    assert len(full.stderr.splitlines()) == 1
    closed = shell(">&-")
    assert (closed.returncode, closed.stderr) == (1, "")


def test_help__lists_every_command_and_the_exit_codes() -> None:
    out = " ".join(run("--help").output.replace("│", " ").split())
    for word in ("positions", "risk", "status", "demo", "init", "doctor", "config", "5 RPC down"):
        assert word in out
    assert "--install-completion" in out


def test_help__commands__in_the_order_one_meets_them_each_in_a_whole_line() -> None:
    listed = run("--help").output.partition("Commands:")[2].partition("Before or after")[0]
    lines = [line for line in listed.splitlines() if line.strip()]
    assert [line.split()[0] for line in lines] == ORDER
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)


def test_version__printed() -> None:
    assert run("--version").output == f"underkeel {__version__}\n"


@pytest.mark.parametrize("command", [["positions"], ["risk"], ["status"], ["config", "show"]])
def test_any_command__no_config__exit_4_says_where_it_looked(command: list[str]) -> None:
    result = run(*command)
    assert result.exit_code == 4
    assert result.stdout == ""
    assert "no config found" in result.stderr
    assert "underkeel.toml" in result.stderr
    assert "underkeel init" in result.stderr


def test_unknown_command_or_option__exit_2() -> None:
    assert run("positionz").exit_code == 2
    assert run("risk", "--shok", "x").exit_code == 2


def test_room_of_another__exit_1_before_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    from underkeel import ownership

    owners = {"chain": ["chain"]}
    monkeypatch.setattr(ownership.check_rooms, "__defaults__", (lambda: owners, None))
    result = run("config", "check")
    assert result.exit_code == 1
    assert "'chain' belongs to the distribution 'chain'" in result.stderr


def test_init__flags__writes_a_config_that_is_sound_and_private(tmp_path: Path) -> None:
    result = run("init", "--chain", "base", "--rpc", "https://x.example/key", "--address", WALLET)
    assert result.exit_code == 0
    path = tmp_path / "underkeel.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config = load(path, {})
    assert config.settings.chains["base"].chain_id == 8453
    assert config.settings.wallets["main"].address == WALLET
    assert run("config", "check").exit_code == 0
    assert "ok: 1 chain, 1 wallet\n" in run("config", "check").output


def test_init__chain_id__any_network_under_your_name(tmp_path: Path) -> None:
    rpc = ("--rpc", "https://x.example", "--force")
    path = tmp_path / "underkeel.toml"
    for args, name, number in (
        (("--chain-id", "4242", "--chain", "mine"), "mine", 4242),
        (("--chain-id", "8453"), "base", 8453),
        (("--chain-id", "8453", "--chain", "l2"), "l2", 8453),
        (("--chain", "8453"), "base", 8453),
    ):
        assert run("init", *rpc, *args).exit_code == 0
        assert load(path, {}).settings.chains[name].chain_id == number


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--chain-id", "4242"], "--chain is missing"),
        (["--chain-id", "4242", "--chain", "a b"], "cannot be a name"),
        (["--chain-id", "4242", "--chain", "base"], "has chain id 8453, not 4242"),
        (["--chain", "4242"], "needs --chain-id"),
    ],
)
def test_init__chain_id_and_name_disagree__exit_2(args: list[str], said: str) -> None:
    result = run("init", "--rpc", "https://x.example", *args)
    assert result.exit_code == 2
    assert said in result.stderr


def test_init__existing_file__kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "underkeel.toml"
    path.write_text("mine")
    result = run("init", "--rpc", "https://x.example")
    assert (result.exit_code, path.read_text()) == (2, "mine")
    assert "--force" in result.stderr
    assert run("init", "--rpc", "https://x.example", "--force").exit_code == 0
    assert "[chains.ethereum]" in path.read_text()


def test_init__no_terminal__names_the_missing_flag() -> None:
    result = run("init")
    assert result.exit_code == 2
    assert "--rpc is missing" in result.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--chain", "etherium"], "did you mean 'ethereum'?"),
        (["--chain", "?"], "worldchain, zksync (any other"),
        (["--rpc", "ftp://x"], "is not a URL"),
        (["--address", "0x12"], "expected 0x and 40 hex digits"),
        (["--address", KEY], "looks like a private key"),
    ],
)
def test_init__bad_value__exit_2_nothing_written(
    args: list[str], said: str, tmp_path: Path
) -> None:
    rpc = [] if "--rpc" in args else ["--rpc", "https://x.example"]
    result = run("init", *rpc, *args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert KEY not in result.stderr
    assert not (tmp_path / "underkeel.toml").exists()


def test_init__elsewhere_as_json__names_the_file(tmp_path: Path) -> None:
    where = tmp_path / "deep" / "c.toml"
    result = run("init", "--json", "--rpc", "env:X", "--config", str(where))
    assert json.loads(result.stdout)["config"] == str(where)
    assert where.exists()


def test_init__unwritable_place__exit_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("init", "--rpc", "env:X", "--config", str(tmp_path / "file" / "c.toml"))
    assert result.exit_code == 1
    assert "cannot write" in result.stderr


def test_template__every_commented_key__is_one_that_exists(tmp_path: Path) -> None:
    text = config_text("ethereum", 1, ["http://127.0.0.1:1"], {})
    uncommented = []
    for line in text.splitlines():
        bare = line.removeprefix("# ").removeprefix("#")
        is_key = line.startswith("#") and (" = " in bare or bare.startswith("["))
        uncommented.append(bare if is_key else line if not line.startswith("#") else "")
    filled = "\n".join(uncommented).replace("0x…", WALLET).replace("env:ETH_WS", "ws://x")
    filled = filled.replace("quorum = 2", "quorum = 1")
    assert tomllib.loads(filled)
    path = tmp_path / "all.toml"
    path.write_text(filled)
    settings = load(path, {}).settings
    assert len(settings.chains["ethereum"].markets) == 6
    assert settings.chains["ethereum"].prices
    assert settings.wallets
    assert settings.plan


def test_config_check__problems__exit_4_and_as_json(tmp_path: Path) -> None:
    (tmp_path / "underkeel.toml").write_text("version = 1\nmod = 'x'\nzone = 1\n")
    result = run("config", "check", "--json")
    assert result.exit_code == 4
    found = json.loads(result.stdout)
    assert found["ok"] is False
    assert len(found["problems"]) == 2
    (tmp_path / "underkeel.toml").write_text("version = 1\n")
    assert json.loads(run("config", "check", "--json").stdout)["ok"] is True


def test_config_show__keys_in_urls__redacted(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("B_RPC=https://b.example/other-secret\n")
    (tmp_path / "underkeel.toml").write_text(
        "version = 1\n[chains.a]\nchain_id = 1\n"
        "rpc = ['https://a.example/v2/very-secret', 'env:B_RPC']\nws = 'wss://a.example/secret-ws'\n"
        f"[[chains.a.markets]]\nadapter = 'erc4626'\nvault = '{WALLET}'\n"
        f"[wallets.me]\naddress = '{WALLET}'\n"
    )
    result = run("config", "show")
    assert result.exit_code == 0
    assert "secret" not in result.stdout
    shown = json.loads(result.stdout)
    assert shown["chains"]["a"]["rpc"] == ["https://a.example/…", "env:B_RPC"]
    assert shown["chains"]["a"]["markets"][0]["vault"] == WALLET


def test_config_schema__is_json_schema() -> None:
    assert "$defs" in json.loads(run("config", "schema").stdout)
    risk = json.loads(run("config", "schema", "underkeel.risk/1").stdout)
    assert risk["properties"]["schema"]["const"] == "underkeel.risk/1"
    wrong = run("config", "schema", "underkeel.rsk/1")
    assert wrong.exit_code == 2
    assert "did you mean 'underkeel.risk/1'?" in wrong.stderr


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ("0x12", "expected 0x and 40 hex digits"),
        ("0x52908400098527886E0F7030069857D2E4169Ee7", f"write {WALLET}"),
        (KEY, "private key"),
        ("mee", "did you mean 'me'?"),
        ("name.eth", "no chain with chain_id = 1"),
    ],
)
def test_positions__bad_account__exit_2_says_what_to_do(
    account: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "underkeel.toml").write_text(
        "version = 1\n[chains.a]\nchain_id = 5\nrpc = ['http://127.0.0.1:9']\n"
        f"[wallets.me]\naddress = '{WALLET}'\n"
    )
    result = run("positions", account)
    assert result.exit_code == 2
    assert said in result.stderr
    assert KEY not in result.stderr


def test_positions__no_chains_or_no_wallets__say_so(tmp_path: Path) -> None:
    path = tmp_path / "underkeel.toml"
    path.write_text("version = 1\n")
    assert "chains: is empty" in run("positions", WALLET).stderr
    path.write_text("version = 1\n[chains.a]\nchain_id = 5\nrpc = ['http://127.0.0.1:9']\n")
    result = run("positions")
    assert result.exit_code == 2
    assert "has no [wallets.NAME]" in result.stderr


def test_demo__no_checkout__says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from underkeel.demo import stage

    monkeypatch.setattr(stage.import_world, "__defaults__", (tmp_path,))
    result = run("demo", "--once", "--quiet")
    assert result.exit_code == 1
    assert "clone the repository" in result.stderr


def test_error__quotes_what_a_file_says__without_its_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[scenarios."\\u001b[2Jx"]\nother = -5')
    result = run("stress", "--scenarios", str(path), WALLET)
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr
    assert "\\x1b[2Jx" in result.stderr
