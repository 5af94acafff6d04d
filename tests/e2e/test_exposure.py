"""The dependency graph of the demo's positions, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chain.types import checksum
from tests.e2e.conftest import Ran, Scene
from tests.support import faults
from tests.support.proxy import Proxy
from underkeel.cli.main import app
from underkeel.documents.registry import DOCUMENTS

pytestmark = pytest.mark.world

Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def told(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of the demo's positions, read once."""
    folder = tmp_path_factory.mktemp("exposure")
    args = ["exposure", "--json", "--config", str(scene.config(folder))]
    ran = CliRunner().invoke(app, args, env={"UNDERKEEL_CACHE_DIR": str(folder / "cache")})
    assert ran.exit_code == 0
    found: dict[str, Any] = json.loads(ran.stdout)
    DOCUMENTS[found["schema"]].model_validate_json(ran.stdout)
    return found


def nodes(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["id"]: node for node in document["nodes"]}


def test_exposure__demo__graph_reaches_implementations_feeds_and_the_one_admin(
    scene: Scene, told: dict[str, Any]
) -> None:
    found, book = nodes(told), scene.world.book
    pool = found[book["aave-3.6"]["pool"]]
    assert pool["proxies"] == ["eip-1967-transparent"]
    assert (pool["admin_kind"], pool["delay_s"]) == ("eoa", "0")
    assert found[book.admin]["kind"] == "control"
    assert found[book.feeds["ETH / USD"].proxy]["kind"] == "oracle"
    assert found[book["metamorpho"]["vault"]]["kind"] == "code"
    edges = {(e["source"], e["target"], e["kind"]) for e in told["edges"]}
    for name in ("aave-3.0", "aave-3.6"):
        page = book[name]
        assert (page["pool"], page["pool_addresses_provider"], "upgrade") in edges
    live = book.feeds["ETH / USD"]
    assert (live.proxy, live.aggregators[-1], "source") in edges
    asked = [n for n in told["nodes"] if n["kind"] not in ("chain", "account", "token", "spender")]
    assert all(node["factors"] for node in asked)
    assert told["el_usd"] == pytest.approx(sum(p["el_usd"] for p in told["positions"]))
    assert told["hhi"]["chain"] == 1.0
    assert told["unknown"] == []


def test_exposure__metamorpho__curated_after_its_timelock(
    scene: Scene, told: dict[str, Any]
) -> None:
    vault = scene.world.book["metamorpho"]["vault"]
    wait = scene.world.contract("metamorpho/MetaMorpho", vault).call("timelock")
    node = nodes(told)[vault]
    assert {(w["verb"], w["delay_s"]) for w in node["ways"]} == {("configure", str(wait))}
    assert node["delay_s"] == str(wait)


def test_exposure__positions__worst_admin_and_shortest_way_of_all_they_stand_on(
    told: dict[str, Any],
) -> None:
    found = {p["id"].split(":")[1]: (p["admin_kind"], p["delay_s"]) for p in told["positions"]}
    assert found["aave-v3"] == ("eoa", "0")
    labels = {node["label"] for node in told["nodes"]}
    assert {"WETH", "USDC", "ETH / USD"} <= labels


def test_exposure__vault__stands_on_every_market_of_its_queue(
    scene: Scene, told: dict[str, Any]
) -> None:
    book = scene.world.book
    (position,) = [p["id"] for p in told["positions"] if book["metamorpho"]["vault"] in p["id"]]
    edges = [e for e in told["edges"] if e["source"] == position]
    assert book["morpho"]["morpho"] in {e["target"] for e in edges}
    assert {e["kind"] for e in edges} >= {"market", "oracle", "rate-model", "token"}
    shares = [e["lgd"] for e in edges if e["kind"] == "market"]
    assert 0 < sum(shares) <= 1.0 + 1e-9


def test_exposure__oracle_under_several_positions__is_one_node_and_one_row(
    scene: Scene, told: dict[str, Any]
) -> None:
    feed = scene.world.book.feeds["ETH / USD"].proxy
    assert sum(node["id"] == feed for node in told["nodes"]) == 1
    (row,) = [w for w in told["worst"] if w["node"].endswith(feed)]
    protocols = {position.split(":")[1] for position in row["positions"]}
    assert {"aave-v3", "morpho-blue"} <= protocols
    assert len(row["positions"]) == len(set(row["positions"]))
    ead = {p["id"]: p["ead_usd"] for p in told["positions"]}
    assert 0 < row["loss_usd"] <= 0.5 * sum(ead[p] for p in row["positions"]) + 1e-6


