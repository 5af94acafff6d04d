"""docs/api.md names every path there is, and every filter of it."""

import re
from pathlib import Path

from tests.underkeel.web.scene import Scene
from underkeel.web.acts import MOST_S
from underkeel.web.stream import BEAT_S, MOST_MISSED

PAGE = (Path(__file__).parents[3] / "docs/api.md").read_text("utf-8")
BOUNDS = {"limit", "offset", "before"}


def test_api_page__every_path__is_there_with_its_filters(shared: Scene) -> None:
    rows = {
        found[1]: found[0] for found in re.finditer(r"^\| `(/[^`]+)` \|.*$", PAGE, re.MULTILINE)
    }
    paths = shared.the_app.openapi()["paths"]
    assert set(rows) == set(paths)
    for path, methods in paths.items():
        for one in methods.get("get", {}).get("parameters", ()):
            named = one["name"]
            if one["in"] == "query" and named not in BOUNDS and path != "/api/v1/stream":
                said = rows[path]
                same = "the same" in said or "labels" in said
                assert f"`{named}`" in said or same, (path, named)


def test_api_page__figures__are_those_of_the_code() -> None:
    assert f"a minute to {MOST_S // 86_400} days" in PAGE
    assert f"of more than {MOST_MISSED:,} the newest" in PAGE
    assert BEAT_S == 10
