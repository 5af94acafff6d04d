"""`underkeel plan` through the command line, on the protocols' own bytecode."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from world.actors import feeds, tokens
from world.world import actor

from executor.plan import codec
from tests.e2e.conftest import Ran, Scene
from tests.executor.plan.guards import guard_of
from underkeel.config.load import load
from underkeel.plans.again import resimulate

pytestmark = pytest.mark.world

Run = Callable[..., Ran]

PLANS = """
[[plan]]
name = "rescue"
account = "daring"
match = { market = "Aave 3.6" }
actions = ["repay", "top-up"]
fire_below = 1.3
restore_to = 1.5

[[plan]]
name = "calm"
account = "daring"
match = { market = "Aave 3.6" }
fire_below = 1.1
restore_to = 1.5

[[plan]]
name = "leave"
kind = "exit-vault"
account = "careful"
"""


def config(scene: Scene, folder: Path, more: str = PLANS) -> Path:
    path = scene.config(folder)
    book = scene.world.book["uniswap-v3"]
    venue = (
        '[[chains.demo.venues]]\nkind = "uniswap-v3"\nname = "Uniswap"\nrouter_02 = false\n'
        + "".join(f'{key} = "{book[key]}"\n' for key in ("factory", "quoter", "router"))
    )
    path.write_text(path.read_text() + more + venue)
    return path


def test_plan__of_the_config__is_a_file_with_its_hash(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    world, owner = scene.world, scene.stage.owners["daring"]
    with world.node.rollback():
        tokens.mint(world, "USDC", owner, world.amount("USDC", 10_000))
        path, out = config(scene, tmp_path), tmp_path / "plan.json"
        ran = run("plan", "rescue", "--out", out, "--config", path)
        assert ran.code == 3, ran.out + ran.err
        assert "repay 4" in ran.out
        assert "→" not in ran.out.split("hash")[0]
        assert "1.1857" in ran.out  # before
        assert "1.5000" in ran.out  # after
        plan = codec.load(out.read_bytes())
        assert plan.hash in ran.out
        assert plan.name == "rescue"
        assert plan.trigger is not None
        assert plan.trigger.observed < plan.trigger.threshold
        again = run("plan", "rescue", "--json", "--config", path)
        assert again.code == 3
        assert again.doc["status"] == "planned"
        assert again.doc["hash"] == plan.hash  # the same block, the same plan
        changed = json.loads(out.read_text())
        changed["plan"]["steps"][0]["call"]["value"] = "1"
        with pytest.raises(codec.PlanUnreadable, match="it was changed"):
            codec.load(json.dumps(changed).encode())
        views = resimulate(load(path), plan)
        assert not isinstance(views, str), views
        elsewhere = resimulate(load(path), replace(plan, chain_id=plan.chain_id + 1))
        assert elsewhere == f"the config has no chain {plan.chain_id + 1}"
        broken = replace(
            plan.steps[-1], call=replace(plan.steps[-1].call, data=b"\x01\x02\x03\x04")
        )
        why = resimulate(load(path), replace(plan, steps=(broken,)))
        assert isinstance(why, str)
        assert why.startswith(f"{broken.what}: reverted")
        lost = path.read_text() + (
            '\n[[chains.demo.markets]]\nadapter = "erc4626"\nname = "gone"\n'
            f'vault = "{actor("no vault at all")}"\n'
        )
        (tmp_path / "more.toml").write_text(lost)
        unread = resimulate(load(tmp_path / "more.toml"), plan)
        assert isinstance(unread, str)
        assert unread.startswith("gone: ")
        expired = resimulate(load(path), replace(plan, expires_at=plan.block.timestamp - 1))
        assert isinstance(expired, str)
        assert expired.startswith("it expired at")
        feeds.crash(world, "ETH / USD", -0.10)
        why = resimulate(load(path), plan)
        assert isinstance(why, str)
        assert "is below" in why


def test_plan__not_below__nothing_to_do(scene: Scene, run: Run, tmp_path: Path) -> None:
    ran = run("plan", "calm", "--config", config(scene, tmp_path))
    assert ran.code == 0
    assert "nothing to do: health of Aave 3.6 is 1.1857, not below 1.1000" in ran.out
    ran = run("plan", "calm", "--json", "--config", config(scene, tmp_path))
    assert ran.doc["status"] == "nothing"
    assert ran.doc["plan"] is None


def test_plan__leave_a_vault__by_kind_and_by_name(scene: Scene, run: Run, tmp_path: Path) -> None:
    path = config(scene, tmp_path)
    named = run("plan", "leave", "--json", "--config", path)
    assert named.code == 3, named.out + named.err
    by_kind = run("plan", "exit-vault", "--account", "careful", "--json", "--config", path)
    assert by_kind.doc["plan"]["steps"] == named.doc["plan"]["steps"]


KINDS = """
[[plan]]
name = "owe WETH"
kind = "debt-swap"
account = "careful"
match = { market = "Aave 3.6" }
asset = "WETH"
restore_to = 1.5

