"""From a plan's file to restored health on the world: dry runs send nothing, live runs once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from world.actors import aave, tokens
from world.anvil import Anvil
from world.world import World

from executor.plan import codec
from tests.e2e.conftest import Ran
from tests.support.proxy import Proxy
from underkeel.cli.options import Globals
from underkeel.config.load import load
from underkeel.demo.stage import Stage, config_text
from underkeel.execution import live
from underkeel.execution.live import open_journal
from underkeel.execution.plan_file import read_plan
from underkeel.execution.steps import intents_of

pytestmark = pytest.mark.world

RAW = keccak(text="underkeel test of execute")
WALLET = Account.from_key(RAW).address
MARKET = "aave-3.6"
POLICY = """
[policy.ops]
max_tx_usd = 25_000
max_day_usd = 50_000
max_fee_gwei = 100
allow = ["aave-v3", "wallet"]
min_gas_balance_eth = 0.05
"""


PLANS: list[bytes] = []


@dataclass(frozen=True)
class Desk:
    """A world with one indebted account whose key is in the environment."""

    world: World[Anvil]
    folder: Path
    run: Callable[..., Ran]

    def config(self, url: str | None = None, policy: str = POLICY, mode: str = "live") -> Path:
        stage = Stage(self.world, "anvil")
        text = config_text(stage).split("[wallets.daring]")[0]
        text = text.replace('max_block_age = "1d"', "discover = false")
        text = text.replace("version = 1", f'version = 1\nmode = "{mode}"')
        signer = 'signer = { kind = "env", name = "TEST_KEY", insist = true }'
        text += f'[wallets.ops]\naddress = "{WALLET}"\n{signer}\n{policy}'
        path = self.folder / "underkeel.toml"
        path.write_text(text if url is None else text.replace(stage.url, url))
        return path

    def plan(self) -> Path:
        """Make a plan that repays; once, as the world is the same again for every test."""
        target = self.folder / "plan.json"
        if not PLANS:
            asked = ("--wallet", "ops", "--target-health", "1.8", "--out", target)
            ran = self.run("plan", "repay", *asked)
            assert ran.code == 3, ran.out + ran.err
            PLANS.append(target.read_bytes())
        target.write_bytes(PLANS[0])
        return target

    def nonce(self) -> int:
        """Return how many transactions the wallet has sent."""
        asked = self.world.node.rpc.request("eth_getTransactionCount", WALLET, "latest")
        return int(asked, 16)


@pytest.fixture(scope="module")
def indebted(anvil: World[Anvil]) -> Iterator[World[Anvil]]:
    with anvil.node.rollback():
        anvil.node.set_balance(WALLET, 10**18)
        aave.supply(anvil, MARKET, WALLET, "WETH", 10)
        aave.borrow(anvil, MARKET, WALLET, "USDC", 18_000)
        tokens.mint(anvil, "USDC", WALLET, anvil.amount("USDC", 2_000))
        yield anvil


@pytest.fixture
def desk(
    indebted: World[Anvil], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., Ran],
) -> Iterator[Desk]:  # fmt: skip
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TEST_KEY", RAW.hex())
    with indebted.node.rollback():
        found = Desk(indebted, tmp_path, run)
        found.config()
        yield found


def allowance(desk: Desk) -> int:
    pool = desk.world.book[MARKET]["pool"]
    return int(desk.world.token("USDC").call("allowance", WALLET, pool))


def test_execute__live__restores_the_health_once(desk: Desk) -> None:
    plan = desk.plan()
    before = desk.nonce()
    dry = desk.run("execute", plan, "--json")
    assert dry.code == 0, dry.out + dry.err
    assert desk.nonce() == before
    shown = dry.doc["steps"]
    assert [step["refusals"] for step in shown] == [[], []]
    ran = desk.run("execute", plan, "--execute", "--yes", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert [one["end"] for one in ran.doc["ended"]] == ["mined", "mined"]
    assert desk.nonce() == before + 2
    assert allowance(desk) == 0
    for step, one in zip(shown, ran.doc["ended"], strict=True):
        mined = desk.world.node.rpc.request("eth_getTransactionByHash", one["hash"])
        assert (int(mined["nonce"], 16), mined["input"]) == (int(step["nonce"]), step["data"])
        assert (mined["to"].lower(), int(mined["value"], 16)) == (step["to"].lower(), 0)
        assert int(mined["gas"], 16) == int(step["gas"])
    account = aave.pool(desk.world, MARKET).call("getUserAccountData", WALLET)
    assert account[5] >= 18 * 10**17
    again = desk.run("execute", plan, "--execute", "--yes", "--json")
    assert again.code == 0, again.out + again.err
    assert desk.nonce() == before + 2
    listed = desk.run("tx", "list", "--all", "--json").doc["transactions"]
    assert {row["state"] for row in listed} <= {"mined", "done"}
    assert len(listed) == 2


REFUSALS = {
    "no policy": ("", "no-policy"),
    "tx": (POLICY.replace("25_000", "500"), "tx-usd"),
    "fee": (POLICY.replace("100\n", "0.000000001\n", 1), "fee"),
    "silence": (POLICY + 'heartbeat = "none"\nmax_silence = "1d"\n', "heartbeat"),
}


def test_execute__policy_refuses__exit_6_names_the_rule_and_signs_nothing(desk: Desk) -> None:
    plan = desk.plan()
    before = desk.nonce()
    for policy, rule in REFUSALS.values():
        desk.config(policy=policy)
        ran = desk.run("execute", plan, *(["--execute", "--yes"] if rule == "tx-usd" else []))
        assert ran.code == 6, ran.out + ran.err
        assert f"{rule}: " in ran.out + ran.err
    assert desk.nonce() == before


def test_execute__paused_or_over_max__exit_6_until_resumed(desk: Desk) -> None:
    plan = desk.plan()
    before = desk.nonce()
    assert desk.run("pause", "--reason", "storm").code == 0
    ran = desk.run("execute", plan, "--execute", "--yes")
    assert ran.code == 6
    assert "storm" in ran.err
    assert "storm" in desk.run("tx", "list").out
    assert desk.run("resume", "--json").doc["paused"] is False
    ran = desk.run("execute", plan, "--execute", "--yes", "--max-usd", "100")
    assert ran.code == 6
    assert desk.nonce() == before
    assert desk.run("execute", plan, "--max-usd", "5000").code == 0


def test_execute__what_would_be_a_mistake__is_refused_before_any_key(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_KEY")
    plan = desk.plan()
    before = desk.nonce()
    ran = desk.run("execute", plan, "--execute")
    assert (ran.code, "--yes is missing" in ran.err) == (2, True)
    assert desk.run("execute", plan, "--max-usd", "x").code == 2
    assert desk.run("execute", plan, "--execute", "--yes").code == 4  # the key is not set
    desk.config(mode="dry-run")
    ran = desk.run("execute", plan, "--execute", "--yes")
    assert (ran.code, 'needs mode = "live"' in ran.err) == (4, True)
    assert desk.run("execute", plan).code == 0
    document = json.loads(plan.read_text())
    document["plan"]["steps"][-1]["call"]["value"] = "1"
    plan.write_text(json.dumps(document))
    ran = desk.run("execute", plan)
    assert (ran.code, "it was changed" in ran.err) == (2, True)
    assert desk.run("execute", desk.folder / "none.json").code == 2
    assert desk.nonce() == before


def test_execute__world_moved__the_plan_does_not_hold_any_more(desk: Desk) -> None:
    plan = desk.plan()
    desk.config()
    aave.borrow(desk.world, MARKET, WALLET, "USDC", 500)
    before = desk.nonce()
    ran = desk.run("execute", plan, "--execute", "--yes")
    assert ran.code == 6
    assert "does not hold any more" in ran.err
    assert desk.nonce() == before
    desk.world.node.travel(86_400)
    ran = desk.run("execute", plan)
    assert (ran.code, "expired" in ran.out) == (6, True)


class Clock:
    """Stands for `time` in the loop of a live run: instead of sleeping something happens."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self._happens = happens

    def time(self) -> float:
        return time.time()

    def sleep(self, _: float) -> None:
        self._happens()