def test_exposure__allowances__worth_what_a_spender_could_take(told: dict[str, Any]) -> None:
    rows = told["allowances"]
    assert rows
    assert all(int(row["takes_raw"]) <= int(row["allowance_raw"]) for row in rows)
    assert told["takeable_usd"] <= sum(row["takes_usd"] for row in rows)
    assert any(row["takes_usd"] == 0.0 for row in rows)


def test_exposure__exits__what_is_free_leaves_now(told: dict[str, Any]) -> None:
    exits = [one for p in told["positions"] for one in p["exits"]]
    assert all(int(e["available_raw"]) <= int(e["claim_raw"]) for e in exits)
    assert all(e["exit_days"] == 0.0 for e in exits if e["available_raw"] == e["claim_raw"])
    assert any(e["utilisation_frac"] for e in exits)


def test_exposure__for_people__table_dot_and_picture(
    scene: Scene, run: Run, tmp_path: Path, told: dict[str, Any]
) -> None:
    config = scene.config(tmp_path)
    ran = run("exposure", "--config", config, "--plot", tmp_path / "graph.svg")
    assert ran.code == 0
    assert "Worst single failures" in ran.out
    assert "Open allowances" in ran.out
    assert (tmp_path / "graph.svg").read_text().startswith("<svg")
    drawn = run("exposure", "--graph", "dot", "--config", config)
    assert drawn.out.startswith("digraph exposure {")
    assert len(told["edges"]) == drawn.out.count(" -> ")
    parts = json.loads(run("exposure", "--graph", "json", "--config", config).out)
    assert set(parts) == {"chains", "nodes", "edges"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--graph", "gif"], "none of dot, json"),
        (["--plot", "graph.gif"], "must end in .svg or .png"),
        (["--priors", "nowhere.toml"], "cannot be read"),
        (["--facts", "underkeel.toml"], "only [[contract]] and [[cover]]"),
    ],
)
def test_exposure__options_that_make_no_sense__exit_2(
    options: list[str], said: str, scene: Scene, run: Run, tmp_path: Path
) -> None:
    ran = run("exposure", *options, "--config", scene.config(tmp_path))
    assert ran.code == 2
    assert said in ran.err


def test_exposure__own_priors_facts_and_history__are_used(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    pool = scene.world.book["aave-3.6"]["pool"]
    priors, facts = tmp_path / "priors.toml", tmp_path / "facts.toml"
    priors.write_text("horizon_years = 0.0\n")
    facts.write_text(
        f'[[contract]]\naddress = "{pool}"\nincidents = ["one", "two"]\n'
        f'[[cover]]\nname = "policy"\ncovers = ["{pool}"]\nlimit_usd = 10.0\npays = 1.0\n'
    )
    given = ("--priors", priors, "--facts", facts, "--history", "--config", config)
    document = run("exposure", "--json", *given).doc
    assert document["el_usd"] == 0.0
    assert [c["name"] for c in document["cover"]] == ["policy"]
    factors = {f["name"]: f for f in nodes(document)[pool]["factors"]}
    assert factors["incidents"]["multiplier"] == 3.0
    assert factors["age"]["value"] == "unknown"  # the world's past before its dump is not kept


def test_exposure__chain_that_does_not_answer__exit_5_and_unknown_not_zero(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path, url="http://127.0.0.1:9")
    ran = run("exposure", "--json", "--config", config)
    assert ran.code == 5
    assert ran.doc["el_usd"] is None
    assert ran.doc["unknown"] != []


def test_exposure__diff_of_several_chains__exit_2(scene: Scene, run: Run, tmp_path: Path) -> None:
    config = scene.config(tmp_path)
    extra = '\n[chains.other]\nchain_id = 77\nrpc = "http://127.0.0.1:9"\n'
    config.write_text(config.read_text() + extra)
    ran = run("exposure", "--diff", "1", "--config", config)
    assert ran.code == 2
    assert "one chain" in ran.err


def test_exposure__logs_refused__holders_of_roles_unknown_never_none(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    book = scene.world.book
    with Proxy(scene.world.node.url) as proxy:
        refused = faults.failing("eth_getLogs", -32601, "no such method")
        proxy.script.always(refused, lambda body: b"eth_getLogs" in body)
        document = run("exposure", "--json", "--config", scene.config(tmp_path, proxy.url)).doc
    assert any("which were not read" in text for text in document["unknown"])
    assert document["el_usd"] is None
    provider = scene.world.contract(
        "aave-3.6/PoolAddressesProvider", book["aave-3.6"]["pool_addresses_provider"]
    )
    ruled = nodes(document)[checksum(provider.call("getACLManager"))]
    assert ruled["admin_kind"] == "unknown"
    assert any(f["name"] == "readable" and f["value"] == "no" for f in ruled["factors"])
    holder = nodes(document)[f"unknown:{ruled['id']}"]
    assert holder["pd_annual"] > nodes(document)[book.admin]["pd_annual"]
