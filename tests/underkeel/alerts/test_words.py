"""What is said: never safer than it is, and as it is by now."""

from decimal import Decimal

import pytest

from tests.underkeel.alerts.scene import position, rule, rules
from underkeel.alerts.words import duration, limit, sentence, shown
from underkeel.observe.types import labels


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("health_factor", "1.14999999", "1.1499"),
        ("health_factor", "0.99999999", "0.9999"),
        ("health_factor", "0.00001", "0.00001"),
        ("health_factor", "1234567.5", "1,234,567.5000"),
        ("price_divergence_bps", "199.91", "200.0 bps"),
        ("debt_usd", "1500.129", "1,500.12 USD"),
        ("wallet_native_balance", "0.0499999999", "0.049999"),
        ("data_age", "185", "3 min 5 s"),
        ("chain_up", "0", "no"),
        ("liquidatable", "1", "yes"),
        ("nonce_gap", "2", "2"),
    ],
)
def test_shown__value__with_its_unit_and_never_rounded_towards_safety(
    metric: str, value: str, text: str
) -> None:
    assert shown(metric, Decimal(value)) == text


def test_shown__unknown__says_so() -> None:
    assert shown("health_factor", None) == "unknown"


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("health_factor", "1.50", "1.5"),
        ("health_factor", "100", "100"),
        ("data_age", "600", "10 min"),
        ("price_divergence_bps", "200", "200 bps"),
    ],
)
def test_limit__as_the_config_has_it(metric: str, value: str, text: str) -> None:
    assert limit(metric, Decimal(value)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (3_600, "1 h"), (90_061, "1 d 1 h"), (-5, "-5 s")],
)
def test_duration__two_largest_units(seconds: int, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "over", "text"),
    [
        ("1.1", False, "health 1.1000 is below 1.5"),
        ("1.55", False, "health factor: 1.5500; over at 1.6 or more"),
        ("1.6", False, "health factor: 1.6000; over if it stays so"),
        ("1.7", True, "over; health factor: 1.7000"),
        (None, False, "health cannot be read"),
    ],
    ids=str,
)
def test_sentence__value__against_begin_and_end(value: str | None, over: bool, text: str) -> None:
    one = rule()
    known = None if value is None else Decimal(value)
    assert sentence(one, dict(position(0)), known, one.levels[0], over=over) == text


def test_sentence__large_is_bad__the_other_way_round() -> None:
    one = rules({"id": "data-stale"}).by_id["data-stale"]
    of = dict(labels(chain="ethereum"))
    mild = one.levels[0]
    assert "over at 2 min or less" in sentence(one, of, Decimal(150), mild, over=False)
    assert "is 3 min 5 s old" in sentence(one, of, Decimal(185), mild, over=False)
    assert "over if it stays so" in sentence(one, of, Decimal(120), mild, over=False)
