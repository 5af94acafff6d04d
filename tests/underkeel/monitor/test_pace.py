"""How often is read, and what is left out when it takes too long."""

from fractions import Fraction

import pytest

from underkeel.config.model import Settings
from underkeel.monitor.pace import MOST_SHED, Pace, Shedding, bar_of

CHAIN = {"chain_id": 1, "rpc": ["http://127.0.0.1:1"]}


def settings(**more: object) -> Settings:
    return Settings.model_validate({"version": 1, "chains": {"a": CHAIN}, **more})


RULE = {
    "id": "hf",
    "expr": "health_factor",
    "levels": [{"severity": "warning", "fire_below": 2.5, "clear_above": 2.6}],
}


def test_bar__no_rule__is_near() -> None:
    assert bar_of(settings()) == Fraction(3, 2)


def test_bar__a_rule_above_it__is_where_that_clears() -> None:
    assert bar_of(settings(alert=[RULE])) == Fraction("2.6")


def test_bar__a_rule_of_something_else__does_not_matter() -> None:
    assert bar_of(settings(alert=[{**RULE, "expr": "liquidation_distance"}])) == Fraction(3, 2)


@pytest.mark.parametrize(
    ("worst", "seconds"),
    [
        (Fraction(1), 0.0),
        (Fraction("1.875"), 0.0),
        (Fraction("2.4375"), 30.0),
        (Fraction(3), 60.0),
        (Fraction(100), 60.0),
        (None, 60.0),
    ],
)
def test_interval__by_the_worst_health__shrinks_to_every_block(
    worst: Fraction | None, seconds: float
) -> None:
    assert Pace.of(settings()).interval_s(worst) == pytest.approx(seconds)


def test_interval__a_least_is_asked_for__is_never_less() -> None:
    pace = Pace.of(settings(monitor={"every": "90s"}))
    assert pace.interval_s(Fraction(1)) == 90
    assert pace.interval_s(None) == 90


def test_shedding__readings_too_long__far_accounts_more_and_more_rarely() -> None:
    shedding = Shedding()
    assert [shedding.all_now() for _ in range(3)] == [True] * 3
    for _ in range(10):
        shedding.took(5.0, 2.0)
    assert shedding.factor == MOST_SHED
    assert sum(shedding.all_now() for _ in range(MOST_SHED * 2)) == 2


def test_shedding__short_readings_of_blocks_in_a_burst__takes_everything_in() -> None:
    shedding = Shedding()
    assert not shedding.took(0.1, 0.01)
    assert shedding.factor == 1


def test_shedding__one_that_judges_everything__may_be_long_and_is_heard_when_short() -> None:
    shedding = Shedding(factor=8)
    assert not shedding.took(5.0, 2.0, typical=False)
    assert shedding.took(0.1, 2.0, typical=False)
    assert shedding.factor == 4


def test_shedding__readings_short_again__takes_everything_in_again() -> None:
    shedding = Shedding(factor=8)
    assert shedding.took(0.1, 2.0)
    assert shedding.factor == 4
    assert not shedding.took(1.5, 2.0)
    assert shedding.factor == 4
    for _ in range(3):
        shedding.took(0.1, 2.0)
    assert shedding.factor == 1
    assert not shedding.took(0.1, 2.0)
