"""Nothing but what was proposed is carried out, and only while the rule still says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from executor.plan.codec import to_data
from executor.plan.types import Plan
from tests.underkeel.steer.build import Desk, firing, plan, proposal
from underkeel.steer.decide import Hold, steps
from underkeel.store.tables import proposals


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk.open(tmp_path)
    yield found
    found.go(1)
    found.steering.stop(20)


def kept(desk: Desk, found: Plan) -> Path:
    """Write a plan to the file of the proposed one."""
    path = desk.folder / "state/plans" / f"{plan().hash[2:18]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {"schema": "underkeel.plan/1", "hash": found.hash}
    path.write_text(json.dumps(document | {"plan": to_data(found)}))
    return path


def test_start__file_as_proposed__is_carried_out(desk: Desk) -> None:
    kept(desk, plan())
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    desk.go(1)
    desk.ends()
    assert len(desk.started()) == 1


def test_start__file_swapped_for_another_whole_plan__is_not_carried_out(desk: Desk) -> None:
    kept(desk, replace(plan(), what="send all of it elsewhere"))
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    assert desk.rows() == [("failed", "the plan's file holds another plan than was proposed")]
    assert desk.started() == []


def test_start__file_is_no_plan__is_not_carried_out(desk: Desk) -> None:
    kept(desk, plan()).write_text("{}")
    desk.fires()
    desk.steering.turn()
    desk.steering.turn()
    ((status, cause),) = desk.rows()
    assert (status, desk.started()) == ("failed", [])
    assert "no underkeel.plan/1" in cause


def test_start__row_that_leads_out_of_the_folder__is_not_carried_out(desk: Desk) -> None:
    desk.fires()
    desk.steering.turn()
    with desk.store.writing() as db:
        db.execute(update(proposals).values(plan="0x../../../tmp/x"))
    desk.steering.turn()
    assert desk.rows() == [("failed", "what was proposed has no plan's hash")]
    assert desk.started() == []


def test_steps__rule_only_proposes_by_now__a_plan_from_before_is_held() -> None:
    waiting = proposal()
    found = steps(
        [firing(mode="propose")], [waiting], waiting.at, obstacle=lambda _: None, paused=None
    )
    assert found == [Hold(waiting, "it is only proposed: the rule was changed since")]
