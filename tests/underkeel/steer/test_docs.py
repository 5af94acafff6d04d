"""docs/steering.md names every key of an action and every state of a proposal, and no other."""

import re
from pathlib import Path

from underkeel.config.steer import ActionTable
from underkeel.steer.types import Status

TEXT = (Path(__file__).parents[3] / "docs" / "steering.md").read_text(encoding="utf-8")


def rows(title: str) -> list[str]:
    part = TEXT.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([\w-]+)` \|", part, re.MULTILINE)


def test_steering_page__every_key_of_an_action__has_its_row() -> None:
    assert rows("`action`") == list(ActionTable.model_fields)


def test_steering_page__every_end__has_its_row() -> None:
    assert sorted(rows("Execute")) == sorted(status.value for status in Status)
