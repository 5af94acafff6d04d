"""What governance did between two blocks, and what it did to a position's health."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from world.actors import aave, feeds

from chain.types import checksum
from tests.e2e.conftest import Ran, Scene

pytestmark = pytest.mark.world

Run = Callable[..., Ran]


def govern(scene: Scene) -> dict[str, str]:
    """Lower WETH's threshold, swap its feed for one that tells 10 % less, cap and freeze it."""
    world, admin = scene.world, scene.world.book.admin
    page = world.book["aave-3.6"]
    change = aave.configurator(world, "aave-3.6")
    weth = world.book.tokens["WETH"].address
    change.send(admin, "configureReserveAsCollateral", weth, 7000, 7900, 10500)
    change.send(admin, "setSupplyCap", weth, 123_456)
    change.send(admin, "setReserveFreeze", weth, True)
    oracle = world.contract("aave-3.6/AaveOracle", page["oracle"])
    former = oracle.call("getSourceOfAsset", weth)
    other = feeds.feed_of(world, "wstETH / USD").proxy
    oracle.send(admin, "setAssetSources", [weth], [other])
    return {"weth": weth, "former": former, "other": other}


def test_diff__parameters_and_oracle__named_with_their_effect_on_health(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    world, config = scene.world, scene.config(tmp_path)
    owner = scene.stage.owners["daring"]
    with world.node.rollback():
        then = int(world.node.block()["number"], 16)
        with world.node.rollback():
            done = govern(scene)
            time = world.node.timestamp()
            ran = run("exposure", "--diff", str(then), "--json", "--config", config)
            people = run("exposure", "--diff", str(then), "--config", config)
            now = aave.account_data(world, "aave-3.6", owner).health
        world.node.mine_at(time)
        untouched = aave.account_data(world, "aave-3.6", owner).health
    assert (ran.code, people.code) == (0, 0)
    (diff,) = ran.doc["diff"]
    provider = world.book["aave-3.6"]["pool_addresses_provider"]
    mine = [c for c in diff["changes"] if f"{provider}:{owner}" in c["subject"]]
    told = {c["what"]: (c["before"], c["after"]) for c in mine}
    assert told["parameter WETH liquidation threshold"] == ("8300", "7900")
    assert told["parameter WETH LTV"] == ("8050", "0")  # a freeze takes the LTV
    assert told["parameter WETH frozen"] == ("False", "True")
    assert told["parameter WETH supply cap"][1] == "123456"
    assert told["oracle"] == (checksum(done["former"]), checksum(done["other"]))
    # what nobody touched is not told: the other pool's position, Morpho's, the vaults'
    others = [c for c in diff["changes"] if provider not in c["subject"] and ":" in c["subject"]]
    assert others == []
    effect = next(e for e in diff["effects"] if f"{provider}:{owner}" in e["position"])
    assert int(effect["now_raw"]) == now
    assert int(effect["under_old_rules_raw"]) == untouched
    assert now != untouched
    assert "now under the old rules" in people.out


def test_diff__nothing_happened__nothing_is_told(scene: Scene, run: Run, tmp_path: Path) -> None:
    config = scene.config(tmp_path)
    head = int(scene.world.node.block()["number"], 16)
    with scene.world.node.rollback():
        scene.world.node.mine()
        ran = run("exposure", "--diff", str(head), "--json", "--config", config)
    assert ran.code == 0
    (diff,) = ran.doc["diff"]
    assert diff["changes"] == []
    assert all(e["now_raw"] == e["under_old_rules_raw"] for e in diff["effects"])


def test_diff__block_that_is_not_there__exit_2(scene: Scene, run: Run, tmp_path: Path) -> None:
    ran = run("exposure", "--diff", "999999999", "--config", scene.config(tmp_path))
    assert ran.code == 2
    assert "could not be read" in ran.err
