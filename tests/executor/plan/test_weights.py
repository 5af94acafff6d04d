"""Which trades bring shares back to their bands."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from chain.types import Address
from executor.plan.weights import trades

A, B, C = (Address(name) for name in "abc")


def test_trades__inside_the_bands__none() -> None:
    values = {A: Fraction(52), B: Fraction(48)}
    halves = {A: Fraction(1, 2), B: Fraction(1, 2)}
    assert trades(values, halves, Fraction(5, 100)) == {}
    assert trades({}, halves, Fraction(0)) == {}


def test_trades__outside__to_the_edge() -> None:
    values = {A: Fraction(70), B: Fraction(30)}
    halves = {A: Fraction(1, 2), B: Fraction(1, 2)}
    assert trades(values, halves, Fraction(5, 100)) == {A: -15, B: 15}


def test_trades__nothing_below_its_band__the_farthest_is_given() -> None:
    values = {A: Fraction(60), B: Fraction(22), C: Fraction(18)}
    weights = {A: Fraction(1, 2), B: Fraction(1, 4), C: Fraction(1, 4)}
    found = trades(values, weights, Fraction(8, 100))
    assert found == {A: -2, C: 2}


@given(
    st.lists(st.integers(0, 10**9), min_size=3, max_size=3),
    st.lists(st.integers(1, 100), min_size=3, max_size=3),
    st.integers(0, 30),
)
def test_trades__any__sum_to_nothing_and_end_inside(
    amounts: list[int], parts: list[int], band: int
) -> None:
    names = (A, B, C)
    values = {n: Fraction(v) for n, v in zip(names, amounts, strict=True)}
    weights = {n: Fraction(p, sum(parts)) for n, p in zip(names, parts, strict=True)}
    width = Fraction(band, 100)
    found = trades(values, weights, width)
    whole = sum(values.values())
    assert sum(found.values()) == 0
    for name in names:
        after = values[name] + found.get(name, 0)
        assert after >= 0
        if whole:
            assert abs(after / whole - weights[name]) <= width
