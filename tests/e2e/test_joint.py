"""Joint distances, chances and remedies through the command line, on the world."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from world.actors import aave, feeds
from world.actors.tokens import approve_tx, mint_txs

from tests.e2e.conftest import Ran, Scene

pytestmark = pytest.mark.world

Run = Callable[..., Ran]
WEEK = 604_800


def lending(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [p for p in document["positions"] if p["liquidation"]["health_raw"] is not None]


def test_risk__horizon__first_to_fall_is_the_least_beta(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    document = run("risk", "--json", "--horizon", "7d", "--config", config).doc
    wallet = document["joint"]
    betas = {p["id"]: p["liquidation"]["joint"]["beta_sigma"] for p in lending(document)}
    assert [fall["id"] for fall in wallet["order"]] == sorted(betas, key=betas.__getitem__)
    assert wallet["first"] == wallet["order"][0]["id"]
    assert wallet["beta_sigma"] == min(betas.values())
    assert wallet["horizon_s"] == str(WEEK)
    assert wallet["order"][0]["multiple"] == pytest.approx(1)
    assert wallet["unmeasured"] == []
    for position in lending(document):
        found = position["liquidation"]
        joint = found["joint"]
        assert joint["certified"]
        assert joint["method"] == "closed form in logs"
        assert joint["exact_multiple"] == pytest.approx(1, abs=1e-3)
        for move in joint["shock"]:
            assert abs(int(move["price_raw"]) - int(move["safe_price_raw"])) <= 1
            ratio = int(move["price_raw"]) / int(move["current_raw"])
            assert ratio - 1 == pytest.approx(move["return_frac"], abs=2e-3)
        simulated = [c for c in found["prob"] if c["ci_lo"] is not None]
        assert [c["horizon_s"] for c in simulated] == ["3600", "86400", str(WEEK)]
        chances = [c["p"] for c in simulated]
        assert chances == sorted(chances)
        assert all(c["ci_lo"] <= c["p"] <= c["ci_hi"] for c in simulated)
        assert found["oracle_distance_frac"] < 0
        assert found["economic_distance_frac"] == pytest.approx(found["oracle_distance_frac"])
    shown = run("risk", "--horizon", "7d", "--config", config)
    assert max(len(line) for line in shown.out.splitlines()) <= 80
    # an ellipsis stands within a shortened address or id, and never where a cell was cut
    assert re.search(r"…(?![0-9A-Fa-f\n ]|$)", shown.out) is None
    assert all(line.rstrip()[-1:] != "…" for line in shown.out.splitlines())
    assert "falls first" in shown.out
    assert "σ" in shown.out
    full = " ".join(run("risk", "--full", "--config", config).out.split())
    for word in ("σ of 1 d", "certified", "filtered historical simulation", "by the oracle"):
        assert word in full


def test_risk__plain__says_nothing_of_what_was_not_asked(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    document = run("risk", "--json", "--config", scene.config(tmp_path)).doc
    assert "joint" not in document
    for position in lending(document):
        assert "remedies" not in position
        assert "joint" not in position["liquidation"]
        assert "prob" not in position["liquidation"]


def test_risk__joint_prices_submitted__the_position_is_liquidatable_there_and_not_before(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    world, config = scene.world, scene.config(tmp_path)
    names = {feed.proxy: name for name, feed in world.book.feeds.items()}
    document = run("risk", "--json", "--horizon", "1d", "--config", config).doc
    first = next(p for p in document["positions"] if p["id"] == document["joint"]["first"])
    # interest of the seconds in between takes the last step; tests/risk has it to the unit
    for share, status in ((0.999, "safe"), (1, "liquidatable")):
        with world.node.rollback():
            for move in first["liquidation"]["joint"]["shock"]:
                now, there = int(move["current_raw"]), int(move["price_raw"])
                answer = there if share == 1 else now + round(share * (there - now))
                feeds.set_price_raw(world, names[move["factor"]], answer)
            after = run("risk", "--json", "--config", config).doc
            found = next(p for p in after["positions"] if p["id"] == first["id"])
            assert found["liquidation"]["status"] == status


def test_risk__target_health__carried_out_as_said_reaches_it(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    world, config = scene.world, scene.config(tmp_path)
    document = run("risk", "--json", "--target-health", "1.8", "--config", config).doc
    position = next(
        p for p in lending(document) if p["market"] == "Aave 3.6" and p["owner_name"] == "daring"
    )
    remedies = position["remedies"]
    assert remedies["target_raw"] == str(18 * 10**17)
    assert not remedies["already"]
    feasible = [r["feasible"] for r in remedies["each"]]
    assert feasible == sorted(feasible, key=["yes", "unknown", "no"].index)
    assert "unknown" not in feasible  # balances, and the room under caps, were read
    repay = next(r for r in remedies["each"] if r["kind"] == "repay")
    amount, payer = int(repay["amount_raw"]), world.book.admin
    pool = aave.pool(world, "aave-3.6")
    with world.node.rollback():
        for tx in mint_txs(world, "USDC", payer, amount):
            world.node.send(tx)
        world.node.send(approve_tx(world, "USDC", payer, pool.address))
        world.node.set_next_timestamp(int(remedies["for_timestamp"]))
        signature = "repay(address,uint256,uint256,address)"
        pool.send(payer, signature, repay["asset"], amount, aave.VARIABLE, position["owner"])
        data = aave.account_data(world, "aave-3.6", position["owner"])
        assert data.health == int(repay["health_raw"]) >= 18 * 10**17
    careful = [p for p in lending(document) if p["owner_name"] == "careful"]
    assert all(p["remedies"]["already"] for p in careful)
    shown = run("risk", "--target-health", "1.8", "--config", config).out
    assert max(len(line) for line in shown.splitlines()) <= 80
    for word in ("To a health of 1.8", "repay", "add", "nothing to do"):
        assert word in shown
    exactly = f"exactly {amount} base units"
    full = run("risk", "--full", "--target-health", "1.8", "--config", config).out
    assert exactly in " ".join(full.split())


@pytest.mark.parametrize(
    "options",
    [
        ("--target-health", "0.9"),
        ("--target-health", "much"),
        ("--horizon", "soon"),
        ("--horizon", "1m"),
    ],
)
def test_risk__senseless_option__exit_2_and_how_to_write_it(
    options: tuple[str, str], scene: Scene, run: Run, tmp_path: Path
) -> None:
    ran = run("risk", *options, "--config", scene.config(tmp_path))
    assert ran.code == 2
    assert "such as 1.8" in ran.err or "for example 7d" in ran.err


@pytest.mark.parametrize("market", ["aave-3.0", "aave-3.6"])
def test_risk__supply_cap__room_is_what_the_pool_has(
    market: str, scene: Scene, run: Run, tmp_path: Path
) -> None:
    world, config = scene.world, scene.config(tmp_path)
    name = {"aave-3.0": "Aave 3.0", "aave-3.6": "Aave 3.6"}[market]
    asset = world.book.tokens["WETH"].address
    supplied = aave.pool(world, market).call("getReserveData", asset)
    receipt = world.node.at(supplied[8], world.token("WETH").interface)
    whole = receipt.call("totalSupply") // 10**18
    for above, tight in ((3, True), (50, False)):
        with world.node.rollback():
            change = aave.configurator(world, market)
            change.send(world.book.admin, "setSupplyCap", asset, whole + above)
            document = run("risk", "--json", "--target-health", "1.8", "--config", config).doc
            position = next(
                p for p in lending(document) if p["market"] == name and p["owner_name"] == "daring"
            )
            add = next(r for r in position["remedies"]["each"] if r["kind"] == "add")
            assert 4 < int(add["amount_raw"]) / 10**18 < 10
            assert ("the supply cap leaves less room" in add["reasons"]) is tight
            assert add["feasible"] == "no"  # there is no WETH in the wallet
