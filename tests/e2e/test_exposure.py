"""The dependency graph of the demo's positions, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from world.anvil import Anvil
from world.world import World

from tests.e2e.conftest import Ran, Scene

pytestmark = pytest.mark.world

Run = Callable[..., Ran]


def nodes(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["id"]: node for node in document["nodes"]}


def test_exposure__demo__graph_reaches_implementations_feeds_and_the_one_admin(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    ran = run("exposure", "--json", "--config", config)
    assert ran.code == 0
    found = nodes(ran.doc)
    book = scene.world.book
    pool = found[book["aave-3.6"]["pool"]]
    assert pool["proxies"] == ["eip-1967-transparent"]
    assert (pool["admin_kind"], pool["delay_s"]) == ("eoa", "0")
    assert found[book.admin]["kind"] == "control"
    assert found[book.feeds["ETH / USD"].proxy]["kind"] == "oracle"
    assert found[book["metamorpho"]["vault"]]["kind"] == "code"
    edges = {(e["source"], e["target"], e["kind"]) for e in ran.doc["edges"]}
    for name in ("aave-3.0", "aave-3.6"):
        page = book[name]
        assert (page["pool"], page["pool_addresses_provider"], "upgrade") in edges
    live = book.feeds["ETH / USD"]
    assert (live.proxy, live.aggregators[-1], "source") in edges
    assert all(node["factors"] or node["kind"] in ("chain", "account", "token", "spender")
               for node in found.values())  # fmt: skip
    assert ran.doc["el_usd"] == pytest.approx(sum(p["el_usd"] for p in ran.doc["positions"]))
    assert ran.doc["hhi"]["chain"] == 1.0
    assert ran.doc["unknown"] == []


def test_exposure__allowances__worth_what_a_spender_could_take(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    document = run("exposure", "--json", "--config", scene.config(tmp_path)).doc
    rows = document["allowances"]
    assert rows
    assert all(int(row["takes_raw"]) <= int(row["allowance_raw"]) for row in rows)
    assert document["takeable_usd"] <= sum(row["takes_usd"] for row in rows)
    assert any(row["takes_usd"] == 0.0 for row in rows)


def test_exposure__for_people__table_dot_json_and_picture(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    ran = run("exposure", "--config", config, "--plot", tmp_path / "graph.svg")
    assert ran.code == 0
    assert "Worst single failures" in ran.out
    assert "Open allowances" in ran.out
    assert (tmp_path / "graph.svg").read_text().startswith("<svg")
    drawn = run("exposure", "--graph", "dot", "--config", config)
    assert drawn.out.startswith("digraph exposure {")
    told = json.loads(run("exposure", "--graph", "json", "--config", config).out)
    assert set(told) == {"chains", "nodes", "edges"}
    assert len(told["edges"]) == drawn.out.count(" -> ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--graph", "gif"], "none of dot, json"),
        (["--plot", "graph.gif"], "must end in .svg or .png"),
        (["--priors", "nowhere.toml"], "cannot be read"),
    ],
)
def test_exposure__options_that_make_no_sense__exit_2(
    options: list[str], said: str, scene: Scene, run: Run, tmp_path: Path
) -> None:
    ran = run("exposure", *options, "--config", scene.config(tmp_path))
    assert ran.code == 2
    assert said in ran.err


__all__ = ["Anvil", "World"]
