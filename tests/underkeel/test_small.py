"""Formats, options, ownership, hashing: the small pure parts."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.types import Address
from risk.types import Boundary, Direction, Liquidation, Status
from underkeel.cli import format as fmt
from underkeel.cli.options import hoist
from underkeel.config.problems import did_you_mean, nearest
from underkeel.config.secrets import redact
from underkeel.config.values import seconds
from underkeel.documents.hashing import canonical, inputs_hash
from underkeel.ownership import ROOMS, ForeignRoom, check_rooms

WAD = 10**18


def health_of(raw: int | None, scale: int = WAD) -> str:
    return fmt.health(Liquidation(Status.SAFE, raw, scale))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (None, "–"),
        (WAD, "1.0000"),
        (WAD - 1, "0.9999"),
        (WAD + 1, "1.0000"),
        (1_010_000_000_000_000_000, "1.0100"),
        (0, "0.0000"),
        (2**255, "> 1,000,000"),
        (12_345 * WAD, "12,345.0000"),
    ],
)
def test_health__any_side_of_one__never_crosses_it(raw: int | None, text: str) -> None:
    assert health_of(raw) == text


@given(st.integers(min_value=0, max_value=10**24))
def test_health__any_value__text_is_at_most_the_value(raw: int) -> None:
    shown = Decimal(health_of(raw).replace(",", "").removeprefix("> "))
    assert shown * WAD <= raw
    assert (shown >= 1) == (raw >= WAD) or raw >= 10**24


@pytest.mark.parametrize(
    ("raw", "decimals", "sign", "text"),
    [
        (0, 18, 1, "0"),
        (1, 18, 1, "< 0.000001"),
        (1, 18, -1, "-< 0.000001"),
        (1_500_000, 6, 1, "1.5"),
        (1_500_000, 6, -1, "-1.5"),
        (10**77 - 1, 0, 1, f"{10**77 - 1:,}"),
        (10**76, 18, 1, f"{10**58:,}"),
        (5, None, -1, "-5 base units"),
        (999_999_999, 9, 1, "0.999999"),
    ],
)
def test_amount__any_size__exact_or_cut_towards_zero(
    raw: int, decimals: int | None, sign: int, text: str
) -> None:
    assert fmt.amount(raw, decimals, sign) == text


@pytest.mark.parametrize(
    ("raw", "decimals", "text"),
    [
        (254_545_454_545, 8, "2,545.45"),
        (100_000_000, 8, "1.00"),
        (883_928_571, 9, "0.883928"),
        (1, 18, "0.000000000000000001"),
        (0, 8, "0.00"),
    ],
)
def test_price__any_size__six_digits(raw: int, decimals: int, text: str) -> None:
    assert fmt.price(raw, decimals) == text


@given(st.integers(min_value=1, max_value=10**40), st.integers(min_value=0, max_value=24))
def test_price__either_way__holds_the_price_between(raw: int, decimals: int) -> None:
    low, high = fmt.price(raw, decimals), fmt.price(raw, decimals, up=True)
    exact = fmt.scaled(raw, decimals)
    assert Decimal(low.replace(",", "")) <= exact <= Decimal(high.replace(",", ""))


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "unpriced"), (Decimal("-0.001"), "0.00"), (-1234.5, "-1,234.50"), (10.0**40, None)],
)
def test_usd__debt_negative_and_unknown_said(
    value: Decimal | float | None, text: str | None
) -> None:
    assert text is None or fmt.usd(value) == text
    assert "E" not in fmt.usd(value)


@pytest.mark.parametrize(
    ("seconds_", "text"),
    [
        (0, "now"),
        (-5, "now"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (86_400, "1 d"),
        (31_536_000 + 86_400 + 5, "1 y 1 d"),
        (86_400 + 60, "1 d"),
    ],
)
def test_duration__two_largest_units__rounded_down(seconds_: int, text: str) -> None:
    assert fmt.duration(seconds_) == text


def test_age__clock_behind__said(tmp_path: Path) -> None:
    assert fmt.age(None) == "age unknown"
    assert fmt.age(0) == "just now"
    assert fmt.age(-90) == "1 min 30 s ahead of this clock"


@pytest.mark.parametrize(
    ("frac", "direction", "text"),
    [
        (-0.151515, Direction.DOWN, "-15.15 %"),
        (0.178571, Direction.UP, "+17.85 %"),
        (-0.0000123, Direction.DOWN, "-0.0012 %"),
        (-0.00000001, Direction.DOWN, "-< 0.0001 %"),
    ],
)
def test_distance__any_size__never_further_than_it_is(
    frac: float, direction: Direction, text: str
) -> None:
    found = Boundary("f", "ETH / USD", direction, 1, 2, 3, 8, frac)
    assert fmt.distance(found) == text


def test_percent__what_is_missing__rounded_up() -> None:
    assert fmt.percent(1, 3) == "+33.34 %"
    assert fmt.percent(-1, 3) == "-33.34 %"


def test_local_time__configured_zone__with_offset() -> None:
    assert fmt.local_time(1_750_000_000, "Europe/Berlin") == "2025-06-15 17:06:40 +0200"


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        (["risk", "X", "--json"], ["--json", "risk", "X"]),
        (["risk", "--config", "a", "X"], ["--config", "a", "risk", "X"]),
        (["risk", "--config=a"], ["--config=a", "risk"]),
        (["risk", "--", "--json"], ["risk", "--", "--json"]),
        (["risk", "--config"], ["risk", "--config"]),
    ],
)
def test_hoist__global_options_anywhere__come_first(given_: list[str], wanted: list[str]) -> None:
    assert hoist(given_) == wanted


def test_check_rooms__all_ours__passes() -> None:
    check_rooms(lambda: {"chain": ["underkeel"], "other": ["x"]})


@pytest.mark.parametrize("room", ROOMS)
def test_check_rooms__owned_by_another__refused_by_name(room: str) -> None:
    with pytest.raises(ForeignRoom, match="'intruder', not to underkeel; uninstall") as caught:
        check_rooms(lambda: {room: ["underkeel", "intruder"]})
    assert (caught.value.room, caught.value.code) == (room, 1)


def test_check_rooms__imported_from_elsewhere__refused(tmp_path: Path) -> None:
    with pytest.raises(ForeignRoom, match="the folder"):
        check_rooms(dict, home=tmp_path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("env:A", "env:A"),
        ("https://a.example/v2/KEY", "https://a.example/…"),
        ("https://user:KEY@a.example:8545", "https://a.example:8545/…"),
        ("https://a.example/?k=KEY", "https://a.example/…"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("http://[", "…"),
        ("KEY", "…"),
    ],
)
def test_redact__what_may_be_a_key__goes(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_nearest__other_case_or_dashes__found() -> None:
    assert nearest("AAVE_V3", ["aave-v3", "erc4626"]) == "aave-v3"
    assert nearest("zzz", ["aave-v3"]) is None
    assert did_you_mean("zzz", ["b", "a"]) == "there is a, b"
    assert did_you_mean("zzz", [f"a{i:02}" for i in range(30)]).endswith("a23, …")
    assert did_you_mean("zzz", []) == "there is none to choose from"


def test_seconds__units__understood() -> None:
    assert [seconds(t) for t in ("5s", "2m", "3 h", "1d")] == [5, 120, 10_800, 86_400]


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Pair:
    a: object
    b: object


def test_canonical__equal_values__equal_text_in_any_order() -> None:
    one = Pair({"x": 1, "y": (1, 2)}, frozenset({Colour.RED, Address("0x1")}))
    other = Pair({"y": [1, 2], "x": 1}, {Address("0x1"), Colour.RED})
    assert canonical(one) == canonical(other)
    assert inputs_hash(one) == inputs_hash(other)


@given(st.lists(st.integers() | st.text() | st.booleans(), max_size=4), st.integers() | st.text())
def test_canonical__one_more_value__another_text(values: list[object], more: object) -> None:
    assert canonical(values) != canonical([*values, more])
    assert canonical(1) != canonical("1") != canonical(True)
