"""The dashboard: of metrics that exist, laid out without gaps, and unknown is never zero."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ship.metrics import Known, known, unknown_in
from tests.ship.tools import SHIP, unpacked

FOLDER = SHIP / "grafana"
BOARD = FOLDER / "dashboards" / "underkeel.json"


def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(BOARD.read_text())
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in board()["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    """Return every query, variables filled in."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [expr.replace("$chain", ".*").replace("$wallet", ".*") for expr in found]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Known:
    return known(tmp_path_factory.mktemp("metrics"))


def test_board__every_query__is_of_metrics_and_labels_that_exist(metrics: Known) -> None:
    for expr in expressions():
        assert unknown_in(expr, metrics) == [], expr


def test_board__every_legend__is_of_labels_that_are_there(metrics: Known) -> None:
    for panel in panels():
        for target in panel["targets"]:
            shown = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
            kept = re.search(r"by \(([^)]*)\)", target["expr"])
            names = re.findall(r"\bunderkeel_\w+", target["expr"])
            has = set(re.split(r",\s*", kept[1])) if kept else metrics[names[0]]
            assert shown <= has, panel["title"]


def test_board__variables__are_of_labels_that_exist(metrics: Known) -> None:
    for one in board()["templating"]["list"]:
        if one["type"] == "query":
            name, label = re.findall(r"\w+", one["definition"])[1:]
            assert label in metrics[name]
    used = set(re.findall(r"\$(\w+)", json.dumps(panels())))
    assert used <= {one["name"] for one in board()["templating"]["list"]}


def test_board__every_panel__says_what_it_is_and_covers_no_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board()["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in board()["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["description"].endswith(".") for panel in panels())


def test_board__no_value__is_shown_as_unknown_and_never_joined() -> None:
    for panel in panels():
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] == "stat":
            assert defaults["noValue"] == "unknown"
        assert defaults.get("custom", {}).get("spanNulls", False) is False
        for target in panel["targets"]:
            filled = "vector(0)" in target["expr"]
            assert not filled or "underkeel_unknown" in target["expr"]


def test_board__queries__judged_by_promtool__parse(tmp_path: Path) -> None:
    promtool = unpacked("prometheus", "usr/bin/promtool")
    rules = [
        {"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(expressions())
    ]
    page = tmp_path / "queries.yml"
    page.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    said = subprocess.run(
        [promtool, "check", "rules", str(page)], capture_output=True, text=True, timeout=60
    )
    assert said.returncode == 0, said.stdout + said.stderr


def test_provisioning__what_it_names__is_what_compose_mounts() -> None:
    (source,) = yaml.safe_load((FOLDER / "provisioning/datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/underkeel.yaml").read_text())[
        "providers"
    ]
    services = yaml.safe_load((SHIP / "compose.yaml").read_text())["services"]
    mounts = dict(one.split(":")[:2] for one in services["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/{BOARD.name}"
    assert re.fullmatch(r"http://(\w+):9090", source["url"])[1] in services  # type: ignore[index]
    default = next(o for o in board()["templating"]["list"] if o["type"] == "datasource")
    assert default["current"]["value"] == source["uid"]
