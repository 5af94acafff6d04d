"""Rows that nobody of this version wrote: all that can be judged is judged."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from tests.underkeel.alerts.conftest import House
from tests.underkeel.alerts.scene import HEALTH, health, observed, rules, time_of
from underkeel.alerts import acts
from underkeel.store.tables import alerts

Make = Callable[..., House]


@pytest.mark.parametrize("body", ["{}", "no json", "[]", '{"phase":"new","told":{}}', "null"])
def test_evaluate__body_that_cannot_be_read__is_told_again_and_others_are_judged(
    house: Make, body: str
) -> None:
    here = house(rules(HEALTH))
    here.see(observed(1, health(1.1, 1)), time_of(1))

    def damage(db: Any) -> None:
        db.execute(update(alerts).values(body=body))

    here.do(damage)
    here.wait(time_of(1) + 1)
    here.see(observed(2, health(1.1, 2), health(1.0, 2, 1)), time_of(2))
    assert [row.state for row in here.rows] == ["firing", "firing"]
    assert len(here.told) == 4
    here.do(damage)
    here.do(lambda db: acts.ack(db, here.rows[0].key, "me", time_of(2)))