[[plan]]
name = "hold USDC"
kind = "collateral-swap"
account = "careful"
match = { market = "Aave 3.0" }
asset = "USDC"

[[plan]]
name = "other vault"
kind = "move"
account = "daring"
match = { market = "pvDAI" }
to_market = "Aave 3.6"

[[plan]]
name = "mix"
kind = "rebalance"
account = "careful"
weights = { USDC = 0.5, WETH = 0.5 }
band = 0.1
max_cost_bps = 300

[[plan]]
name = "no allowances"
kind = "sweep-allowances"
account = "careful"

[[plan]]
name = "no liquidity"
kind = "close-lp"
account = "careful"
"""


def test_plan__every_other_kind__from_the_config(scene: Scene, run: Run, tmp_path: Path) -> None:
    path = config(scene, tmp_path, KINDS)
    actions = {
        "owe WETH": "debt-swap",
        "other vault": "move",
        "mix": "rebalance",
        "no allowances": "sweep-allowances",
        "no liquidity": "close-lp",
    }
    for name, action in actions.items():
        ran = run("plan", name, "--json", "--config", path)
        assert ran.code == 3, ran.out + ran.err
        assert ran.doc["plan"]["action"] == action
        assert ran.doc["plan"]["why"] == "its owner wants it"
    held = run("plan", "hold USDC", "--config", path)  # all of it bears the debt meanwhile
    assert held.code == 1
    assert "health would fall below 1" in held.out or "(of Aave: " in held.out


def test_plan__nothing_works__says_why_each(scene: Scene, run: Run, tmp_path: Path) -> None:
    ran = run(
        "plan", "restore-health", "--account", "careful", "--position", "Aave 3.6",
        "--target-health", "1.1", "--config", config(scene, tmp_path),
    )  # fmt: skip
    assert ran.code == 2
    assert "'Aave 3.6' is no position that 'restore-health' could be about" in ran.err
    ran = run("plan", "repay-with-atokens", "--account", "daring", "--json",
              "--target-health", "3", "--config", config(scene, tmp_path))  # fmt: skip
    assert ran.code == 1
    assert ran.doc["status"] == "infeasible"
    assert [one["reason"] for one in ran.doc["lost"]] == ["nothing is supplied of what is owed"]


def test_plan__account_not_known_whole__blocks_and_says_so(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    vault = f"""
[[chains.demo.markets]]
adapter = "erc4626"
name = "gone"
vault = "{actor("no vault at all")}"
"""
    ran = run("plan", "rescue", "--config", config(scene, tmp_path, vault + PLANS))
    assert ran.code == 1
    assert "? rescue: nothing is planned on what is UNKNOWN" in ran.out
    assert "gone: " in ran.out
    ran = run("plan", "rescue", "--json", "--config", config(scene, tmp_path, vault + PLANS))
    assert ran.doc["status"] == "blocked"
    assert len(ran.doc["unknown"]) == 1


def test_plan__flash_through_the_guard__from_the_config(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    world, owner = scene.world, scene.stage.owners["daring"]
    executor = actor("plan executor")
    with world.node.rollback():
        world.node.set_balance(executor, 10**19)
        guard = guard_of(world, "aave-3.6", owner, executor, form="delegate")
        more = f"""
[wallets.ops]
address = "{executor}"

[[plan]]
name = "unwind"
account = "daring"
wallet = "ops"
match = {{ market = "Aave 3.6" }}
guard = "{guard}"
restore_to = 1.4
"""
        ran = run("plan", "unwind", "--json", "--config", config(scene, tmp_path, more))
        assert ran.code == 3, ran.out + ran.err
        plan = ran.doc["plan"]
        assert plan["action"] == "flash-deleverage"
        assert plan["steps"][0]["guard"] == guard
        reasons = {one["action"]: one["reason"] for one in plan["lost"]}
        assert "the wallet holds 0" in reasons["repay"]
        assert "only the owner" in reasons["withdraw-and-repay"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["repay", "--account", "daring"], "to which health?"),
        (["repay"], "whose positions?"),
        (["debt-swap", "--account", "daring", "--position", "x"], "'x' is no position"),
    ],
)
def test_plan__question_that_makes_no_sense__exit_2(
    args: list[str], said: str, scene: Scene, run: Run, tmp_path: Path
) -> None:
    ran = run("plan", *args, "--config", config(scene, tmp_path))
    assert ran.code == 2
    assert said in ran.err
