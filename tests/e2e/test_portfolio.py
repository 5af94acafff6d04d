"""Positions, risk and status on the protocols' own bytecode, through the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from world.actors import aave, feeds, uniswap
from world.world import actor

from chain.types import parse_address
from tests.e2e.conftest import Ran, Scene
from tests.support.proxy import Proxy

pytestmark = pytest.mark.world

Run = Callable[..., Ran]


def by_market(document: dict[str, Any], owner: str) -> dict[str, dict[str, Any]]:
    return {p["market"]: p for p in document["positions"] if p["owner_name"] == owner}


def test_positions__every_adapter__amounts_are_the_contracts(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    ran = run("positions", "--json", "--config", scene.config(tmp_path))
    assert ran.code == 0
    protocols = {p["protocol"] for p in ran.doc["positions"]}
    assert protocols == {"aave-v3", "morpho-blue", "erc4626", "uniswap-v3", "wallet"}
    assert ran.doc["unknown"] == []
    assert not ran.doc["totals"]["partial"]
    world = scene.world
    for market, name in (("aave-3.0", "Aave 3.0"), ("aave-3.6", "Aave 3.6")):
        for label, owner in scene.stage.owners.items():
            position = by_market(ran.doc, label)[name]
            block = {"blockHash": position["provenance"]["block_hash"]}
            data = aave.account_data(world, market, owner, block=block)
            assert int(position["liquidation"]["health_raw"]) == data.health
            assert position["liquidation"]["status"] == "safe"


def test_risk__document__integers_are_text_addresses_checksummed_blocks_named(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    document = run("--json", "risk", "--config", scene.config(tmp_path)).doc
    head = scene.world.node.block()
    assert document["chains"][0]["block_hash"] == head["hash"]
    integers: list[object] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
        elif isinstance(value, int) and not isinstance(value, bool):
            integers.append(value)
        elif isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
            assert value == parse_address(value)

    walk(document)
    assert integers == []
    for position in document["positions"]:
        assert position["provenance"]["block_hash"] == head["hash"]
        if position["protocol"] == "uniswap-v3":
            assert (
                position["greeks"][0]["delta_usd"] > 0 > position["greeks"][0]["gamma_usd_per_1pct"]
            )
    debts = [leg for p in document["positions"] for leg in p["legs"] if leg["side"] == "debt"]
    assert debts
    assert all(leg["value_usd"] < 0 for leg in debts)


def test_risk__shock__equals_the_real_crash(scene: Scene, run: Run, tmp_path: Path) -> None:
    config = scene.config(tmp_path)
    document = run("risk", "--json", "--shock", "weth=-25%", "--config", config).doc
    told = {p["id"]: p for p in document["shock"]["positions"]}
    with scene.world.node.rollback():
        scene.world.node.set_next_timestamp(scene.world.node.timestamp())
        feeds.crash(scene.world, "ETH / USD", -0.25)
        after = run("status", "--config", config)
        people = run("risk", "--config", config)
        real = run("risk", "--json", "--config", config).doc
    assert after.code == 3
    assert after.out.count("✖ LIQUIDATABLE aave-v3 Aave 3.") == 2
    assert "health 0.8839" in after.out
    # 2,545.45454670 and 2,511.62790740: at 2,545.45 and 2,511.62 they would still be liquidated
    assert "2,545.46" in people.out
    assert "2,511.63" in people.out
    assert sum(p["becomes_liquidatable"] for p in told.values()) == 3
    for position in real["positions"]:
        if position["id"] in told:
            shocked = told[position["id"]]["after"]
            assert shocked["health_raw"] == position["liquidation"]["health_raw"]
            assert shocked["status"] == position["liquidation"]["status"]
    taken = [p["liquidator"] for p in told.values() if p["becomes_liquidatable"]]
    assert all(part["profit_usd"] > 0 and int(part["seized_raw"]) > 0 for part in taken)


@pytest.mark.parametrize(
    ("shocks", "said"),
    [
        (["ETC=-20%"], "did you mean 'ETH'?"),
        (["ETH"], "write NAME=CHANGE%, for example ETH=-20%"),
        (["ETH=-100%"], "leaves no price"),
        (["ETH=-5%", "WETH=-6%"], "names 'WETH' twice"),
    ],
)
def test_risk__shock_that_makes_no_sense__exit_2(
    shocks: list[str], said: str, scene: Scene, run: Run, tmp_path: Path
) -> None:
    given = [part for shock in shocks for part in ("--shock", shock)]
    ran = run("risk", *given, "--config", scene.config(tmp_path))
    assert ran.code == 2
    assert said in ran.err


def test_risk__two_shocks_on_one_factor__exit_2_names_it(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    feed = scene.world.book.feeds["ETH / USD"].proxy
    shocks = ("--shock", "ETH=-5%", "--shock", f"{feed}=-6%")
    ran = run("risk", *shocks, "--config", scene.config(tmp_path))
    assert ran.code == 2
    assert "both move ETH / USD" in ran.err


def test_risk__shock_of_a_factor_few_hang_on__moves_only_those(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    document = run("risk", "--json", "--shock", "BTC=+10%", "--config", config).doc
    (moved,) = document["shock"]["positions"]
    assert "morpho-blue" in moved["id"]
    assert int(moved["after"]["health_raw"]) > int(moved["before"]["health_raw"])
    assert moved["liquidator"] is None


def test_tables__for_people__fit_80_columns_and_say_all(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    risk = run("risk", "--shock", "ETH=-25%", "--config", config)
    positions = run("positions", "--config", config)
    status = run("status", "--config", config)
    assert (risk.code, positions.code, status.code) == (0, 0, 0)
    for out in (risk.out, positions.out, status.out):
        assert max(len(line) for line in out.splitlines()) <= 80
        assert "\x1b" not in out
        assert "Worth" in out
        assert f"block {int(scene.world.node.block()['number'], 16):,}" in out
    for word in ("✔ safe", "✖ LIQUIDATABLE", "ETH / USD ≤", "by this shock", "– no debt"):
        assert word in risk.out
    assert "-21,000" in positions.out
    assert "debt debt" not in " ".join(positions.out.split())
    assert "unlimited allowances" in positions.out


def test_positions__account_that_holds_nothing__no_positions_and_exit_0(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    ran = run("positions", actor("nobody at all"), "--json", "--config", scene.config(tmp_path))
    assert (ran.code, ran.doc["positions"], ran.doc["unknown"]) == (0, [], [])


def test_positions__forty_on_one_account__one_head_and_three_reads(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    world, owner = scene.world, scene.stage.owners["careful"]
    first, second = uniswap.in_order(world, "WETH", "USDC")
    raw = {"WETH": world.amount("WETH", 0.1), "USDC": world.amount("USDC", 300)}
    with world.node.rollback(), Proxy(world.node.url) as proxy:
        for i in range(36):
            world.node.send_many(
                uniswap.mint_position_txs(
                    world, owner, first, second, 3000, -887220, 887220 - 60 * i,
                    raw[first], raw[second],
                )
            )  # fmt: skip
        config = scene.config(tmp_path, proxy.url, "discover = false")
        text = config.read_text()
        ids = [m["id"] for m in world.book["morpho"]["markets"].values()]
        root = f'morpho = "{world.book["morpho"]["morpho"]}"'
        config.write_text(text.replace(root, f"{root}\nmarket_ids = {ids}".replace("'", '"')))
        ran = run("positions", "careful", "--json", "--config", config)
        posts = [body for body in proxy.script.requests if b"eth_" in body]
    assert ran.code == 0
    assert len(ran.doc["positions"]) >= 40
    heads = [body for body in posts if b"eth_getBlockByNumber" in body]
    assert len(heads) == 1
    assert len(posts) - len(heads) <= 3
    assert int(ran.doc["chains"][0]["requests"]) == len(posts)


def test_discovery__second_reading__remembers_and_finds_new_markets(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    with Proxy(scene.world.node.url) as proxy:
        config = scene.config(tmp_path, proxy.url)
        first = run("positions", "--json", "--config", config).doc
        cold = [b for b in proxy.script.requests if b"eth_getLogs" in b]
        proxy.script.requests.clear()
        second = run("positions", "--json", "--config", config).doc
        warm = [b for b in proxy.script.requests if b"eth_getLogs" in b]
    names = {p["market"] for p in first["positions"] if p["protocol"] == "morpho-blue"}
    assert len(names) == 2
    assert names == {p["market"] for p in second["positions"] if p["protocol"] == "morpho-blue"}
    assert any(b'"fromBlock":"0x0"' in b for b in cold)
    assert not any(b'"fromBlock":"0x0"' in b for b in warm)


def test_discovery__switched_off__asks_for_no_logs(scene: Scene, run: Run, tmp_path: Path) -> None:
    with Proxy(scene.world.node.url) as proxy:
        run("positions", "--config", scene.config(tmp_path, proxy.url, "discover = false"))
        assert not any(b"eth_getLogs" in body for body in proxy.script.requests)


def test_doctor__sound_set_up__exit_0(scene: Scene, run: Run, tmp_path: Path) -> None:
    ran = run("doctor", "--json", "--config", scene.config(tmp_path))
    assert ran.code == 0
    found = {c["name"]: c for c in ran.doc["checks"]}
    assert found["demo watchdog"]["status"] == "warning"
    assert found["demo multicall3"]["status"] == "ok"
    assert found["demo reads"]["found"].startswith("one request per round")
    ran = run(
        "doctor", "--config", scene.config(tmp_path, extra=f'ws = "{scene.world.node.ws_url}"')
    )
    assert ran.code == 0
    assert "announces new heads" in ran.out
    dead = run(
        "doctor", "--json", "--config", scene.config(tmp_path, extra='ws = "ws://127.0.0.1:9"')
    )
    assert dead.code == 5
    (failed,) = [c for c in dead.doc["checks"] if c["status"] == "failed"]
    assert failed["name"] == "demo ws"


def test_doctor__wrong_kinds_and_addresses__said(scene: Scene, run: Run, tmp_path: Path) -> None:
    config = scene.config(tmp_path)
    text = config.read_text().replace("[wallets.careful]", '[wallets.careful]\nkind = "safe"')
    where = scene.world.book["multicall3"]["address"]
    config.write_text(text.replace(where, actor("no code here")))
    ran = run("doctor", "--json", "--config", config)
    found = {c["name"]: c for c in ran.doc["checks"]}
    assert found["demo wallet careful"]["status"] == "warning"
    assert "no code at" in found["demo multicall3"]["found"]


def test_doctor__bad_config_and_dead_rpc__exit_4_and_5(run: Run, tmp_path: Path) -> None:
    assert run("doctor", "--config", tmp_path / "none.toml").code == 4
    path = tmp_path / "c.toml"
    path.write_text("version = 1\n[chains.a]\nchain_id = 1\nrpc = ['http://127.0.0.1:9']\n")
    ran = run("doctor", "--json", "--config", path)
    assert ran.code == 5
    (failed,) = [c for c in ran.doc["checks"] if c["status"] == "failed"]
    assert "cannot be reached" in failed["found"]
    assert (failed["name"] + failed["found"]).count("127.0.0.1:9") == 1


def test_risk__full__every_digit_and_what_only_one_protocol_has(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    document = run("risk", "--json", "--config", config).doc
    shown = run("risk", "--full", "--config", config)
    assert shown.code == 0
    assert max(len(line) for line in shown.out.splitlines()) <= 80
    words = " ".join(shown.out.split())
    for position in document["positions"]:
        assert position["owner"] in words
        for leg in position["legs"]:
            assert f"{leg['amount_raw']} base units" in words
        for edge in position["liquidation"]["boundary"]:
            for key in ("price_raw", "safe_price_raw", "current_raw"):
                assert f"raw {edge[key]}" in words
            assert edge["factor"] in words
    for word in ("heartbeat", "close factor", "penalty", "by interest", "bad debt", "in range"):
        assert word in words
    for word in ("delta", "gamma", "LVR", "redeemable", "exit liquidity", "allowance"):
        assert word in words
    assert " ago" in words


def test_risk__facts__are_the_protocols_with_units(scene: Scene, run: Run, tmp_path: Path) -> None:
    document = run("risk", "--json", "--config", scene.config(tmp_path)).doc
    facts = {p["protocol"]: p["facts"] for p in document["positions"]}
    assert facts["wallet"] is None
    assert set(facts) == {"aave-v3", "morpho-blue", "erc4626", "uniswap-v3", "wallet"}
    assert facts["morpho-blue"]["bad_debt_raw"] == "0"
    assert facts["uniswap-v3"]["in_range"] is True
    aave = {p["version"]: p["facts"] for p in document["positions"] if p["protocol"] == "aave-v3"}
    closes = {version: one.get("minimum_base_raw") for version, one in aave.items()}
    assert closes == {"rev 1": None, "rev 10": str(2000 * 10**8)}
    assert all("timestamp" not in one for one in facts.values() if one)


def test_positions__wide_terminal__prices_and_their_ages(
    scene: Scene, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = scene.config(tmp_path)
    assert "Price" not in run("positions", "--config", config).out
    monkeypatch.setenv("COLUMNS", "120")
    wide = run("positions", "--config", config).out
    assert "Price" in wide
    assert " ago" in wide.split("Position", 1)[1]
    assert max(len(line) for line in wide.splitlines()) <= 120
