"""What goes wrong is said, is nobody else's unknown, and has its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from world.actors import feeds
from world.node import Tx
from world.world import actor

from tests.e2e.conftest import Ran, Scene
from tests.support import faults
from tests.support.proxy import Proxy

pytestmark = pytest.mark.world

Run = Callable[..., Ran]

REVERTING = "0x60006000fd"


def is_read(body: bytes) -> bool:
    return b"eth_call" in body


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.html, "instead of JSON"),
        (faults.truncated, "JSON"),
        (faults.status(429), "limits our rate"),
        (faults.dropped, "cannot be reached"),
        (faults.other_chain(5), "serves chain 5, but chain"),
        (faults.stale_head(3_600 * 24 * 3650), "old"),
    ],
    ids=["html", "truncated", "429", "dropped", "other chain", "stale"],
)
def test_head__bad_in_any_way__exit_5_and_the_chain_is_unknown(
    fault: faults.Fault, said: str, scene: Scene, run: Run, tmp_path: Path
) -> None:
    with Proxy(scene.world.node.url) as proxy:
        proxy.script.always(fault)
        config = scene.config(tmp_path, proxy.url, 'max_block_age = "2000d"')
        ran = run("risk", "--json", "--config", config)
    assert ran.code == 5
    (chain,) = ran.doc["chains"]
    assert chain["status"] == ("stale" if said == "old" else "down")
    assert said in chain["cause"]
    assert ran.doc["positions"] == []
    assert ran.doc["unknown"][0]["cause"] == chain["cause"]
    assert ran.doc["totals"]["equity_usd"] is None
    assert "s3cret-key" not in ran.out + ran.err


@pytest.mark.parametrize(
    "fault",
    [
        faults.html,
        faults.truncated,
        faults.status(429),
        faults.dropped,
        faults.failing("eth_call", -32000, "header not found"),
    ],
    ids=["html", "truncated", "429", "dropped", "another chain without that block"],
)
def test_reads__bad_after_a_good_head__everything_unknown_exit_5_never_a_zero(
    fault: faults.Fault, scene: Scene, run: Run, tmp_path: Path
) -> None:
    with Proxy(scene.world.node.url) as proxy:
        proxy.script.always(fault, is_read)
        config = scene.config(tmp_path, proxy.url, "discover = false")
        ran = run("status", "--json", "--config", config)
    assert ran.code == 5
    assert ran.doc["totals"]["equity_usd"] is None
    assert ran.doc["totals"]["partial"]
    causes = [u["cause"] for u in ran.doc["unknown"]]
    assert causes
    assert all(causes)
    assert "s3cret-key" not in ran.out + ran.err


def test_reads__bad_after_a_good_head__people_see_no_zero_and_no_tick(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    with Proxy(scene.world.node.url) as proxy:
        proxy.script.always(faults.truncated, is_read)
        people = run("status", "--config", scene.config(tmp_path, proxy.url, "discover = false"))
    assert people.code == 5
    assert "✔" not in people.out
    assert "Worth unknown" in people.out
    assert "0.00" not in people.out
    assert "s3cret-key" not in people.out + people.err


def test_chain__nobody_listens__exit_5_and_the_other_chain_is_shown(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    with config.open("a") as file:
        file.write('\n[chains.dead]\nchain_id = 10\nrpc = ["http://127.0.0.1:9/s3cret-key"]\n')
    ran = run("positions", "--json", "--config", config)
    assert ran.code == 5
    assert {p["chain"] for p in ran.doc["positions"]} == {"demo"}
    assert [(u["chain"], u["protocol"]) for u in ran.doc["unknown"]] == [("dead", None)]
    people = run("risk", "--config", config)
    assert "dead (chain 10) · ? DOWN" in people.out
    assert "aave-v3" in people.out
    assert "partial" in people.out
    assert "s3cret-key" not in ran.out + people.out + people.err


def test_chain__id_differs_from_the_rpcs__exit_5_names_both(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    real = str(scene.stage.chain_id)
    config.write_text(config.read_text().replace(f"chain_id = {real}", "chain_id = 7"))
    ran = run("risk", "--json", "--config", config)
    people = run("status", "--config", config)
    assert (ran.code, people.code) == (5, 5)
    assert "Positions: none known" in people.out
    assert f"serves chain {real}, but chain 7 is configured" in ran.doc["unknown"][0]["cause"]


def test_market__reverting__is_its_own_unknown_and_status_exits_3(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    with scene.world.node.rollback():
        scene.world.node.set_code(scene.world.book["aave-3.0"]["pool"], REVERTING)
        scene.world.node.mine()
        ran = run("risk", "--json", "--config", config)
        status = run("status", "--json", "--config", config)
        people = run("positions", "--config", config)
    assert (ran.code, status.code, people.code) == (0, 3, 0)
    assert {u["market"] for u in ran.doc["unknown"]} == {"Aave 3.0"}
    assert {p["market"] for p in ran.doc["positions"]} > {"Aave 3.6", "Uniswap"}
    assert status.doc["attention"]
    assert "aave-v3 Aave 3.0 is UNKNOWN" in " ".join(people.out.split())


def test_market__root_without_code__says_which_and_why(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    nowhere = actor("no contract")
    extra = f'[[chains.demo.markets]]\nadapter = "erc4626"\nname = "gone"\nvault = "{nowhere}"\n'
    config = scene.config(tmp_path)
    config.write_text(config.read_text() + extra)
    ran = run("positions", "--json", "--config", config)
    assert ran.code == 0
    (unknown,) = ran.doc["unknown"]
    assert (unknown["market"], unknown["root"]) == ("gone", nowhere)
    assert "no contract" in unknown["cause"]


@pytest.mark.parametrize("answer", [0, -1])
def test_oracle__zero_or_negative__never_safe(
    answer: int, scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    with scene.world.node.rollback():
        feeds.set_price_raw(scene.world, "USDC / USD", answer)
        ran = run("risk", "--json", "--config", config)
        status = run("status", "--config", config)
    assert status.code == 3
    told = [p for p in ran.doc["positions"] if any(leg["side"] == "debt" for leg in p["legs"])]
    assert told or ran.doc["unknown"]
    assert all(p["liquidation"]["status"] != "safe" for p in told)
    assert ran.doc["totals"]["partial"]


def test_prices__older_than_the_owner_allows__not_safe(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path, extra='max_price_age = "1s"')
    with scene.world.node.rollback():
        scene.world.node.travel(60)
        ran = run("risk", "--json", "--config", config)
    told = [p for p in ran.doc["positions"] if p["protocol"] == "aave-v3"]
    assert {p["liquidation"]["status"] for p in told} == {"unknown"}
    assert all("max_price_age" in " ".join(p["liquidation"]["causes"]) for p in told)


def test_logs__unreadable__morpho_is_unknown_and_the_rest_is_there(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    with Proxy(scene.world.node.url) as proxy:
        refused = faults.failing("eth_getLogs", -32601, "no such method")
        proxy.script.always(refused, lambda body: b"eth_getLogs" in body)
        ran = run("positions", "--json", "--config", scene.config(tmp_path, proxy.url))
    unknown = {u["protocol"]: u["cause"] for u in ran.doc["unknown"]}
    assert "market_ids could be found" in unknown["morpho-blue"]
    assert {p["protocol"] for p in ran.doc["positions"]} >= {"aave-v3", "uniswap-v3"}


def command(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a user does: another process, pipes for stdout and stderr."""
    root = Path(__file__).resolve().parents[2]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("UNDERKEEL_CONFIG")}
    return subprocess.run(
        [sys.executable, "-m", "underkeel", *args],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**clean, "PYTHONPATH": str(root), **env},
    )


