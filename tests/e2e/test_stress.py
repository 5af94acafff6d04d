"""`stress` on the protocols' own bytecode, through the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.e2e.conftest import Ran, Scene

pytestmark = pytest.mark.world

Run = Callable[..., Ran]
PAGE = (Path(__file__).parents[2] / "docs" / "stress.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line[2:] for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("command", COMMANDS)
def test_stress_page__every_command_shown__ends_with_0(
    command: str, scene: Scene, run: Run, tmp_path: Path
) -> None:
    scene.config(tmp_path)
    program, *args = shlex.split(command)
    assert program == "underkeel"
    ran = run(*args)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out


def test_stress_page__example__is_a_sound_file(tmp_path: Path) -> None:
    from underkeel.stress.library import library

    (example,) = re.findall(r"^```\n(\[scenarios.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    path = tmp_path / "mine.toml"
    path.write_text(example)
    assert library(path).scenario("my-night").gas == 20


def test_stress__everything__document_adds_up(scene: Scene, run: Run, tmp_path: Path) -> None:
    config = scene.config(tmp_path)
    doc = run("stress", "--json", "--config", config).doc
    assert doc["unknown"] == []
    by_name = {s["name"]: s for s in doc["scenarios"]}
    assert {"march-2020", "lst-depeg", "protocol-aave-v3", "oracle-ETH / USD"} <= set(by_name)
    # an oracle made of feeds is not moved beside them
    lies = {name.removeprefix("oracle-") for name in by_name if name.startswith("oracle-")}
    assert lies == {"ETH / USD", "BTC / USD", "USDC / USD"}
    crash = by_name["march-2020"]
    assert len(crash["moves"]) == 4
    assert crash["loss_usd"] == pytest.approx(sum(p["loss_usd"] for p in crash["positions"]))
    assert int(crash["liquidated"]) == 3
    positions = run("positions", "--json", "--config", config).doc
    assert crash["before_usd"] == pytest.approx(positions["totals"]["equity_usd"])
    held = {p["id"]: p["equity_usd"] for p in positions["positions"]}
    for position in crash["positions"]:
        if ":wallet:" not in position["id"]:
            assert position["before_usd"] == pytest.approx(held[position["id"]])
    labels = {g["label"] for g in doc["greeks"]}
    assert {"ETH / USD", "BTC / USD", "USDC / USD"} <= labels


def test_stress__tables__name_what_is_lost(scene: Scene, run: Run, tmp_path: Path) -> None:
    config = scene.config(tmp_path)
    out = run("stress", "--config", config).out
    assert "march-2020" in out
    assert "Greeks" in out
    out = run("stress", "--grid", "ETH,BTC", "--config", config).out
    assert "Loss in USD as ETH (down) and BTC (across) move" in out
    out = run("stress", "--paths", "200", "--vol", "ETH=70%", "--config", config).out
    assert "VaR" in out
    assert "within 3 sigmas" in out
    whose = out.split("Whose the ES")[1].split("VaR 99 %")[0]
    rows = [line.strip() for line in whose.splitlines()[2:] if line.strip()]
    assert len({row.rsplit("  ", 1)[0] for row in rows}) == len(rows) > 3, "no two rows alike"
    assert "assumed" in out


def test_stress__failures__are_the_exposures_worst_and_no_position_loses_twice(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path)
    doc = run("stress", "--failures", "--json", "--config", config).doc
    told = run("exposure", "--json", "--config", config).doc
    worst = {node: w["loss_usd"] for w in told["worst"] for node in w["nodes"]}
    failures = [s for s in doc["scenarios"] if "nodes" in s]
    kinds = {s["name"].removeprefix("fails: ").split()[0] for s in failures}
    assert {"oracle", "issuer", "admin", "code"} <= kinds
    for scenario in failures:
        assert scenario["loss_usd"] == pytest.approx(worst[scenario["nodes"][0]])
        assert scenario["loss_usd"] == pytest.approx(
            sum(p["loss_usd"] for p in scenario["positions"])
        )
        assert sum(p["loss_usd"] > 0 for p in scenario["positions"]) >= 2
        assert all(0 <= p["loss_usd"] <= max(0, p["before_usd"]) for p in scenario["positions"])
    nodes = [node for s in failures for node in s["nodes"]]
    assert len(nodes) == len(set(nodes)), "no node fails in two scenarios"


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
@pytest.mark.parametrize("asked", [("--grid", "ETH,BTC"), ("--scenario", "march-2020")])
def test_stress__plot__writes_a_picture(
    asked: tuple[str, ...], scene: Scene, run: Run, tmp_path: Path
) -> None:
    target = tmp_path / "picture.png"
    ran = run("stress", *asked, "--plot", target, "--config", scene.config(tmp_path))
    assert ran.code == 0
    assert target.read_bytes().startswith(b"\x89PNG")
    assert f"written to {target}" in ran.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--scenario march2020", "did you mean 'march-2020'"),
        ("--scenario protocol-aave-v3", "leave --scenario out"),
        ("--grid ETH", "write --grid ETH,BTC"),
        ("--grid ETHH,BTC", "did you mean 'ETH'"),
        ("--paths 5", "between 100 and"),
        ("--steps 0", "between 1 and"),
        ("--days 0", "more than 0"),
        ("--gas-usd -1", "not below 0"),
        ("--vol ETH", "write NAME=PERCENT%"),
        ("--vol ETHH=5%", "did you mean 'ETH'"),
        ("--plot a.jpg", "ends in .png or .svg"),
        ("--scenarios none.toml", "cannot be read"),
    ],
)
def test_stress__bad_options__exit_2_and_say_what_to_write(
    args: str, said: str, scene: Scene, run: Run, tmp_path: Path
) -> None:
    ran = run("stress", *args.split(), "--config", scene.config(tmp_path))
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_stress__node_down__exit_5_and_says_what_is_missing(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    config = scene.config(tmp_path, "http://127.0.0.1:9")
    ran = run("stress", "--json", "--config", config)
    assert ran.code == 5
    assert ran.doc["unknown"]
    assert all(s["partial"] and s["loss_usd"] is None for s in ran.doc["scenarios"])
