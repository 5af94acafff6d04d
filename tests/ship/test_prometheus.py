"""Rules and scraping: of metrics that exist, tested, and each with its section in the runbook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ship.metrics import Known, known, unknown_in
from tests.ship.tools import ROOT, SHIP, unpacked
from underkeel.config.load import load

FOLDER = SHIP / "prometheus"
RUNBOOK = "docs/runbook/prometheus.md"


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Known:
    return known(tmp_path_factory.mktemp("metrics"))


@pytest.fixture(scope="module")
def promtool() -> str:
    return unpacked("prometheus", "usr/bin/promtool")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_rule__every_one__is_of_metrics_and_labels_that_exist(
    rule: dict[str, Any], metrics: Known
) -> None:
    assert unknown_in(rule["expr"], metrics) == []
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    kept = re.search(r"by \(([^)]*)\)", rule["expr"])
    has = (
        {name.strip() for name in kept[1].split(",")}
        if kept
        else set().union(*(metrics.get(name, set()) for name in names_in(rule["expr"])))
    )
    assert shown <= has
    assert rule["labels"]["severity"] in ("none", "warning", "critical")


def names_in(expr: str) -> list[str]:
    return re.findall(r"\bunderkeel_\w+", expr)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_rule__every_one__leads_to_its_section(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert page == RUNBOOK
    assert anchor == rule["alert"].lower()
    assert f"\n## {rule['alert']}\n" in (ROOT / page).read_text()


def test_runbook__every_section__is_of_a_rule() -> None:
    titles = re.findall(r"^## (\w+)$", (ROOT / RUNBOOK).read_text(), re.MULTILINE)
    assert titles == [rule["alert"] for rule in rules()]


def test_rules__their_tests__one_that_fires_and_one_that_does_not() -> None:
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    fires: dict[str, list[bool]] = {}
    for one in tests:
        for case in one["alert_rule_test"]:
            fires.setdefault(case["alertname"], []).append(bool(case["exp_alerts"]))
    always = {"UnderkeelWatchdog"}
    for rule in rules():
        expected = [True] if rule["alert"] in always else [False, True]
        assert sorted(fires[rule["alert"]]) == expected, rule["alert"]


def test_rules__judged_by_promtool__are_right_and_pass_their_tests(promtool: str) -> None:
    for check in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        said = subprocess.run(
            [promtool, *check], cwd=FOLDER, capture_output=True, text=True, timeout=60
        )
        assert said.returncode == 0, said.stdout + said.stderr


def test_config__judged_by_promtool__is_right(promtool: str, tmp_path: Path) -> None:
    (tmp_path / "web-token").write_text("x" * 32)
    (tmp_path / "alerts.yml").write_text((FOLDER / "alerts.yml").read_text())
    text = (FOLDER / "prometheus.yml").read_text().replace("/etc/prometheus/", "")
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/", f"{tmp_path}/"))
    said = subprocess.run(
        [promtool, "check", "config", "prometheus.yml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr


def test_config__target__is_a_name_that_the_pages_answer_to(tmp_path: Path) -> None:
    scrape = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"][0]
    ((target,),) = [one["targets"] for one in scrape["static_configs"]]
    host, _, port = target.partition(":")
    found = load(SHIP / "config" / "underkeel.toml", {"ETH_RPC": "http://127.0.0.1:1"})
    assert found.settings.web is not None
    assert host in found.settings.web.hosts
    assert int(port) == found.settings.web.address[1]
    assert scrape["authorization"]["type"] == "Bearer"
    rule = next(one for one in rules() if one["alert"] == "UnderkeelDown")
    assert f'job="{scrape["job_name"]}"' in rule["expr"]
