"""The least amount is found exactly, in few tries, whatever health looks like."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.plan.lab import Failed
from executor.plan.sizing import Sized, Unsized, least

WAD = 10**18


def health(collateral: int, debt: int, threshold: int, unit: int) -> int | None:
    """Return health as Aave has it: values of eight decimals, rounded against the owner."""
    value, owed = collateral * 10**8 // unit, -(-debt * 10**8 // unit)
    return None if owed <= 0 else (value * threshold * WAD + owed // 2) // owed // 10_000


@settings(max_examples=40)
@given(
    decimals=st.sampled_from([6, 8, 18]),
    whole=st.integers(1_000, 10**7),
    part=st.integers(0, 10**6),
    loan=st.integers(40, 75),
    threshold=st.integers(7_800, 8_500),
    more=st.integers(101, 160),
    guess=st.integers(-50, 50),
    kind=st.sampled_from(["repay", "add", "unwind"]),
)
def test_least__any_position__one_unit_less_falls_short(
    decimals: int,
    whole: int,
    part: int,
    loan: int,
    threshold: int,
    more: int,
    guess: int,
    kind: str,
) -> None:
    unit = 10**decimals
    held = whole * unit + part
    owed = held * loan // 100

    def after(amount: int) -> int | None:
        if kind == "repay":
            return health(held, owed - amount, threshold, unit)
        if kind == "add":
            return health(held + amount, owed, threshold, unit)
        return health(max(0, held - amount * 101 // 100), owed - amount, threshold, unit)

    now = health(held, owed, threshold, unit)
    assert now is not None
    target = now * more // 100
    if kind == "add":
        about = held * more // 100 - held
    elif kind == "repay":
        about = owed - owed * 100 // more
    else:
        about = int((target - now) * owed // (target - threshold * 101 * WAD // 1_000_000))
    first = about + about * guess // 1_000
    found = least(after, target, now, first, owed if kind != "add" else held * 3)
    assert isinstance(found, Sized)
    reached = after(found.amount)
    assert found.health == reached
    assert reached is None or reached >= target
    short = after(found.amount - 1)
    assert short is not None
    assert short < target or reached == target


def test_least__good_guess_in_coarse_units__takes_few_tries() -> None:
    def after(amount: int) -> int | None:
        return health(10**10, 7 * 10**9 - amount, 8_000, 10**6)

    found = least(after, 15 * WAD // 10, after(0) or 0, 1_666_000_000, 7 * 10**9)
    assert isinstance(found, Sized)
    assert found.amount == 1_666_666_667
    assert found.tries <= 8


@pytest.mark.parametrize(
    ("after", "most", "said"),
    [
        (lambda amount: WAD + amount, 0, "nothing that could be used"),
        (lambda amount: WAD + amount, 5, "even 5 base units reach"),
        (lambda amount: Failed("the pool is paused"), 5, "the pool is paused"),
    ],
    ids=["nothing", "short", "refused"],
)
def test_least__nothing_is_enough__says_why(
    after: Callable[[int], int | Failed | None], most: int, said: str
) -> None:
    found = least(after, 2 * WAD, WAD, 3, most)
    assert isinstance(found, Unsized)
    assert said in found.reason


def test_least__a_health_that_is_no_line__gives_up() -> None:
    odd = least(lambda amount: 2 * WAD + (amount % 2), 3 * WAD, WAD, 1, 10**60)
    assert isinstance(odd, Unsized)
    assert "no exact amount" in odd.reason or "even" in odd.reason
