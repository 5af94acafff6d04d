"""A guard rescues a position that the signing wallet does not own, from plan to health."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from world.actors import aave, morpho
from world.anvil import Anvil
from world.world import World, actor

from chain.types import Address
from tests.e2e.conftest import Ran
from tests.executor.plan.guards import guard_of
from underkeel.demo.stage import Stage, config_text

pytestmark = pytest.mark.world

RAW = keccak(text="underkeel test of a rescue")
WALLET = Account.from_key(RAW).address
OWNER = actor("rescued owner")


@pytest.fixture
def staged(world: World[Anvil]) -> World[Anvil]:
    for who in (OWNER, WALLET):
        world.node.set_balance(who, 10**19)
    aave.supply(world, "aave-3.6", OWNER, "WETH", 10)
    aave.borrow(world, "aave-3.6", OWNER, "USDC", 20_000)
    morpho.supply_collateral(world, "WETH/USDC", OWNER, 10)
    morpho.borrow(world, "WETH/USDC", OWNER, 20_000)
    return world


def config(world: World[Anvil], folder: Path, guard: Address, protocol: str) -> None:
    stage = Stage(world, "anvil")
    text = config_text(stage).split("[wallets.daring]")[0]
    text = text.replace('max_block_age = "1d"', "")
    text = text.replace("version = 1", 'version = 1\nmode = "live"')
    page = world.book["uniswap-v3"]
    venue = "".join(f'{key} = "{page[key]}"\n' for key in ("factory", "router"))
    text += f"""
[[chains.demo.venues]]
kind = "uniswap-v3"
name = "Uniswap"
quoter = "{page["quoter"]}"
router_02 = false
{venue}
[wallets.owner]
address = "{OWNER}"
kind = "eoa"
[wallets.ops]
address = "{WALLET}"
signer = {{ kind = "env", name = "TEST_KEY", insist = true }}
[policy.ops]
max_tx_usd = 500
max_day_usd = 1_000
max_fee_gwei = 100
allow = []
guards = ["{guard}"]
[[plan]]
name = "rescue"
kind = "flash-deleverage"
account = "owner"
wallet = "ops"
restore_to = 1.5
guard = "{guard}"
match = {{ protocol = "{protocol}" }}
"""
    (folder / "underkeel.toml").write_text(text)


@pytest.mark.parametrize(
    ("market", "form", "protocol"),
    [("Morpho", "module", "morpho-blue"), ("aave-3.6", "delegate", "aave-v3")],
    ids=["module", "delegate"],
)
def test_rescue__by_a_guard__restores_the_owners_health(
    market: str,
    form: str,
    protocol: str,
    staged: World[Anvil],
    run: Callable[..., Ran],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TEST_KEY", RAW.hex())
    guard = guard_of(staged, market, OWNER, WALLET, form=form)
    config(staged, tmp_path, guard, protocol)
    plan = tmp_path / "plan.json"
    made = run("plan", "rescue", "--out", plan)
    assert made.code == 3, made.out + made.err
    dry = run("execute", plan, "--json")
    assert dry.code == 0, dry.out + dry.err
    ran = run("execute", plan, "--execute", "--yes", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert [one["end"] for one in ran.doc["ended"]] == ["mined"]
    again = run("plan", "rescue", "--target-health", "1.49")
    assert (again.code, "not below" in again.out) == (0, True), again.out
