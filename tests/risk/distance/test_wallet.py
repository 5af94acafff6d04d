"""Who falls first; and the solver where its shortcut does not serve."""

from math import inf

import numpy as np
import pytest

from risk.distance import convex
from risk.distance.convex import Exponentials, nearest
from risk.distance.joint import joint
from risk.distance.linear import Margin
from risk.distance.wallet import first_to_fall
from risk.market.types import DAY_S, Covariance

KNOWN = Covariance(
    ("a", "b", "c"),
    np.array([[4.0, 3.0, 0.0], [3.0, 9.0, 0.0], [0.0, 0.0, 1.0]]) * 1e-4,
    "by hand",
)


def loan(factor: str, debt: float) -> Margin:
    return Margin((factor,), np.array([1.0, -debt]), np.array([[1.0], [0.0]]), np.full(2, inf))


def test_first_to_fall__one_factor_each__order_and_conditional_moves() -> None:
    found = first_to_fall(
        {"far": loan("b", 0.5), "first": loan("a", 0.9), "alone": loan("c", 0.8)}, KNOWN, DAY_S
    )
    assert [fall.name for fall in found.order] == ["first", "alone", "far"]
    assert found.beta == pytest.approx(-np.log(0.9) / 0.02)
    assert found.factors == ("a", "b", "c")
    # given a's move, b's likeliest is 3/4 of it, and c's is none
    assert found.log == pytest.approx([np.log(0.9), 0.75 * np.log(0.9), 0])
    assert found.shock[0] == pytest.approx(-0.1)
    first, alone, far = found.order
    assert first.multiple == pytest.approx(1)
    assert far.multiple == pytest.approx(np.log(0.5) / (0.75 * np.log(0.9)))
    assert alone.multiple is None


def test_first_to_fall__past_it__is_at_zero_already() -> None:
    found = first_to_fall({"gone": loan("a", 1.1), "near": loan("b", 0.9)}, KNOWN, DAY_S)
    assert [(f.name, f.multiple) for f in found.order] == [("gone", 0.0), ("near", None)]
    assert found.beta == 0


def test_first_to_fall__factor_without_covariance__is_missing_and_not_safe() -> None:
    found = first_to_fall({"x": loan("z", 0.9), "y": loan("a", 0.9)}, KNOWN, DAY_S)
    assert found.missing == {"x": ("z",)}
    assert [fall.name for fall in found.order] == ["y"]


@pytest.mark.parametrize("worst", [np.nan, np.inf])
def test_first_to_fall__beyond_all_bounds__is_missing_and_not_safe(worst: float) -> None:
    known = Covariance(("a", "b"), np.diag([worst, 1e-4]), "by hand")
    found = first_to_fall({"x": loan("a", 0.9), "y": loan("b", 0.9)}, known, DAY_S)
    assert found.missing == {"x": ("a",)}
    assert [fall.name for fall in found.order] == ["y"]


def test_first_to_fall__nobody__has_no_beta() -> None:
    assert first_to_fall({}, KNOWN, DAY_S).beta is None
    up = Margin(("a",), np.array([1.0, -0.5]), np.array([[0.0], [0.0]]), np.full(2, inf))
    found = first_to_fall({"still": up}, KNOWN, DAY_S)
    assert found.beta is None
    assert found.order[0].multiple is None


def test_nearest__newton_from_the_plane_fails__the_dual_finds_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dice = np.random.default_rng(8)
    for _ in range(10):
        offsets = np.log(dice.uniform(0.2, 0.9, 4))
        f = Exponentials(offsets + 0.4, dice.uniform(0.02, 0.4, (4, 3)))
        direct = nearest(f)
        assert direct is not None
        assert direct.certified
        worst = nearest(f, np.full(3, 50.0))
        assert worst is not None
        assert worst.y == pytest.approx(direct.y, abs=1e-8)
        dual = convex._by_dual(f, np.zeros(3))
        assert dual is not None
        assert dual.certified
        assert dual.y == pytest.approx(direct.y, abs=1e-8)
    monkeypatch.setattr(convex, "GAP", -1.0)  # nothing is good enough
    rough = nearest(f)
    assert rough is not None
    assert not rough.certified
    assert abs(f.at(rough.y)[0]) <= 1e-6


def test_nearest__out_of_reach__is_none() -> None:
    constant = Exponentials(np.array([0.1, -1.0]), np.array([[0.0], [1.0]]))
    assert nearest(constant) is None
    # a fixed collateral above the debt: no fall of the other takes it
    fixed = Margin(
        ("a",), np.array([1.1, 1.0, -1.0]), np.array([[0.0], [1.0], [0.0]]), np.full(3, inf)
    )
    assert joint(fixed, np.eye(1)) is None


def test_joint__more_caps_than_are_tried__is_not_certified() -> None:
    n = 8
    weights = np.append(np.ones(n), -0.7 * n)
    powers = np.vstack([np.eye(n), np.zeros(n)])
    some = Margin(tuple(map(str, range(n))), weights, powers, np.append(np.full(n, 2.0), inf))
    found = joint(some, np.eye(n) * 0.01)
    assert found is not None
    assert not found.certified
    assert found.shock == pytest.approx(np.full(n, -0.3), rel=1e-6)
