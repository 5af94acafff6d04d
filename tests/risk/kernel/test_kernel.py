"""The kernel counts what rationals count, with numba and without, and bounds what it adds up."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from risk.kernel import Accounts, BadPrices, block_size, tally

NUMBA = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
KERNELS = [False, pytest.param(True, marks=NUMBA)]


def truth(
    rows: Sequence[Mapping[int, float]], prices: NDArray[np.float64]
) -> tuple[list[int], list[float]]:
    """Count in rationals."""
    counts, shorts = [], []
    for row in rows:
        sums = [
            sum((Fraction(w) * Fraction(float(prices[f, s])) for f, w in row.items()), Fraction(0))
            for s in range(prices.shape[1])
        ]
        counts.append(sum(x < 0 for x in sums))
        shorts.append(float(-sum((x for x in sums if x < 0), Fraction(0))))
    return counts, shorts


def market(accounts: int, most: int, seed: int) -> list[dict[int, float]]:
    dice = np.random.default_rng(seed)
    rows = []
    for _ in range(accounts):
        n = int(dice.integers(0, most + 1))
        held = dice.choice(12, n, replace=False).tolist()
        value = dice.normal(size=n) * 10 ** dice.uniform(-6, 9)
        rows.append(dict(zip(held, value.tolist(), strict=True)))
    return rows


@pytest.mark.parametrize("fused", KERNELS)
def test_tally__random_accounts__as_rationals_say(fused: bool) -> None:
    rows = market(40, 9, 3)
    prices = np.exp(np.random.default_rng(4).normal(size=(12, 700)))
    found = tally(Accounts.of(rows, 12), prices, fused=fused, memory_bytes=8 * 17 * 100)
    counts, shorts = truth(rows, prices)
    assert found.liquidatable.tolist() == counts
    assert (np.abs(found.shortfall - shorts) <= found.error).all()
    assert found.scenarios == 700
    assert found.probability.tolist() == [c / 700 for c in counts]


@pytest.mark.parametrize("fused", KERNELS)
def test_tally__margins_of_exactly_zero_and_one_unit_off__decided_by_rationals(fused: bool) -> None:
    # 0.1·3 − 0.3·1 is not zero in rationals of these floats, nor what float64 says
    rows = [{0: 0.1, 1: -0.3}, {0: 1.0, 1: -3.0}, {0: 1.0, 1: -3.0, 2: -5e-324}, {0: -1.0, 1: 3.0}]
    prices = np.array([[3.0, 3.0, np.nextafter(3.0, 0)], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    found = tally(Accounts.of(rows, 3), prices, fused=fused)
    counts, _ = truth(rows, prices)
    assert found.liquidatable.tolist() == counts
    assert found.settled > 0


@NUMBA
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(-1e-7, 1e-7))
def test_tally__margins_within_float32__the_same_with_numba_and_without(
    seed: int, off: float
) -> None:
    dice = np.random.default_rng(seed)
    rows = [{0: 1.0, 1: -(1 + off), 5: off}, {3: 1e12, 4: -1e12}, {2: -1e-9}]
    prices = 1 + dice.normal(size=(6, 600)) * 1e-7
    one, other = (tally(Accounts.of(rows, 6), prices, fused=fused) for fused in (True, False))
    assert one.liquidatable.tolist() == other.liquidatable.tolist()
    assert (np.abs(one.shortfall - other.shortfall) <= one.error + other.error).all()


@pytest.mark.parametrize("fused", KERNELS)
def test_tally__huge_and_tiny_prices__still_exact(fused: bool) -> None:
    rows = [{0: 1.0, 1: -1.0}, {0: 1e200, 1: -1e200}]
    prices = np.array([[1e200, 1e-300, 0.0, 2.0**101], [1e199, 2e-300, 1e-320, 2.0**102]])
    found = tally(Accounts.of([rows[0]], 2), prices, fused=fused)
    assert found.liquidatable.tolist() == truth([rows[0]], prices)[0]


@pytest.mark.parametrize("fused", KERNELS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_tally__price_that_is_none__refused(fused: bool, bad: float) -> None:
    prices = np.ones((2, 1000))
    prices[1, 777] = bad
    with pytest.raises(BadPrices, match=r"factor 1 has the price .* in scenario 777"):
        tally(Accounts.of([{0: 1.0, 1: -2.0}], 2), prices, fused=fused, memory_bytes=8 * 7 * 300)


@pytest.mark.parametrize("fused", KERNELS)
def test_tally__streamed_blocks__same_as_at_once(fused: bool) -> None:
    accounts = Accounts.of(market(10, 5, 8), 12)
    prices = np.exp(np.random.default_rng(9).normal(size=(12, 900)))
    whole = tally(accounts, prices, fused=fused)
    parts = tally(accounts, (prices[:, i : i + 128] for i in range(0, 900, 128)), fused=fused)
    assert whole.liquidatable.tolist() == parts.liquidatable.tolist()
    assert whole.scenarios == parts.scenarios == 900


def test_tally__more_accounts_than_fit_at_once__same_as_one_by_one() -> None:
    rows = market(40, 5, 6) * 60
    prices = np.exp(np.random.default_rng(2).normal(size=(12, 50)))
    accounts = Accounts.of(rows, 12)
    found = tally(accounts, prices, fused=False)
    once = tally(accounts.part(0, 40), prices, fused=False)
    assert found.liquidatable.tolist() == once.liquidatable.tolist() * 60
    assert len(accounts.part(2_390, 3_000)) == 10


def test_tally__nothing__counts_nothing() -> None:
    found = tally(Accounts.of([{}, {0: 1.0}], 1), np.ones((1, 0)))
    assert found.liquidatable.tolist() == [0, 0]
    assert np.isnan(found.probability).all()


def test_accounts__bad_numbers__refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        Accounts.of([{0: float("nan")}], 1)
    with pytest.raises(ValueError, match="not among the 1"):
        Accounts.of([{1: 1.0}], 1)
    with pytest.raises(ValueError, match="not \\[2, scenarios\\]"):
        tally(Accounts.of([{0: 1.0}], 2), np.ones((3, 4)))
    assert block_size(Accounts.of([{0: 1.0}], 1), 1) == 1
