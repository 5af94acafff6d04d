"""What the market asks, what may be paid, what replaces what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.fees import FeeHistory
from executor import fees
from executor.fees import Fees, Market

GWEI = 10**9

# Shapes as nodes give them: Ethereum in a calm hour, in a mint, a chain of empty blocks.
CALM = FeeHistory(
    (12 * GWEI, 12_600_000_000, 11_900_000_000, 12_100_000_000),
    (0.61, 0.31, 0.55),
    ((10**8, 10**9, 2 * 10**9), (5 * 10**7, 8 * 10**8, 15 * 10**8), (9 * 10**7, 10**9, 3 * 10**9)),
)


def test_market__calm__medians_of_the_columns() -> None:
    assert fees.market(CALM) == Market(12_100_000_000, 10**9, 2 * 10**9)


def test_market__one_bidding_war__moves_nothing() -> None:
    war = (*CALM.rewards[:2], (10**9, 5_000 * GWEI, 90_000 * GWEI))
    found = fees.market(FeeHistory(CALM.base_fees, CALM.used, war))
    assert found is not None
    assert (found.tip, found.fast_tip) == (10**9, 2 * 10**9)


def test_market__empty_blocks__their_zeros_do_not_count() -> None:
    history = FeeHistory((7,) * 4, (0.0, 0.5, 0.0), ((0, 0, 0), (1, 2, 3), (0, 0, 0)))
    assert fees.market(history) == Market(7, 2, 3)


def test_market__all_blocks_empty__anything_gets_in() -> None:
    assert fees.market(FeeHistory((7,) * 3, (0.0, 0.0), ((0,) * 3,) * 2)) == Market(7, 0, 0)


def test_market__no_rewards__the_nodes_tip_or_unknown() -> None:
    history = FeeHistory((7, 7), (0.5,), ())
    assert fees.market(history) is None
    assert fees.market(history, 4) == Market(7, 4, 4)
    short = FeeHistory((7, 7), (0.5,), ((1,),))
    assert fees.market(short, 4) == Market(7, 4, 4)


def test_market__empty_history__is_unknown() -> None:
    assert fees.market(FeeHistory((), (), ()), 4) is None


def test_market__zero_base_fee__pays_the_tip_or_one_wei() -> None:
    found = fees.market(FeeHistory((0, 0), (0.5,), ((0, 0, 5),)))
    assert found is not None
    assert found.fees(urgent=False) == Fees(0, 1)
    assert found.fees(urgent=True) == Fees(5, 5)


@pytest.mark.parametrize(
    ("used", "expected"), [(0.5, 800), (1.0, 900), (0.0, 700), (0.75, 850), (2.0, 900)]
)
def test_next_base_fee__not_told__is_computed(used: float, expected: int) -> None:
    assert fees.next_base_fee(FeeHistory((800,), (used,), ())) == expected
    assert fees.next_base_fee(FeeHistory((800, 5), (used,), ())) == 5


def test_fees__headroom__survives_so_many_full_blocks() -> None:
    market = Market(10 * GWEI, 3, 9)
    base = market.base_fee
    for _ in range(fees.HEADROOM):
        base += max(base // 8, 1)
    assert market.fees(urgent=False) == Fees(3, base + 3)
    assert market.fees(urgent=True, headroom=0) == Fees(9, 10 * GWEI + 9)


whole = st.integers(0, 2**100)


@given(whole, whole, whole, whole)
def test_replacement__any__is_ten_percent_more_in_both_and_tip_within_cap(
    tip: int, cap: int, new_tip: int, new_cap: int
) -> None:
    old = Fees(min(tip, cap), cap)
    new = fees.replacement(old, Fees(new_tip, new_cap))
    assert 10 * new.tip >= 11 * old.tip
    assert 10 * new.cap >= 11 * old.cap
    assert new.tip > old.tip
    assert new.cap > old.cap
    assert new_tip <= new.tip <= new.cap
    assert new.cap >= new_cap


def test_highest__several__greatest_of_each() -> None:
    assert fees.highest([Fees(1, 9), Fees(3, 4)]) == Fees(3, 9)


def test_within__above_the_limit__is_cut_or_unaffordable() -> None:
    assert fees.within(Fees(2, 9), 10, 5) == Fees(2, 9)
    assert fees.within(Fees(8, 9), 6, 5) == Fees(6, 6)
    assert fees.within(Fees(8, 9), 4, 5) is None
    assert fees.within(Fees(0, 1), 0, 0) is None


def test_cap_from_value__each_bound__binds() -> None:
    def cap(**bounds: int | None) -> int:
        terms = {"value_wei": 10**18, "other_cost_wei": 0, "gas": 10**5, "absolute": 10**15,
                 "gas_limit": 2 * 10**5} | bounds  # fmt: skip
        return fees.cap_from_value(
            terms.pop("value_wei"), terms.pop("other_cost_wei") or 0, terms.pop("gas") or 0,
            **terms,  # type: ignore[arg-type]
        )  # fmt: skip

    assert cap() == 10**13
    assert cap(value_wei=None) == 10**15
    assert cap(absolute=7) == 7
    assert cap(other_cost_wei=10**18 - 10**5) == 1
    assert cap(other_cost_wei=2 * 10**18) == 0
    assert cap(budget_left=4 * 10**5) == 2
    assert cap(balance=10 * 10**5, reserve=4 * 10**5) == 3
    assert cap(balance=1, reserve=10**18) == 0
