"""The pages on alerts say what there is, and their examples are configs."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.underkeel.alerts.scene import settings
from underkeel.alerts.words import TEXTS, limit
from underkeel.cli.alert import alert_app
from underkeel.config.alerts import AlertTable, built_in
from underkeel.config.builtin import BUILTIN
from underkeel.observe.metrics import METRICS

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "alerts.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_metrics__the_table__is_the_code() -> None:
    told = {row[0].strip("`"): row[1:] for row in rows("Metrics")}
    assert list(told) == list(METRICS)
    for name, metric in METRICS.items():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        assert told[name] == [metric.unit, labels, metric.help]


def test_words__every_metric__has_them() -> None:
    assert set(TEXTS) == set(METRICS)
    for name, text in TEXTS.items():
        assert set(text.where) <= set(METRICS[name].labels) | {"wallet", "protocol", "market"}


def test_rules__the_table__is_the_code() -> None:
    told = {row[0].strip("`"): row for row in rows("Built-in rules")}
    assert list(told) == list(BUILTIN)
    for rule in built_in():
        assert told[rule.id][1] == f"`{rule.expr}`"
        for level in rule.levels:
            side = "below" if level.below else "above"
            assert f"{level.severity} {side} {limit(rule.expr, level.fire)}" in told[rule.id][2]


def test_keys__the_table__is_the_model() -> None:
    text = section("`[[alert]]`").split("`levels`:")[0]
    keys = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert keys == [field.alias or name for name, field in AlertTable.model_fields.items()]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples__each__is_a_config(number: int) -> None:
    given = tomllib.loads(EXAMPLES[number])["alert"]
    made = settings(*given, wallets={"treasury": {"address": "0x" + "11" * 20}})
    assert len(made.alert) >= len(given)


def test_runbook__every_built_in_rule__has_its_section() -> None:
    text = (DOCS / "runbook" / "alerts.md").read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [part.splitlines()[0] for part in parts] == list(BUILTIN)
    for part in parts:
        assert all(f"**{word}.**" in part for word in ("Means", "Check", "Do"))


def test_commands__on_the_page__exist() -> None:
    names = {command.name for command in alert_app.registered_commands}
    used = re.findall(r"^\$ underkeel alert (\w+)", PAGE, re.MULTILINE)
    assert used
    assert set(used) <= names