def test_process__piped__data_on_stdout_nothing_else(scene: Scene, tmp_path: Path) -> None:
    config = scene.config(tmp_path)
    cache = {"UNDERKEEL_CACHE_DIR": str(tmp_path)}
    table = command("risk", "--config", str(config), **cache)
    assert (table.returncode, table.stderr) == (0, "")
    assert max(len(line) for line in table.stdout.splitlines()) <= 80
    wrong = command("risk", "0x" + "ab" * 32, "--config", str(config), **cache)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "private key" in wrong.stderr
    assert "abab" not in wrong.stderr


def test_reorg__between_head_and_read__is_read_again_at_the_new_head(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    node = scene.world.node
    with node.rollback(), Proxy(node.url) as proxy:
        node.mine(3)
        gone = node.block()["hash"]

        def reorganise(_: bytes, answer: bytes) -> faults.Reply:
            other = Tx(scene.world.book.admin, scene.world.book.admin, value=1)
            node.reorg(2, [(other, 0)])
            return faults.Reply(answer)

        proxy.script.then(reorganise)
        config = scene.config(tmp_path, proxy.url, "discover = false")
        ran = run("positions", "--json", "--config", config)
        heads = [body for body in proxy.script.requests if b"eth_getBlockByNumber" in body]
    assert ran.code == 0
    assert len(heads) > 1
    assert ran.doc["chains"][0]["block_hash"] != gone
    assert ran.doc["unknown"] == []
