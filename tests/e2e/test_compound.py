"""A Compound position through the command line: amounts, health, shocks, stress, exposure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from world.actors import compound, feeds
from world.anvil import Anvil
from world.world import World, actor

from chain.types import ZERO_ADDRESS, checksum
from risk.liquidation.compound_v2 import ENGINE
from tests.e2e.conftest import Ran
from tests.protocols.compound_v2 import scene

pytestmark = pytest.mark.world

Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def owner(anvil: World[Anvil]) -> Iterator[str]:
    """Open a position: coins and dollars supplied, dollars of another kind owed."""
    who = checksum(actor("compound e2e"))
    with anvil.node.rollback():
        anvil.node.fund([who])
        compound.supply(anvil, "cETH", who, 10)
        compound.supply(anvil, "cUSDC", who, 2_000)
        compound.borrow(anvil, "cDAI", who, 18_000)
        anvil.node.mine(10)
        yield who


@pytest.fixture
def config(anvil: World[Anvil], owner: str, tmp_path: Path) -> Path:
    book = anvil.book
    path = tmp_path / "underkeel.toml"
    path.write_text(f"""version = 1
[chains.test]
chain_id = {anvil.node.chain_id}
rpc = ["{anvil.node.url}"]
multicall3 = "{book["multicall3"]["address"]}"
[[chains.test.markets]]
adapter = "compound-v2"
name = "Compound"
comptroller = "{book["compound-v2"]["comptroller"]}"
[wallets.mine]
address = "{owner}"
""")
    return path


def the_position(document: dict[str, Any]) -> dict[str, Any]:
    (found,) = (p for p in document["positions"] if p["protocol"] == "compound-v2")
    return dict(found)


def test_risk__json__is_what_the_engine_says(
    anvil: World[Anvil], owner: str, config: Path, run: Run
) -> None:
    ran = run("risk", "--json", "--config", config)
    assert ran.code == 0
    (position,) = scene.positions(scene.read(anvil, [owner]))
    told, state = the_position(ran.doc), scene.state_of(position)
    assert int(told["liquidation"]["health_raw"]) == ENGINE.health(state)
    assert told["liquidation"]["status"] == "safe"
    assert [m["underlying"] for m in told["facts"]["markets"]].count(ZERO_ADDRESS) == 1
    assert told["facts"]["interest_by"] == "blocks"
    assert [m["entered"] for m in told["facts"]["markets"]] == [True] * 3
    assert told["equity_usd"] is not None


def test_risk__tables__name_the_feeds(config: Path, run: Run) -> None:
    ran = run("risk", "--full", "--config", config)
    assert ran.code == 0
    assert "ETH / USD" in ran.out
    assert "compound-v2" in ran.out


def test_risk__shock__is_the_real_crash(
    anvil: World[Anvil], owner: str, config: Path, run: Run
) -> None:
    told = run("risk", "--json", "--shock", "ETH=-35%", "--config", config).doc["shock"]
    (shocked,) = told["positions"]
    assert shocked["becomes_liquidatable"]
    with anvil.node.rollback():
        feeds.crash(anvil, "ETH / USD", -0.35)
        real = the_position(run("risk", "--json", "--config", config).doc)
    # a block's interest lies between them
    assert real["liquidation"]["status"] == "liquidatable"
    assert int(shocked["after"]["health_raw"]) == pytest.approx(
        int(real["liquidation"]["health_raw"]), rel=1e-6
    )
    assert shocked["liquidator"]["profit_usd"] > 0


def test_risk__target_health__amounts_reach_it(config: Path, run: Run) -> None:
    ran = run("risk", "--json", "--target-health", "1.8", "--config", config)
    assert ran.code == 0
    assert "remed" in ran.out


def test_stress__grid__plays_the_liquidations(config: Path, run: Run) -> None:
    ran = run("stress", "--json", "--grid", "ETH,DAI", "--config", config)
    assert ran.code == 0, ran.err
    assert "not played" not in ran.out
    assert '"status": "unknown"' not in ran.out
    worst = ran.doc["grid"]["worst"]
    assert worst["liquidated"] == "1"
    assert worst["loss_usd"] > 0


def test_exposure__stands_on_comptroller_oracle_and_rate_models(
    anvil: World[Anvil], config: Path, run: Run
) -> None:
    ran = run("exposure", "--json", "--config", config)
    assert ran.code == 0, ran.err
    book = anvil.book["compound-v2"]
    for address in (book["comptroller"], book["oracle"], book["ctokens"]["cETH"]):
        assert checksum(address) in ran.out
    model = compound.ctoken(anvil, "cUSDC").call("interestRateModel")
    assert checksum(model) in ran.out


def test_diff__collateral_factor_lowered__named_with_its_effect(
    anvil: World[Anvil], config: Path, run: Run
) -> None:
    then = anvil.node.block()["number"]
    with anvil.node.rollback():
        before = the_position(run("risk", "--json", "--config", config).doc)
        admin, ceth = anvil.book.admin, compound.ctoken(anvil, "cETH").address
        compound.comptroller(anvil).send(admin, "_setCollateralFactor", ceth, 5 * 10**17)
        ran = run("exposure", "--json", "--diff", str(int(then, 16)), "--config", config)
    assert ran.code == 0, ran.err
    assert "cETH collateral factor" in ran.out
    (diff,) = ran.doc["diff"]
    (effect,) = (e for e in diff["effects"] if "compound-v2" in e["position"])
    was = int(before["liquidation"]["health_raw"])
    assert int(effect["then_raw"]) == was
    assert int(effect["now_raw"]) < was * 3 // 4
    # under the rules of then: but for a block's interest what it was
    assert int(effect["under_old_rules_raw"]) == pytest.approx(was, rel=1e-6)
