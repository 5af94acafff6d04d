"""The screened set is the contract's, whatever the market, the release and the prices."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.synthetic import crafted, market
from protocols.aave_v3.columns import Columns, of_accounts
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import (
    AaveAccount,
    Discount,
    EMode,
    Holding,
    Quote,
    Reserve,
    StableDebt,
)
from risk.bulk import Exposure, Verdict, screen
from risk.bulk.exposure import Cell
from risk.bulk.screen import decided, relative_bound, sums
from risk.bulk.weights import Weights
from tests.protocols.prices.build import AT
from tests.risk import aave_states as made

RELEASES = (1, 4, 6, 7, 8, 9, 10, 11)
WAD = 10**18


def columns_of(states: Sequence[AaveAccount]) -> Columns:
    """Return the accounts of one market as columns."""
    reserves = {h.reserve.id: h.reserve for state in states for h in state.holdings}
    listed = [reserves[i] for i in sorted(reserves)]
    at = replace(AT, timestamp=made.NOW)
    owners = {made.asset(0x1000 + i): state for i, state in enumerate(states)}
    return of_accounts(at, states[0].rules, listed, owners)


def expected(state: AaveAccount, prices: dict[str, int] | None = None) -> Verdict:
    """Return what the formulas of the release say, written once more in `aave_states`."""
    owes = any(h.borrowing and (h.scaled_debt or h.stable) for h in state.holdings)
    if not owes:
        return Verdict.NO_DEBT
    *_, health = made.transcribed(state, prices)
    return Verdict.LIQUIDATABLE if health < WAD else Verdict.SAFE


@st.composite
def markets(draw: st.DrawFn) -> list[AaveAccount]:
    """Draw accounts of one market, most of them next to the boundary."""
    first = draw(made.accounts(RELEASES, decimals=(0, 2, 6, 18)))
    reserves = [h.reserve for h in first.holdings]
    states = [replace(first, holdings=tuple(replace(h, stable=None) for h in first.holdings))]
    for _ in range(draw(st.integers(0, 3))):
        holdings = []
        for one in reserves:
            owes = draw(st.one_of(st.just(0), made.AMOUNTS))
            flag = draw(st.booleans())
            holdings.append(Holding(one, draw(made.AMOUNTS), owes, flag, bool(owes)))
        emode = draw(st.sampled_from((None, first.emode)))
        states.append(replace(first, holdings=tuple(holdings), emode=emode))
    return [edge for state in states for edge in edges(state)]


def edges(state: AaveAccount) -> list[AaveAccount]:
    """Return an account, and where it can be put there, both sides of its boundary in debt."""
    owing = [i for i, h in enumerate(state.holdings) if h.scaled_debt]
    if not owing:
        return [state]

    def with_debt(amount: int) -> AaveAccount:
        held = list(state.holdings)
        held[owing[-1]] = replace(held[owing[-1]], scaled_debt=amount)
        return replace(state, holdings=tuple(held))

    low, high = 0, 2**127
    while high - low > 1:
        mid = (low + high) // 2
        low, high = (mid, high) if made.transcribed(with_debt(mid))[3] >= WAD else (low, mid)
    return [state, *(with_debt(d) for d in (low - 1, low, high, high + 1) if d > 0)]


@settings(max_examples=120, deadline=None)
@given(markets(), st.integers(-9, 9))
def test_screen__any_market_at_any_prices__is_the_integer_formula(
    states: list[AaveAccount], percent: int
) -> None:
    exposure = Exposure.of(columns_of(states))
    quotes = {c.quote.factor: c.quote.raw for c in exposure.cells if c.quote}
    moved = {name: raw * (100 + percent) // 100 for name, raw in quotes.items()}
    for prices in ({}, moved):
        found = screen(exposure, prices)
        told = [Verdict(v) for v in found.verdict.tolist()]
        assert told == [expected(state, prices) for state in states]
        for verdict, health in zip(told, found.health.tolist(), strict=True):
            assert (verdict is Verdict.NO_DEBT) == bool(np.isnan(health))
            assert (verdict is Verdict.LIQUIDATABLE) == (health < 1)


@settings(max_examples=120, deadline=None)
@given(markets())
def test_sums__any_market__differ_from_integers_by_less_than_the_bound(
    states: list[AaveAccount],
) -> None:
    exposure = Exposure.of(columns_of(states))
    found = sums(exposure)
    for row, state in enumerate(states):
        collateral, debt, *_ = made.transcribed(state)
        assert abs(Fraction(found.collateral[row]) - collateral) < found.collateral_error[row] or (
            collateral == found.collateral[row] == 0
        )
        assert abs(Fraction(found.debt[row]) - debt) < found.debt_error[row] or (
            debt == found.debt[row] == 0
        )


@settings(max_examples=60, deadline=None)
@given(markets())
def test_decided__any_market__claims_nothing_false(states: list[AaveAccount]) -> None:
    exposure = Exposure.of(columns_of(states))
    safe, broken = decided(exposure, sums(exposure))
    assert not (safe & broken & (sums(exposure).debt > 0)).any()
    for row, state in enumerate(states):
        if expected(state) is Verdict.LIQUIDATABLE:
            assert not safe[row]
        else:
            assert not broken[row]


def test_relative_bound__sum_of_many_terms__covers_the_worst_rounding() -> None:
    # m terms with k = m + 4 roundings each of u: (1 + u)^k − 1, and its inverse
    for m in (1, 30, 256, 10_000):
        u = Fraction(1, 2**53)
        worst = 1 / (1 - u) ** (m + 4) - 1
        assert worst < Fraction(relative_bound(m)) * Fraction(9, 10)


@pytest.mark.parametrize("revision", [3, 10])
def test_screen__synthetic_market_with_boundary_cases__is_the_integer_set(revision: int) -> None:
    rows = list(range(0, 400, 5))
    columns = crafted(market(400, 30, revision), rows)
    exposure = Exposure.of(columns)
    found = screen(exposure)
    states = [columns.account_state(row) for row in range(400)]
    assert [Verdict(v) for v in found.verdict.tolist()] == [expected(s) for s in states]
    assert found.liquidatable.any()
    safe, broken = decided(exposure, sums(exposure))
    assert found.settled < 250, "the floats decide what is not on the boundary"
    assert not (safe[rows] & broken[rows]).any()


def base(**more: int) -> Reserve:
    return made.reserve(0, made.quote(10**8, "usd"), made.configuration(**more))


def test_screen__stable_and_discounted_debt__is_settled_by_integers() -> None:
    one = base()
    stable = StableDebt(10**20, made.RAY // 10, made.NOW - made.YEAR)
    held = Holding(one, 10**20, 0, True, True, stable)
    enough = replace(held, scaled_supply=2 * 10**20)
    found = screen(Exposure.of(columns_of([made.account(3, held), made.account(3, enough)])))
    assert found.verdict.tolist() == [Verdict.LIQUIDATABLE, Verdict.SAFE]
    assert found.settled == 2
    assert found.debt[0] > 1.1 * 10**10
    rebate = Holding(one, 10**20, 79 * 10**18, True, True, None, Discount(3000, made.RAY))
    found = screen(Exposure.of(columns_of([made.account(7, rebate)])))
    assert (found.settled, found.verdict[0]) == (1, Verdict.SAFE)
    repaid = replace(rebate, scaled_debt=0)
    found = screen(Exposure.of(columns_of([made.account(7, repaid)])))
    assert found.verdict[0] == Verdict.NO_DEBT


def test_screen__debt_worth_nothing__is_safe_as_the_contract_says() -> None:
    dust = made.owed(base(decimals=18), 1)
    found = screen(Exposure.of(columns_of([made.account(3, dust)])))
    assert found.verdict[0] == Verdict.SAFE
    found = screen(Exposure.of(columns_of([made.account(10, dust)])))
    assert found.verdict[0] == Verdict.LIQUIDATABLE


def test_screen__unknown_rows__stay_unknown_even_if_they_look_broken() -> None:
    one = base()
    broken = made.account(10, made.owed(one, 10**20))
    columns = replace(columns_of([broken, broken]), unknown={1: "LINK: no answer"})
    exposure = Exposure.of(columns)
    found = screen(exposure)
    assert found.verdict.tolist() == [Verdict.LIQUIDATABLE, Verdict.UNKNOWN]
    assert np.isnan([found.health[1], found.debt[1], found.collateral[1]]).all()
    assert exposure.unknown == {1: "LINK: no answer"}


def test_exposure__flagged_reserve_without_price__is_unknown_and_unflagged_is_not() -> None:
    one, blind = base(), made.reserve(70, None)
    flagged = made.account(10, made.owed(one, 10**20), made.supplied(blind, 1))
    idle = made.account(10, made.owed(one, 10**20), Holding(blind, 1))
    exposure = Exposure.of(columns_of([flagged, idle]))
    assert exposure.unknown == {0: "T70: the oracle gives no price"}
    assert screen(exposure).verdict.tolist() == [Verdict.UNKNOWN, Verdict.LIQUIDATABLE]


def test_exposure__emode_that_was_not_read__is_unknown() -> None:
    emode = EMode(4, 9000, 10100, 1)
    state = made.account(10, made.supplied(base(), 10**20), emode=emode)
    columns = replace(columns_of([state]), emodes={})
    assert Exposure.of(columns).unknown == {0: "e-mode 4 is not known"}


def test_screen__empty_market__is_empty() -> None:
    at = replace(AT, timestamp=made.NOW)
    found = screen(Exposure.of(of_accounts(at, Rules(10), [base()], {})))
    assert (len(found.verdict), found.settled) == (0, 0)


def test_weights__emode_price__replaces_its_members_own() -> None:
    own = Quote("e-mode", 3 * 10**8, 8)
    member = made.reserve(0, made.quote(10**8), made.configuration(category=1, decimals=8))
    emode = EMode(1, 9000, 10100, None, own)
    weights = Weights.of(
        [Cell(member, None), Cell(member, emode)], Rules(3), made.NOW, {"e-mode": 4 * 10**8}
    )
    assert weights.collateral.tolist() == [1.0, 4.0]
    assert weights.weighted.tolist() == [8000.0, 36000.0]
