"""`stress --borrowers` against the real vault after the real liquidations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from world.actors import feeds, morpho, vaults
from world.node import Reverted

from chain.types import checksum
from protocols.morpho_blue.discovery import BORROW
from tests.e2e.conftest import Ran, Scene

pytestmark = pytest.mark.world

Run = Callable[..., Ran]
FALL = "[scenarios.fall]\nmoves = { ETH = -0.5 }\n"


VAULT = ":erc4626:"


def borrowers(scene: Scene) -> list[tuple[str, str]]:
    """Return who borrowed in which market, from the node's logs."""
    world = scene.world
    names = {record["id"]: name for name, record in world.book["morpho"]["markets"].items()}
    asked = {"fromBlock": "0x0", "address": morpho.morpho(world).address,
             "topics": ["0x" + BORROW.hex()]}  # fmt: skip
    found = world.node.rpc.request("eth_getLogs", asked)
    rows = [(names[log["topics"][1]], "0x" + log["topics"][2][-40:]) for log in found]
    return list(dict.fromkeys(rows))


def liquidated(scene: Scene, market: str, owner: str) -> bool:
    """Seize all of somebody's collateral, or repay all of his debt where that is less."""
    world, liquidator = scene.world, scene.stage.liquidator
    held = morpho.position(world, market, checksum(owner))
    for way in ({"seized": held.collateral}, {"shares": held.borrow_shares}):
        try:
            morpho.morpho_liquidate(world, market, liquidator, checksum(owner), **way)
        except (Reverted, ValueError):
            continue
        return True
    return False


def test_borrowers__half_of_ether_in_one_step__the_vault_loses_what_the_model_says(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    world = scene.world
    config = scene.config(tmp_path)
    (tmp_path / "fall.toml").write_text(FALL)
    asked = ("stress", "--scenarios", tmp_path / "fall.toml", "--scenario", "fall",
             "--steps", "1", "--json", "--config", config)  # fmt: skip
    usdc = vaults.vault(world, "wUSDC").address.lower()
    plain = [p for p in run(*asked).doc["scenarios"][0]["positions"] if usdc in p["id"].lower()]
    assert [p["loss_usd"] for p in plain] == [0.0]
    ran = run(*asked, "--borrowers")
    assert (ran.code, ran.doc["unknown"]) == (0, [])
    (told,) = [p for p in ran.doc["scenarios"][0]["positions"] if usdc in p["id"].lower()]
    assert 0 < told["loss_usd"] < told["before_usd"]
    bound = vaults.vault(world, "wUSDC")
    with world.node.rollback():
        before = bound.call("totalAssets")
        feeds.crash(world, "ETH / USD", -0.5)
        seized = [liquidated(scene, market, owner) for market, owner in borrowers(scene)]
        after = bound.call("totalAssets")
    assert any(seized)
    assert told["loss_usd"] / told["before_usd"] == pytest.approx(1 - after / before, rel=1e-4)


def test_borrowers__paths__the_vaults_losses_are_in_the_tail(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    asked = ("stress", "--paths", "600", "--vol", "ETH=300%", "--json", "--config", config)
    without, with_ = run(*asked).doc, run(*asked, "--borrowers").doc
    part = {p["id"]: p["es_usd"] for p in with_["risk"]["parts"]}
    old = {p["id"]: p["es_usd"] for p in without["risk"]["parts"]}
    usdc = vaults.vault(scene.world, "wUSDC").address.lower()
    (vault,) = [name for name in part if usdc in name.lower()]
    assert part[vault] > old[vault]
    assert with_["risk"]["tails"][1]["es_usd"] > without["risk"]["tails"][1]["es_usd"]


def test_borrowers__logs_that_the_node_refuses__the_vault_is_unknown_not_safe(
    scene: Scene, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chain.client import Client
    from chain.errors import ChainError

    def refused(*_args: object, **_more: object) -> None:
        raise ChainError("no logs here")

    config = scene.config(tmp_path)
    (tmp_path / "fall.toml").write_text(FALL)
    asked = ("stress", "--scenarios", tmp_path / "fall.toml", "--scenario", "fall",
             "--json", "--config", config)  # fmt: skip
    run(*asked)  # what positions need of the logs is remembered
    monkeypatch.setattr(Client, "logs", refused)
    doc = run(*asked, "--borrowers").doc
    assert any("its borrowers: " in cause and "no logs here" in cause for cause in doc["unknown"])
    (told,) = [p for p in doc["scenarios"][0]["positions"] if VAULT in p["id"] and p["causes"]]
    assert told["after_usd"] is None
