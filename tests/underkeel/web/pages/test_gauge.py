"""Depths: the drawing never says more water than there is, nor ground where there is none."""

from hypothesis import given
from hypothesis import strategies as st

from underkeel.web.pages import gauge

WAD = 10**18
HEALTH = st.integers(0, 10**25)


def test_depth__one_unit_either_side_of_the_edge__afloat_and_aground() -> None:
    assert gauge.depth(WAD, WAD) == gauge.LEAST  # exactly 1 is not liquidatable
    assert gauge.depth(WAD + 1, WAD) == gauge.LEAST
    assert gauge.depth(WAD - 1, WAD) == -gauge.LEAST


def test_depth__of_1_01__is_well_above_the_edge() -> None:
    found = gauge.depth(WAD * 101 // 100, WAD)
    assert found > 0.1
    assert gauge.bed(found) > gauge.KEEL + 10
    assert gauge.bar(found).x == gauge.BAR_KEEL


@given(HEALTH, HEALTH)
def test_depth__any_two_healths__order_and_side_are_kept(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert gauge.depth(low, WAD) <= gauge.depth(high, WAD)
    assert (gauge.depth(one, WAD) < 0) is (one < WAD)
    assert -1 <= gauge.depth(one, WAD) <= 1


@given(HEALTH)
def test_drawing__any_health__stays_in_its_box(raw: int) -> None:
    found = gauge.depth(raw, WAD)
    assert 0 <= gauge.bed(found) <= gauge.HEIGHT
    assert (gauge.bed(found) > gauge.KEEL) is (raw >= WAD)
    bar = gauge.bar(found)
    assert bar.x >= 0
    assert bar.width > 0
    assert bar.x + bar.width <= gauge.BAR_WIDTH
    assert bar.aground is (raw < WAD)


def test_beds__neighbours__meet() -> None:
    found = gauge.beds([-0.2, None, 0.9])
    assert found[0].right == found[1].left
    assert found[1].right == found[2].left
    assert found[2].right == found[2].middle
