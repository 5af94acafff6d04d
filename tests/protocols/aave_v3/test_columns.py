"""Columns hold accounts exactly: in and out again they are the same."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.calls import ReadFailed
from protocols.aave_v3.columns import Columns, limbs, of_accounts
from protocols.aave_v3.rules import NEWEST, Rules
from protocols.aave_v3.state import AaveAccount, Discount, EMode, Holding, StableDebt
from tests.chain.helpers import address
from tests.support import aave_columns

RESERVES = tuple(replace(r, id=3 * r.id) for r in aave_columns.reserves(40, 5))
AMOUNT = st.one_of(st.integers(1, 2**128 - 1), st.sampled_from([1, 2**64 - 1, 2**64, 2**128 - 1]))
EMODES = [EMode(1, 9000, 10_100, 5), EMode(255, 9700, 10_050, None)]


@st.composite
def accounts(draw: st.DrawFn) -> AaveAccount:
    chosen = draw(st.lists(st.sampled_from(RESERVES), max_size=5, unique_by=lambda r: r.id))
    holdings = []
    for reserve in sorted(chosen, key=lambda r: r.id):
        borrowing = draw(st.booleans())
        stable = discount = None
        if borrowing and draw(st.booleans()):
            stable = StableDebt(draw(AMOUNT), draw(AMOUNT), draw(st.integers(1, 2**40 - 1)))
        if borrowing and draw(st.booleans()):
            discount = Discount(draw(st.integers(0, 10_000)), draw(AMOUNT))
        supply = draw(AMOUNT)
        debt = draw(AMOUNT) if borrowing else 0
        flag = draw(st.booleans())
        holdings.append(Holding(reserve, supply, debt, flag, borrowing, stable, discount))
    emode = draw(st.sampled_from([None, *EMODES]))
    return AaveAccount(
        Rules(NEWEST), aave_columns.AT.timestamp, tuple(holdings), emode, False, None
    )


def _columns(states: Sequence[AaveAccount]) -> Columns:
    named = {address(0x500 + i): state for i, state in enumerate(states)}
    return of_accounts(
        aave_columns.AT, Rules(NEWEST), RESERVES, named,
        liquidation_allowed=False, base_decimals=None,
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(states=st.lists(accounts(), max_size=6))
def test_account_state__of_columns_made_from_accounts__is_the_account(
    states: list[AaveAccount],
) -> None:
    columns = _columns(states)
    assert len(columns) == len(states)
    for row, state in enumerate(states):
        assert columns.account_state(row) == state
        assert columns.address(row) == address(0x500 + row)


@settings(max_examples=40, deadline=None)
@given(states=st.lists(accounts(), min_size=1, max_size=6))
def test_flags__by_entry__are_those_of_the_configuration_word(states: list[AaveAccount]) -> None:
    columns = _columns(states)
    flags = zip(columns.borrowing().tolist(), columns.collateral().tolist(), strict=True)
    for (borrowing, collateral), row, place in zip(
        flags, columns.account.tolist(), columns.reserve.tolist(), strict=True
    ):
        held = {h.reserve.id: h for h in states[row].holdings}[columns.reserves[place].id]
        assert (bool(borrowing), bool(collateral)) == (held.borrowing, held.collateral)


def test_account_state__unknown__says_why_and_gives_nothing() -> None:
    columns = replace(aave_columns.columns(3, 4), unknown={1: "T1: reverted"})
    with pytest.raises(ReadFailed, match="T1: reverted"):
        columns.account_state(1)
    assert columns.account_state(0).holdings


def test_amounts__over_64_bits__are_whole() -> None:
    reserve = RESERVES[0]
    held = Holding(reserve, 3 << 64 | 7, collateral=True)
    state = AaveAccount(Rules(NEWEST), aave_columns.AT.timestamp, (held,), None, True, 8)
    assert list(_columns([state]).amounts()) == [3 << 64 | 7]


def test_limbs__of_a_word__are_lowest_first() -> None:
    assert limbs(1 << 192 | 2) == [2, 0, 0, 1]


def test_synthetic__any_size__is_a_market_one_can_take_apart() -> None:
    columns = aave_columns.columns(200, 30, seed=3)
    assert (columns.account[1:] >= columns.account[:-1]).all()
    states = [columns.account_state(row) for row in range(200)]
    assert any(h.scaled_debt for s in states for h in s.holdings)
    assert any(s.emode for s in states)
