"""The handle on anvil keeps what it promises about time, rollback and its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
import urllib3
from world.actors import aave, feeds, tokens
from world.anvil import HISTORY, Anvil, AnvilError, free_port
from world.builder import build
from world.node import Reverted, Tx
from world.rpc import RpcError
from world.world import World, actor, start

ROOT = Path(__file__).resolve().parents[2]
# Returns block.number << 64 | block.timestamp.
CLOCK = "0x" + "4360401b421760005260206000f3"


def clock(world: World[Anvil], block: object) -> tuple[int, int]:
    """Run code that tells block number and timestamp, at a block."""
    at = "0x" + "c1" * 20
    world.node.set_code(at, CLOCK)
    answer = int(world.node.rpc.request("eth_call", {"to": at}, block), 16)
    return answer >> 64, answer & (2**64 - 1)


def test_call__at_a_hash_number_or_latest__has_that_blocks_time(world: World[Anvil]) -> None:
    head = world.node.mine_at(world.node.timestamp() + 1000)
    expected = (int(head["number"], 16), int(head["timestamp"], 16))
    world.node.set_code("0x" + "c1" * 20, CLOCK)
    time.sleep(1.1)
    for block in ({"blockHash": head["hash"]}, head["number"], "latest"):
        assert clock(world, block) == expected


def test_set_next_timestamp__pending_call_and_next_block__have_it(world: World[Anvil]) -> None:
    wanted = world.node.timestamp() + 777
    world.node.set_next_timestamp(wanted)
    assert clock(world, "pending")[1] == wanted
    world.node.send(Tx(world.book.admin, world.book.oracle, value=1))
    assert world.node.timestamp() == wanted


def test_world_clock__starts_at_the_dump(world: World[Anvil]) -> None:
    assert world.node.timestamp() == world.book.timestamp
    world.node.mine()
    assert world.node.timestamp() - world.book.timestamp < 3600


@pytest.mark.loopback
def test_wall_clock__is_now_with_fresh_feeds() -> None:
    with start(clock="wall") as running:
        assert abs(running.node.timestamp() - time.time()) < 60
        updated = feeds.proxy(running, "ETH / USD").call("latestRoundData")[3]
        assert running.node.timestamp() - updated < 60


def test_rollback__undoes_everything(world: World[Anvil]) -> None:
    user, before = actor("someone"), world.node.block()["hash"]
    with world.node.rollback():
        tokens.mint(world, "USDC", user, 5)
        world.node.travel(1000)
    assert world.node.block()["hash"] == before
    assert tokens.balance(world, "USDC", user) == 0


def test_rollback__same_transaction_again__is_mined_once(world: World[Anvil]) -> None:
    user = actor("twice")
    for _ in range(20):
        with world.node.rollback():
            tokens.mint(world, "USDC", user, 5)
            assert tokens.balance(world, "USDC", user) == 5
            assert len(world.node.block()["transactions"]) == 1


def test_revert__to_a_used_snapshot__says_so(world: World[Anvil]) -> None:
    taken = world.node.snapshot()
    world.node.revert(taken)
    with pytest.raises(AnvilError, match="no snapshot"):
        world.node.revert(taken)


def test_send__failing_transaction__names_function_and_reason(world: World[Anvil]) -> None:
    with pytest.raises(Reverted, match=r"transfer to .*exceeds balance"):
        world.token("USDC").send(world.book.oracle, "transfer", world.book.admin, 1)


def test_send_many__one_fails__raises(world: World[Anvil]) -> None:
    bound = world.token("USDC")
    good = bound.tx(world.book.admin, "mint", world.book.admin, 1)
    bad = bound.tx(world.book.oracle, "transfer", world.book.admin, 10**30)
    with pytest.raises(Reverted):
        world.node.send_many([good, bad])


def test_reorg__replaces_the_head(world: World[Anvil]) -> None:
    user = actor("reorged")
    tokens.mint(world, "USDC", user, 5)
    before = world.node.block()
    world.node.reorg(1)
    after = world.node.block()
    assert after["number"] == before["number"]
    assert tokens.balance(world, "USDC", user) == 0
    assert after["hash"] != before["hash"]
    with pytest.raises(RpcError):
        world.token("USDC").call("decimals", block={"blockHash": before["hash"]})


def test_set_storage_and_balance__are_read_back(world: World[Anvil]) -> None:
    at = actor("slot")
    world.node.set_storage(at, 3, 77)
    world.node.set_balance(at, 99)
    assert int(world.node.rpc.request("eth_getStorageAt", at, "0x3", "latest"), 16) == 77
    assert int(world.node.rpc.request("eth_getBalance", at, "latest"), 16) == 99


@pytest.mark.loopback
def test_start__web_page_asks__is_given_no_leave(anvil: World[Anvil]) -> None:
    """The node signs for anyone who can reach it; a browser must not be made to."""
    page = {"Origin": "https://example.org"}
    leave = {**page, "Access-Control-Request-Method": "POST"}
    ask = {**page, "Content-Type": "application/json"}
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
    for method, headers, sent in (("OPTIONS", leave, None), ("POST", ask, body)):
        answer = urllib3.request(method, anvil.node.url, headers=headers, body=sent, retries=False)
        assert "access-control-allow-origin" not in answer.headers


def test_start__port_held_by_another_node__is_refused(anvil: World[Anvil]) -> None:
    with pytest.raises(AnvilError):
        Anvil(build().anvil, port=anvil.node.port).start()


@pytest.mark.loopback
def test_start__binary_that_ends_at_once__says_what_it_said(tmp_path: Path) -> None:
    fake = tmp_path / "anvil"
    fake.write_text("#!/bin/sh\necho no such flag >&2\nexit 2\n")
    fake.chmod(0o755)
    with pytest.raises(AnvilError, match="code 2: no such flag"):
        Anvil(fake, port=free_port()).start()


@pytest.mark.loopback
@pytest.mark.parametrize("fatal", [signal.SIGTERM, signal.SIGKILL])
def test_parent_dies__anvil_ends(fatal: signal.Signals) -> None:
    script = textwrap.dedent(
        """
        import sys, time
        from world.world import start
        with start() as world:
            print(world.node.pid, flush=True)
            time.sleep(60)
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "contracts")},
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        pid = int(parent.stdout.readline())
        parent.send_signal(fatal)
        parent.wait(10)
    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(pid)


@pytest.mark.loopback
def test_stop__after_hundreds_of_blocks__leaves_no_file_behind(
    anvil: World[Anvil], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unbounded history once filled the disk through the home folder."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    with Anvil(anvil.node.binary) as node:
        for _ in range(HISTORY + 400):
            node.mine()
        recent = hex(int(node.block()["number"], 16) - HISTORY // 2)
        assert node.rpc.request("eth_getBalance", actor("nobody"), recent) == "0x0"
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list((tmp_path / "home").iterdir()) == []


def test_detach__process_outlives_the_handle(anvil: World[Anvil]) -> None:
    node = Anvil(anvil.node.binary).start()
    pid = node.detach()
    node.stop()
    try:
        assert _runs(pid)
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def test_node__chain_id_and_revisions__are_as_promised(world: World[Anvil]) -> None:
    assert world.node.chain_id >= 10**6
    assert aave.pool(world, "aave-3.0").call("POOL_REVISION") == 1
    assert aave.pool(world, "aave-3.6").call("POOL_REVISION") == 10


def _runs(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
