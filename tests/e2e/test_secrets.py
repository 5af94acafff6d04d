"""No key and no password is in any output, traceback, file, argument or environment of ours.

While a process of its own signs for real, everything that /proc tells of it and of its children is
searched, then all files that it left. Every command runs well and badly, with all logs.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from world.actors import aave, tokens
from world.anvil import Anvil
from world.world import World

from chain.wallet import keystore
from chain.wallet.local import Key
from tests.e2e.conftest import Ran
from tests.support.faults import html
from tests.support.proxy import Proxy
from underkeel.demo.stage import Stage, config_text

pytestmark = pytest.mark.world

ROOT = Path(__file__).parents[2]
RAW = keccak(text="underkeel test of secrets")
WALLET = Account.from_key(RAW).address
PASSWORD = "pw-" + keccak(text="password").hex()[:24]
LOGIN = "login-" + keccak(text="login").hex()[:24]
SECRETS = (RAW.hex(), RAW.hex().upper(), str(int.from_bytes(RAW)), repr(RAW)[2:-1], PASSWORD, LOGIN)
POLICY = """
[policy.ops]
max_tx_usd = 25_000
max_day_usd = 50_000
max_fee_gwei = 100
allow = ["aave-v3"]
"""
HARD = """
import ctypes, resource, sys
from chain.wallet.local import Key
Key.fresh()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def found_in(text: str | bytes) -> list[int]:
    """Return the numbers of the secrets in a text, not the secrets."""
    shown = text if isinstance(text, str) else text.decode("utf-8", "replace")
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return [i for i, secret in enumerate(SECRETS) if secret in shown] + [-1] * (RAW in raw)


def environment(folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("UNDERKEEL_")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "UNDERKEEL_DEBUG": "1",
        "UNDERKEEL_STATE_DIR": str(folder / "state"),
        "UNDERKEEL_CACHE_DIR": str(folder / "cache"),
        "HOME": str(folder),
    }


def start(folder: Path, *args: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "underkeel", *(str(a) for a in args)],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def watched(process: subprocess.Popen[str]) -> tuple[str, str, int]:
    """Read what /proc tells of a process and its children until it ends; return its output."""
    looks = 0
    while process.poll() is None:
        for pid in family(process.pid):
            for name in ("cmdline", "environ", "comm"):
                try:
                    told = Path(f"/proc/{pid}/{name}").read_bytes()
                except OSError:
                    continue
                assert not found_in(told), f"/proc/…/{name}"
                looks += 1
        time.sleep(0.01)
    out, err = process.communicate()
    return out, err, looks


def family(pid: int) -> list[int]:
    found = [pid]
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return found
    for child in children:
        found += family(int(child))
    return found


@pytest.fixture
def desk(world: World[Anvil], tmp_path: Path) -> Path:
    """A live config with a keystore, its password in a file, and a position to rescue."""
    world.node.set_balance(WALLET, 10**18)
    aave.supply(world, "aave-3.6", WALLET, "WETH", 10)
    aave.borrow(world, "aave-3.6", WALLET, "USDC", 18_000)
    tokens.mint(world, "USDC", WALLET, world.amount("USDC", 5_000))
    keystore.write(tmp_path / "keys" / "ops.json", Key(RAW, "a test"), PASSWORD, n=1 << 12)
    (tmp_path / "pw").write_text(PASSWORD)
    (tmp_path / "pw").chmod(0o600)
    stage = Stage(world, "anvil")
    text = config_text(stage).split("[wallets.daring]")[0]
    text = text.replace('max_block_age = "1d"', "discover = false")
    text = text.replace("version = 1", 'version = 1\nmode = "live"')
    text = text.replace("http://", f"http://me:{LOGIN}@")
    text += f'[wallets.ops]\naddress = "{WALLET}"\n'
    text += 'signer = { kind = "keystore", path = "ops.json", password = "file:pw" }\n'
    (tmp_path / "underkeel.toml").write_text(text + POLICY)
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_secrets__while_it_signs__are_nowhere_in_proc_output_or_files(desk: Path) -> None:
    plan = desk / "plan.json"
    out, err, _ = watched(start(desk, "plan", "repay", "--target-health", "1.6", "--out", plan))
    assert not found_in(out + err)
    process = start(desk, "execute", plan, "--execute", "--yes", "--json")
    out, err, looks = watched(process)
    assert process.returncode == 0, found_in(out + err) or out + err
    assert [one["end"] for one in json.loads(out)["ended"]] == ["mined", "mined"]
    assert not found_in(out + err)
    assert looks > 100
    allowed = {desk / "pw", desk / "underkeel.toml"}
    searched = [path for path in desk.rglob("*") if path.is_file() and path not in allowed]
    assert any(path.name == "journal.sqlite" for path in searched)
    for path in searched:
        assert not found_in(path.read_bytes()), path.name


def test_secrets__every_command_well_and_badly__are_in_no_output(
    desk: Path,
    world: World[Anvil],
    run: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("UNDERKEEL_DEBUG", "1")
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(desk / "state"))
    caplog.set_level(logging.DEBUG)
    plan = desk / "plan.json"
    live = ["execute", plan, "--execute", "--yes"]
    config = desk / "underkeel.toml"
    sound = config.read_text()
    bare = world.node.url.replace("http://", f"http://me:{LOGIN}@")

    def spoil(path: str, text: str) -> Callable[[], object]:
        return lambda: (desk / path).write_text(text)

    with Proxy(world.node.url) as proxy:
        proxy.script.always(html)
        for before, args, codes in (
            (None, ["plan", "repay", "--target-health", "1.6", "--out", plan], (3,)),
            (None, ["execute", plan, "--json"], (0,)),
            (None, ["wallet", "list"], (0,)),
            (None, ["config", "show"], (0,)),
            (None, ["wallet", "import", "x", "--keystore", desk / "keys/ops.json",
                    "--password-file", desk / "pw"], (4,)),
            (spoil("underkeel.toml", sound.replace(bare, proxy.url)), live, (5, 6)),
            (spoil("underkeel.toml", sound.replace('"file:pw"', f'"{PASSWORD}"')), live, (4,)),
            (spoil("underkeel.toml", sound), ["config", "check"], (0,)),
            (spoil("pw", PASSWORD + "x"), live, (4,)),
            (spoil("keys/ops.json", json.dumps({"version": 3})), live, (4,)),
            (lambda: (desk / "keys/ops.json").unlink(), live, (4,)),
        ):  # fmt: skip
            if before is not None:
                before()
            ran = run(*args)
            assert ran.code in codes, (args, found_in(ran.out + ran.err) or ran.out + ran.err)
            assert not found_in(ran.out + ran.err), args
            assert "s3cret-key" not in ran.out + ran.err
    assert not found_in(caplog.text)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_DUMPABLE is Linux")
def test_key__once_loaded__leaves_no_core_and_no_debugger() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HARD],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.strip() == "(0, 0) 0"
