"""What fires again is told again, however much of it was forgotten meanwhile."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.underkeel.alerts.conftest import House
from tests.underkeel.alerts.scene import HEALTH, health, observed, rules, time_of
from underkeel.alerts.route import MOST_TOLD

Make = Callable[..., House]
FIRED = [("ops", "firing"), ("phone", "firing")]
ENDED = [("ops", "resolved"), ("phone", "resolved")]


@pytest.mark.parametrize("calm", [2, None], ids=["well again", "closed"])
def test_evaluate__fires_again_long_after_it_was_over__is_told_again(
    house: Make, calm: Any
) -> None:
    here = house(rules(HEALTH))
    for turn in range(3):
        number = 1 + turn * 2_000
        here.see(observed(number, health(1.1, number)), time_of(number))
        well = () if calm is None else (health(calm, number + 1),)
        here.see(observed(number + 1, *well), time_of(number + 1))
        here.wait(time_of(number + 1_000))
        here.see(observed(number + 1_001), time_of(number + 1_001))
        assert here.rows == []
        assert here.told == (FIRED + ENDED) * (turn + 1)


def test_message__a_thousand_at_once__can_still_be_taken_by_a_receiver(house: Make) -> None:
    here = house(rules(HEALTH))
    many = (health(1.1, 1, i) for i in range(1_000))
    here.see(observed(1, *many, health("1.0", 1, 1_000)), time_of(1))
    message = here.messages[0]
    assert message.payload["alerts"][0]["value"] == "1.0"
    assert "the worst" in message.title
    assert "health 1.0000" in message.title
    assert len(message.payload["alerts"]) + message.payload["left_out"] == 1_001
    assert len(message.payload["alerts"]) == MOST_TOLD
    assert len(orjson.dumps(dict(message.payload))) + len(message.body) < 400_000