def test_execute__interrupted__exit_8_and_carried_out_again_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = desk.plan()
    before = desk.nonce()
    desk.world.node.automine(False)

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(live, "time", Clock(interrupt))
    ran = desk.run("execute", plan, "--execute", "--yes", "--json")
    assert ran.code == 8, ran.out + ran.err
    assert "look with `underkeel tx list`; the same `execute` goes on" in ran.err
    assert [one["end"] for one in ran.doc["ended"]] == ["unknown", "waiting"]
    (row, *_) = desk.run("tx", "list", "--json").doc["transactions"]
    assert row["state"] == "broadcast"
    assert desk.run("tx", "speedup", row["id"][:12], "--json").doc["wish"] == "speed_up"
    assert desk.nonce() == before

    desk.world.node.automine(True)
    desk.world.node.mine()
    monkeypatch.setattr(live, "time", Clock(lambda: None))
    again = desk.run("execute", plan, "--execute", "--yes", "--json")
    assert again.code == 0, again.out + again.err
    assert desk.nonce() == before + 2
    assert again.doc["ended"][0]["hash"] == row["hash"]  # the payload that was out already
    assert allowance(desk) == 0


def test_execute__refused_then_another_plan__signs_nothing_of_the_first(desk: Desk) -> None:
    plan = desk.plan()
    journal = open_journal(load(desk.folder / "underkeel.toml"))
    assert journal is not None
    document = read_plan(plan)
    left = replace(intents_of(document, 10**11)[0], id="0x" + "77" * 32, plan="0x" + "78" * 32)
    journal.record(left)
    journal.close()
    before = desk.nonce()
    ran = desk.run("execute", plan, "--execute", "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert "no step of the plan" in ran.err
    assert desk.nonce() == before + 2
    rows = desk.run("tx", "list", "--json").doc["transactions"]
    assert ("0x" + "77" * 32, "approved") in {(row["id"], row["state"]) for row in rows}


def test_tx__stuck__is_cancelled_or_hurried_by_hand(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = desk.plan()
    before = desk.nonce()
    node = desk.world.node
    node.automine(False)

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(live, "time", Clock(interrupt))
    assert desk.run("execute", plan, "--execute", "--yes").code == 8
    (row, *_) = desk.run("tx", "list", "--json").doc["transactions"]
    assert desk.run("tx", "cancel", row["id"], "--execute").code == 2  # nobody says yes

    asked: list[str] = []

    def mine() -> None:
        asked.append("")
        if len(asked) > 2:
            node.mine(2)

    monkeypatch.setattr(live, "time", Clock(mine))
    ran = desk.run("tx", "cancel", row["id"], "--execute", "--yes", "--json")
    node.automine(True)
    assert ran.code == 0, ran.out + ran.err
    assert ran.doc["state"] == "cancelled"
    assert desk.nonce() == before + 1
    assert allowance(desk) == 0
    assert desk.run("execute", plan, "--execute", "--yes").code == 2  # make a new plan


def test_execute__fails_on_chain__exit_7(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = desk.plan()
    pool = desk.world.book[MARKET]["pool"]
    node = desk.world.node
    node.automine(False)

    def mine() -> None:
        pending = node.rpc.request("eth_getBlockByNumber", "pending", True)["transactions"]
        if any(tx["to"].lower() == pool.lower() for tx in pending):
            node.set_code(pool, "0x60006000fd")
        node.mine()

    monkeypatch.setattr(live, "time", Clock(mine))
    ran = desk.run("execute", plan, "--execute", "--yes", "--json")
    node.automine(True)
    assert ran.code == 7, ran.out + ran.err
    assert [one["end"] for one in ran.doc["ended"]] == ["mined", "reverted"]


def test_execute__chains_name__has_to_be_typed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = desk.plan()
    before = desk.nonce()
    monkeypatch.setattr(Globals, "may_ask", property(lambda _: True))
    for typed in ("ethereum\n", "\n"):
        ran = desk.run("execute", plan, "--execute", text=typed)
        assert (ran.code, "nothing was signed" in ran.err) == (2, True)
    assert desk.nonce() == before
    assert desk.run("execute", plan, "--execute", text="demo\n").code == 0
    assert desk.nonce() == before + 2


SENDING = ("eth_send", "personal_", "engine_", "anvil_", "evm_", "debug_", "admin_")


def test_dry_run__every_command_and_option__sends_nothing(desk: Desk) -> None:
    """A proxy in front of the node sees all that is asked, and no request changes anything."""
    plan = desk.plan()
    with Proxy(desk.world.node.url) as proxy:
        desk.config(url=proxy.url, mode="dry-run")
        for line in (
            *(["positions"], ["risk", "--full"], ["status"], ["exposure"], ["stress"]),
            *(["oracles"], ["doctor"], ["scan", "Aave 3.6"], ["wallet", "list"]),
            *(["plan", "repay", "--wallet", "ops", "--target-health", "1.9"],),
            *(["execute", plan], ["execute", plan, "--json"]),
            *(["execute", plan, "--execute", "--yes"],),
            *(["tx", "list"], ["tx", "speedup", "0x1234"], ["tx", "cancel", "0x1234"]),
            *(["pause"], ["resume"], ["config", "show"]),
        ):
            ran = desk.run(*line)
            assert ran.code in (0, 2, 3, 4, 6), (line, ran.out, ran.err)
        asked: set[str] = set()
        for request in proxy.script.requests:
            body = json.loads(request)
            for one in body if isinstance(body, list) else [body]:
                asked.add(one["method"])
    assert asked
    assert [method for method in asked if method.startswith(SENDING)] == []
    assert "eth_call" in asked


def test_execute__file_made_by_hand_under_the_id_of_another_call__is_refused(desk: Desk) -> None:
    """What would be shown is not what the journal would have signed."""
    path = desk.plan()
    plan = read_plan(path)
    desk.folder.joinpath("state").mkdir(exist_ok=True)
    journal = open_journal(load(desk.config()))
    assert journal is not None
    journal.record(intents_of(plan, 10**11)[0])
    journal.close()
    first = replace(plan.steps[0], call=replace(plan.steps[0].call, data=b""))
    crafted = replace(plan, steps=(first, *plan.steps[1:]))
    document = json.loads(path.read_bytes()) | {
        "hash": crafted.hash,
        "plan": codec.to_data(crafted),
    }
    path.write_text(json.dumps(document))
    before = desk.nonce()
    for flags in ((), ("--execute", "--yes")):
        ran = desk.run("execute", path, *flags)
        assert ran.code == 2, ran.out + ran.err
        assert "is recorded as another call" in ran.err
    assert desk.nonce() == before


class NoViews(Proxy):
    """A node that has nothing to say to any `eth_call`."""

    def ask(self, request: bytes) -> bytes:
        asked = json.loads(request)
        methods = {one["id"]: one["method"] for one in (asked if type(asked) is list else [asked])}
        said = json.loads(super().ask(request))
        for one in said if isinstance(said, list) else [said]:
            if methods[one["id"]] == "eth_call":
                one.pop("error", None)
                one["result"] = "0x"
        return json.dumps(said).encode()


def test_execute__what_may_be_called_cannot_be_read__is_a_refusal(desk: Desk) -> None:
    plan, before = desk.plan(), desk.nonce()
    with NoViews(desk.world.node.url) as proxy:
        desk.config(url=proxy.url)
        ran = desk.run("execute", plan)
        assert ran.code == 6, ran.out + ran.err
        assert "no-policy: getPool: answered 0 bytes" in " ".join(ran.out.split())
        assert desk.run("execute", plan, "--execute", "--yes").code == 6
    assert desk.nonce() == before
