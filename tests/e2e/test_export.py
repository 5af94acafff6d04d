"""What the monitor stored of the real protocols, as files; and its database, looked after."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Ran, Scene
from tests.e2e.test_plan import config
from underkeel.documents.export import ExportDocument
from underkeel.documents.storage import DatabaseDocument

pytestmark = pytest.mark.world

Run = Callable[..., Ran]


def test_export__after_a_round__every_leg_that_positions_shows(
    scene: Scene, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(tmp_path / "state"))
    with scene.world.node.rollback():
        path = config(scene, tmp_path)
        assert run("run", "--once", "--config", path).code in (0, 3)
        shown = json.loads(run("positions", "--json", "--config", path).out)

    def exported(*args: str) -> str:
        return run("export", "positions", "--to", "2100-01-01", *args, "--config", path).out

    made = ExportDocument.model_validate_json(exported("--json"))
    rows = list(csv.DictReader(io.StringIO(exported("--tz", "Asia/Tokyo"))))
    legs = {
        (position["id"], leg["asset"], leg["side"], leg["name"]): leg
        for position in shown["positions"]
        for leg in position["legs"]
    }
    assert int(made.rows) == len(rows) == len(legs) > 3
    for row in rows:
        leg = legs[row["position"], row["asset"], row["side"], row["leg"]]
        assert row["amount_raw"] == leg["amount_raw"]
        assert row["price_raw"] == (leg["price_raw"] or "")
        assert row["price_source"] == (leg["oracle_expr"] or "")
        assert row["block_hash"].startswith("0x")
        assert row["time"].endswith("+09:00")
    found = DatabaseDocument.model_validate_json(
        run("db", "status", "--json", "--config", path).out
    )
    assert found.lock is None  # given back
    assert int(found.rows["position_history"]) == len(shown["positions"])
    assert int(found.rows["samples"]) > 0
