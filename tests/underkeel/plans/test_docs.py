"""docs/plans.md names every kind and every key, and no other."""

import re
from pathlib import Path

from underkeel.config.plans import PlanTable
from underkeel.plans.kinds import KINDS

TEXT = (Path(__file__).parents[3] / "docs" / "plans.md").read_text(encoding="utf-8")


def rows(title: str) -> list[str]:
    part = TEXT.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([\w-]+)` \|", part, re.MULTILINE)


def test_plans_page__every_kind__has_its_row() -> None:
    assert sorted(rows("Kinds")) == sorted(("kind", *KINDS))


def test_plans_page__every_key__has_its_row() -> None:
    assert rows("`[[plan]]`") == list(PlanTable.model_fields)
