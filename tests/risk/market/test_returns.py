"""One grid for all histories, without a look ahead."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.market.returns import align
from risk.market.types import DAY_S, PriceSeries
from tests.risk.market.build import BEGIN, daily, series

HOUR = 3600


def noisy(days: int, factor: str = "A", seed: int = 0, begin: int = BEGIN) -> PriceSeries:
    """Return a history that moves every day."""
    return daily(np.random.default_rng(seed).normal(0, 0.03, days), factor, begin)


@st.composite
def histories(draw: st.DrawFn) -> list[PriceSeries]:
    """Draw one to three irregular histories that end at about the same time."""
    found = []
    for name in "ABC"[: draw(st.integers(1, 3))]:
        count, longest = draw(st.integers(150, 200)), draw(st.integers(2, 2 * DAY_S))
        rng = np.random.default_rng(draw(st.integers(0, 10_000)))
        times = BEGIN + 500 * DAY_S - np.cumsum(rng.integers(1, longest, count))[::-1]
        prices = np.exp(rng.normal(0, 0.1, count).cumsum())
        found.append(series(times, prices, name))
    return found


@settings(max_examples=40, deadline=None)
@given(histories(), st.sampled_from([6 * HOUR, DAY_S]))
def test_align__any_histories__every_return_is_known_when_its_step_ends(
    found: list[PriceSeries], step_s: int
) -> None:
    aligned = align(found, step_s, least_steps=10)
    assert set(aligned.factors) | set(aligned.missing) == {one.factor for one in found}
    for i, name in enumerate(aligned.factors):
        one = next(s for s in found if s.factor == name)
        for end, log in zip(aligned.ends, aligned.log[:, i], strict=True):
            now = one.prices[one.times <= end][-1]
            before = one.prices[one.times <= end - step_s][-1]
            assert abs(log - np.log(now / before)) < 1e-12


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(20, 140), st.floats(0.1, 10))
def test_align__what_comes_later_changes__nothing_before_it_changes(
    found: list[PriceSeries], cut: int, factor: float
) -> None:
    end = int(found[0].times[cut])
    later = [
        series(s.times, np.where(s.times > end, s.prices * factor, s.prices), s.factor)
        for s in found
    ]
    one, other = (align(given, HOUR, end=end, least_steps=10) for given in (found, later))
    assert one.factors == other.factors
    assert np.array_equal(one.log, other.log)
    assert one.missing == other.missing


def test_align__two_grids__common_time_only() -> None:
    aligned = align([noisy(300), noisy(200, "B", 1, BEGIN + 100 * DAY_S)], DAY_S)
    assert aligned.factors == ("A", "B")
    assert aligned.log.shape == (200, 2)
    assert aligned.ends[0] == BEGIN + 101 * DAY_S


@pytest.mark.parametrize(
    ("other", "cause"),
    [
        (series([], [], "B"), "no history"),
        (noisy(20, "B", 1, BEGIN + 280 * DAY_S), "20 steps"),
        (daily(np.zeros(300), "B"), "not moved in 300 days"),
        (noisy(200, "B", 1), "ends 100 days before"),
        (series([BEGIN, BEGIN], [1, 2], "B"), "do not increase"),
        (series([BEGIN, BEGIN + 1], [1, 0], "B"), "not positive"),
        (series([BEGIN, BEGIN + 1], [1, np.nan], "B"), "not positive"),
    ],
)
def test_align__unusable_history__is_missing_with_its_cause(other: PriceSeries, cause: str) -> None:
    aligned = align([noisy(300), other], DAY_S)
    assert aligned.factors == ("A",)
    assert len(aligned.ends) == 300
    assert cause in aligned.missing["B"]


def test_align__a_gap__costs_its_steps_for_every_factor() -> None:
    whole = noisy(300, "B", 1)
    keep = (whole.times < BEGIN + 100 * DAY_S) | (whole.times >= BEGIN + 110 * DAY_S)
    aligned = align([noisy(300), series(whole.times[keep], whole.prices[keep], "B")], DAY_S)
    lost = set(range(1, 301)) - set((aligned.ends - BEGIN) // DAY_S)
    assert lost == set(range(103, 111))  # silent from day 99: old from 103, ended by 110
    assert aligned.missing == {}


def test_align__mostly_gaps__is_missing() -> None:
    sparse = noisy(300, "B", 1)
    aligned = align([noisy(300), series(sparse.times[::10], sparse.prices[::10], "B")], DAY_S)
    assert aligned.factors == ("A",)
    assert "gaps in its history take" in aligned.missing["B"]


def test_align__gaps_leave_too_few_steps__the_gappier_is_missing() -> None:
    whole = noisy(95, "B", 1)
    keep = (whole.times < BEGIN + 50 * DAY_S) | (whole.times >= BEGIN + 60 * DAY_S)
    aligned = align([noisy(95), series(whole.times[keep], whole.prices[keep], "B")], DAY_S)
    assert aligned.factors == ("A",)
    assert "too few steps in common" in aligned.missing["B"]


def test_align__constant_in_the_common_time__is_missing() -> None:
    log = np.zeros(300)
    log[:50] = 0.01
    aligned = align([daily(log, "B"), noisy(200, "A", 0, BEGIN + 100 * DAY_S)], DAY_S)
    assert aligned.factors == ("A",)
    assert "in the time that all histories share" in aligned.missing["B"]


def test_align__nothing_usable__is_empty_and_says_why() -> None:
    aligned = align([series([], [])], DAY_S)
    assert aligned.factors == ()
    assert aligned.log.shape == (0, 0)
    assert "A" in aligned.missing


def test_align__one_factor_twice__is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        align([noisy(100), noisy(100)], DAY_S)
