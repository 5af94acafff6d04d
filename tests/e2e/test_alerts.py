"""Alerts on the real protocols: what governance does and what falls is found by `run --once`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Ran, Scene
from tests.e2e.test_exposure_diff import govern
from underkeel.observe.study import observe_study

pytestmark = pytest.mark.world

Run = Callable[..., Ran]
RULE = """
[[alert]]
id = "hf-low"
expr = "health_factor"
levels = [{ severity = "warning", fire_below = 100 }]
on_stale = { after = "0s", severity = "critical" }
"""


def alerts(run: Run, config: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("alert", "list", "--all", "--json", "--config", config).doc[
        "alerts"
    ]
    return found


def by_rule(found: list[dict[str, Any]], rule: str) -> list[dict[str, Any]]:
    return [one for one in found if one["rule"] == rule]


def test_alerts__governance_between_two_rounds__named_and_then_the_chain_is_dead(
    scene: Scene, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(tmp_path / "state"))
    config = scene.config(tmp_path)
    config.write_text(config.read_text() + RULE)
    with scene.world.node.rollback():
        scene.world.node.mine()
        run("run", "--once", "--config", config)
        before = alerts(run, config)
        healths = by_rule(before, "hf-low")
        assert {one["state"] for one in healths} == {"firing"}
        assert not by_rule(before, "parameter-change") + by_rule(before, "oracle-change")

        done = govern(scene)
        run("run", "--once", "--config", config)
        after = alerts(run, config)
        told = {one["labels"]["what"]: one for one in by_rule(after, "parameter-change")}
        assert {"liquidation threshold", "max LTV", "frozen", "supply cap"} <= set(told)
        assert told["liquidation threshold"]["labels"]["subject"] == "WETH"
        assert "83 % → 79 %" in told["liquidation threshold"]["title"]
        (swapped,) = [
            one
            for one in by_rule(after, "oracle-change")
            if done["other"].lower() in one["title"].lower()
        ]
        assert (swapped["state"], swapped["severity"]) == ("firing", "critical")
        assert {one["position"] for one in by_rule(after, "hf-low")} == {
            one["position"] for one in healths
        }

        dead = scene.config(tmp_path, url="http://127.0.0.1:9")
        dead.write_text(dead.read_text() + RULE)
        run("run", "--once", "--config", dead)
        blind = alerts(run, dead)
        assert {(one["state"], one["severity"]) for one in by_rule(blind, "hf-low")} == {
            ("firing", "critical")
        }
        assert {one["value"] for one in by_rule(blind, "hf-low")} == {None}
        (down,) = by_rule(blind, "rpc-down")
        assert down["state"] == "pending", "half a minute first"
        assert run("alert", "list", "--config", dead).code == 3


def test_study__the_real_document__shows_code_and_feeds_and_no_change_without_one(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    document = run("exposure", "--json", "--config", scene.config(tmp_path)).doc
    (first,) = observe_study(document, {}, 1.0)
    facts: Any = first.fingerprint["facts"]
    names = {name.partition(" by ")[0] for one in facts.values() for name in one}
    assert names >= {"code", "implementation", "source", "feed", "what it is"}
    (again,) = observe_study(document, {first.scope.chain: first.fingerprint}, 2.0)
    assert again.observations == ()
