"""Aave's health, boundaries and seconds against the contracts' formulas, written apart."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from chain.units import RAY, WAD, YEAR
from protocols.aave_v3.math import compounded, linear, lines, totals
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import AaveAccount, Discount, EMode, Holding
from risk.liquidation import engine_of
from risk.liquidation.engine import Factor
from risk.types import Boundary, Direction
from tests.risk.aave_states import (
    MAX,
    NOW,
    account,
    accounts,
    configuration,
    owed,
    quote,
    reserve,
    supplied,
    transcribed,
)

TINY = accounts(
    prices=st.integers(1, 60),
    amounts=st.integers(1, 40),
    decimals=(0, 1),
    rates=st.just(0),
)


def health(state: AaveAccount, prices: dict[str, int] | None = None, at: int | None = None) -> int:
    engine = engine_of(state)
    assert engine is not None
    value = engine.health(state, prices or {}, at)
    return MAX if value is None else value


def boundaries(state: AaveAccount, factor: Factor) -> dict[Direction, Boundary]:
    engine = engine_of(state)
    assert engine is not None
    return {edge.direction: edge for edge in engine.boundary(state, factor)}


def factors(state: AaveAccount) -> tuple[Factor, ...]:
    engine = engine_of(state)
    assert engine is not None
    return engine.factors(state)


@given(accounts(), st.integers(0, 3 * YEAR))
@settings(max_examples=300, deadline=None)
def test_health__any_account_and_time__is_the_transcribed_loops(
    state: AaveAccount, later: int
) -> None:
    at = NOW + later
    total, debt, average, sound = transcribed(state, at=at)
    sums = totals(lines(state, at), state.rules, {})
    assert (sums.collateral, sums.debt) == (total, debt)
    assert (sums.weighted // sums.collateral if sums.collateral else 0) == average
    assert health(state, at=at) == sound


@given(accounts(), st.integers(0, 10**13))
@settings(max_examples=150, deadline=None)
def test_health__a_factor_moved__moves_every_asset_on_it(state: AaveAccount, raw: int) -> None:
    engine = engine_of(state)
    assert engine is not None
    for factor in engine.factors(state):
        moved = {factor.name: raw}
        assert health(state, moved) == transcribed(state, moved)[3]
        assert health(engine.reprice(state, moved)) == transcribed(state, moved)[3]


def brute(bad: Callable[[int], bool], now: int, top: int) -> tuple[int | None, int | None]:
    """Return (highest bad price below, lowest bad price above), by trying all up to `top`."""
    below = next((p for p in range(now - 1, 0, -1) if bad(p)), None)
    above = next((p for p in range(now + 1, top) if bad(p)), None)
    return below, above


@given(TINY)
@settings(max_examples=250, deadline=None)
def test_boundary__small_numbers__is_what_trying_every_price_finds(state: AaveAccount) -> None:
    top = 600
    for factor in factors(state):
        edges = boundaries(state, factor)

        def bad(price: int, name: str = factor.name) -> bool:
            return transcribed(state, {name: price})[3] < WAD

        down, up = edges.get(Direction.DOWN), edges.get(Direction.UP)
        if not all(edge.exact for edge in edges.values()):
            # everything on one feed and cancelling out: no price beyond what was searched is bad
            event("inexact")
            for edge in edges.values():
                span = sorted((edge.price_raw, factor.raw))
                inside = range(span[0] + 1, min(span[1], top))
                assert health(state) < WAD or not any(bad(p) for p in inside)
            continue
        if health(state) >= WAD:
            below, above = brute(bad, factor.raw, top)
            assert (down.price_raw if down else None) == below
            found = up.price_raw if up else None
            assert (found if found is not None and found < top else None) == above
            continue
        # liquidatable now: where it would stop to be
        for edge in edges.values():
            assert bad(edge.price_raw)
            assert not bad(edge.safe_price_raw)
        if down is not None:
            assert not any(bad(p) for p in range(down.price_raw + 1, down.price_raw + 200))
        if up is not None:
            assert not any(bad(p) for p in range(1, up.price_raw))
        if not edges:
            assert bad(1)


@given(accounts(), st.data())
@settings(max_examples=250, deadline=None)
def test_boundary__real_magnitudes__is_bad_on_it_and_good_beside_it(
    state: AaveAccount, data: st.DataObject
) -> None:
    for factor in factors(state):
        for edge in boundaries(state, factor).values():
            # one feed on both sides may cancel out, and then no price is an edge
            assert edge.exact or factor.name == "common"
            if not edge.exact:
                continue
            assert abs(edge.price_raw - edge.safe_price_raw) == 1
            assert transcribed(state, {factor.name: edge.price_raw})[3] < WAD
            assert transcribed(state, {factor.name: edge.safe_price_raw})[3] >= WAD
            if health(state) < WAD:
                continue
            # nothing liquidatable between here and there
            between = sorted((edge.safe_price_raw, factor.raw))
            price = data.draw(st.integers(*between))
            assert transcribed(state, {factor.name: price})[3] >= WAD


def planted() -> AaveAccount:
    """Return an account of 3.0 whose average threshold steps down as the moving price rises."""
    moving = reserve(0, quote(360, "moving"), configuration(threshold=1, decimals=0))
    still = reserve(1, quote(1, "still"), configuration(threshold=9500, decimals=0))
    debt = reserve(2, quote(1, "debt"), configuration(decimals=0))
    return account(1, supplied(moving, 49), supplied(still, 115_789), owed(debt, 109_996))


def test_boundary__threshold_steps_down_as_the_price_rises__takes_the_highest_bad_price() -> None:
    state = planted()
    (moving, *_) = factors(state)
    bad = [transcribed(state, {"moving": price})[3] < WAD for price in range(2001)]
    relapses = sum(later and not here for here, later in pairwise(bad[1:360]))
    assert relapses > 10  # not one interval: bisection may stop at any of them
    edges = boundaries(state, moving)
    down, up = edges[Direction.DOWN], edges[Direction.UP]
    assert down.price_raw == max(price for price in range(1, 360) if bad[price])
    assert down.safe_price_raw == down.price_raw + 1
    # and as the price goes on rising, the worthless threshold sinks the account again
    assert up.price_raw == min(price for price in range(361, 2001) if bad[price])


def test_boundary__newer_release_same_account__is_one_interval() -> None:
    state = replace(planted(), rules=Rules(10))
    assert health(state) == transcribed(state)[3]
    bad = [transcribed(state, {"moving": price})[3] < WAD for price in range(1, 2001)]
    assert bad == sorted(bad, reverse=True)


def test_boundary__one_feed_moves_collateral_and_debt__both_follow_it() -> None:
    for revision in (1, 10):
        long = reserve(0, quote(2000 * 10**8, "eth", num=11, den=10), configuration(threshold=9000))
        short = reserve(1, quote(2000 * 10**8, "eth"))
        cash = reserve(2, quote(10**8, "usd"))
        held, debt = supplied(long, 10**18), owed(short, 5 * 10**17)
        state = account(revision, held, debt, owed(cash, 900 * 10**18))
        edge = boundaries(state, factors(state)[0])[Direction.DOWN]
        assert transcribed(state, {"eth": edge.price_raw})[3] < WAD
        assert transcribed(state, {"eth": edge.safe_price_raw})[3] >= WAD
        # 0.99 p < 0.5 p + 900: a debt that follows its collateral moves the edge far away
        assert edge.price_raw / 10**8 == pytest.approx(900 / 0.49, rel=2e-4)
        pegged = account(revision, held, debt)
        # health hangs on the ratio alone; only where prices are a unit or two does rounding sink it
        assert all(e.price_raw < 10 for e in boundaries(pegged, factors(pegged)[0]).values())


def test_boundary__truncated_average_over_nearly_cancelling_amounts__is_found_exactly() -> None:
    # an account of a random crowd on 3.1: almost as much borrowed of the asset as is supplied of it
    coin = quote(60_000 * 10**8, "btc")
    both = reserve(2, coin, configuration(threshold=7800, decimals=8))
    ether = reserve(0, quote(3_000 * 10**8, "eth"), configuration(threshold=8300))
    dollar = reserve(1, quote(10**8, "usd"), configuration(threshold=7800, decimals=6))
    state = account(
        4,
        supplied(ether, 3_220_230_893_570_429_855),
        supplied(dollar, 618_052_603),
        replace(supplied(both, 21_234_805), scaled_debt=16_571_421, borrowing=True),
    )
    engine = engine_of(state)
    assert engine is not None
    (edge,) = engine.boundary(state, engine.factors(state)[2])
    assert (edge.exact, edge.direction) == (True, Direction.UP)
    # the average is 7800 by then and the debt grows by 8273 parts in 1e8 of the price faster
    assert edge.price_raw // 10**12 == 9690
    assert transcribed(state, {"btc": edge.price_raw})[3] < WAD
    for below in (*range(1, 2_000), *range(2_000, 10**9, 999_983)):
        assert transcribed(state, {"btc": edge.price_raw - below})[3] >= WAD


def test_boundary__price_cut_off_by_a_cap__rises_no_further() -> None:
    stable = reserve(0, quote(10**8, "usdc", cap=104 * 10**6), configuration(threshold=8000))
    debt = reserve(1, quote(10**8, "usdc", cap=104 * 10**6))
    other = reserve(2, quote(10**8, "dai"))
    state = account(10, supplied(stable, 10**20), owed(debt, 10**19), owed(other, 60 * 10**18))
    edges = boundaries(state, factors(state)[0])
    assert set(edges) == {Direction.DOWN}
    short = account(10, supplied(other, 10**20), owed(debt, 77 * 10**18))
    up = boundaries(short, next(f for f in factors(short) if f.name == "usdc"))
    assert up[Direction.UP].price_raw == 103_896_104
    sunk = account(10, supplied(other, 10**20), owed(debt, 76 * 10**18))
    assert boundaries(sunk, next(f for f in factors(sunk) if f.name == "usdc")) == {}


def test_boundary__ether_counted_in_wei__needs_no_dollar_sized_debt() -> None:
    # with 18-decimal values half a unit of rounding exceeds the naive closed form's allowance
    for revision in (1, 8, 10):
        held = reserve(0, quote(10**18, "a"))
        debt = reserve(1, quote(10**18 + 7, "b"))
        state = account(revision, supplied(held, 3 * 10**24), owed(debt, 10**24))
        edge = boundaries(state, factors(state)[0])[Direction.DOWN]
        assert transcribed(state, {"a": edge.price_raw})[3] < WAD
        assert transcribed(state, {"a": edge.safe_price_raw})[3] >= WAD


@given(
    accounts(
        prices=st.integers(10**8, 10**12),
        amounts=st.integers(10**3, 10**7),
        decimals=(2, 6),
        rates=st.integers(0, 10**4 * RAY),
    )
)
@settings(max_examples=150, deadline=None)
def test_time__brief_horizon__is_what_trying_every_second_finds(state: AaveAccount) -> None:
    engine, horizon = engine_of(state), 400
    assert engine is not None
    instant = engine.time_to_liquidation(state, horizon)
    assert instant.exact
    seconds = range(horizon + 1)
    bad = (t for t in seconds if transcribed(state, at=state.timestamp + t)[3] < WAD)
    assert instant.after_s == next(bad, None)


@given(accounts(rates=st.integers(0, RAY // 2)))
@settings(max_examples=200, deadline=None)
def test_time__decades__is_healthy_the_second_before(state: AaveAccount) -> None:
    engine = engine_of(state)
    assert engine is not None
    instant = engine.time_to_liquidation(state, 40 * YEAR)
    assert instant.exact
    if instant.after_s is None:
        assert transcribed(state, at=state.timestamp + 40 * YEAR)[3] >= WAD
    else:
        when = state.timestamp + instant.after_s
        assert transcribed(state, at=when)[3] < WAD
        assert instant.after_s == 0 or transcribed(state, at=when - 1)[3] >= WAD


def test_time__no_debt_or_no_interest__never_comes() -> None:
    held, debt = reserve(0, quote(10**8, "a")), reserve(1, quote(10**8, "b"))
    engine = engine_of(account(10))
    assert engine is not None
    assert engine.time_to_liquidation(account(10, supplied(held, 10**18)), YEAR).after_s is None
    idle = account(10, supplied(held, 10**18), owed(debt, 10**17))
    assert engine.time_to_liquidation(idle, YEAR).after_s is None
    lost = account(10, supplied(held, 10**18), owed(debt, 10**18))
    assert engine.time_to_liquidation(lost, YEAR).after_s == 0


def test_health__reserve_threshold_zero_inside_emode__counts_from_3_6_on() -> None:
    held = reserve(0, quote(10**8, "a"), configuration(threshold=0))
    debt = reserve(1, quote(10**8, "b"))
    emode = EMode(4, 9000, 10100, 1)
    healths = {
        revision: health(account(revision, supplied(held, 10**20), owed(debt, 10**19), emode=emode))
        for revision in (8, 9, 10, 11)
    }
    assert healths == {8: 0, 9: 0, 10: 9 * WAD, 11: 9 * WAD}


def test_health__emode_of_old_releases__replaces_price_and_threshold() -> None:
    held = reserve(0, quote(10**8, "a"), configuration(threshold=5000, category=1))
    debt = reserve(1, quote(2 * 10**8, "b"), configuration(category=1))
    outside = reserve(2, quote(4 * 10**8, "c"), configuration(threshold=6000))
    emode = EMode(1, 9000, 10100, None, quote(10**8, "e"))
    state = account(4, supplied(held, 10**20), supplied(outside, 10**19), owed(debt, 10**19))
    state = replace(state, emode=emode)
    assert [f.name for f in factors(state)] == ["e", "c"]
    assert health(state) == transcribed(state)[3]
    assert health(state, {"e": 2 * 10**8}) == transcribed(state, {"e": 2 * 10**8})[3]
    engine = engine_of(state)
    assert engine is not None
    moved = engine.reprice(state, {"e": 3 * 10**8, "c": 10**8})
    assert engine.token_prices(moved) == {
        held.asset: 3 * 10**8,
        debt.asset: 3 * 10**8,
        outside.asset: 10**8,
    }


def test_health__discounted_debt_of_3_3__is_the_debt_tokens_balance() -> None:
    debt = reserve(1, quote(10**8, "gho"), borrow_index=12 * RAY // 10)
    held = reserve(0, quote(10**8, "a"))
    plain = account(7, supplied(held, 10**21), owed(debt, 10**20))
    rebated = account(
        7, supplied(held, 10**21), owed(debt, 10**20, discount=Discount(3000, 11 * RAY // 10))
    )
    (_, full), (_, less) = lines(plain, NOW), lines(rebated, NOW)
    # interest of 10 on a principal of 110, thirty per cent of it forgiven
    assert (full.debt, less.debt) == (120 * 10**18, 117 * 10**18)
    settled = Discount(3000, 12 * RAY // 10)
    again = account(7, supplied(held, 10**21), owed(debt, 10**20, discount=settled))
    assert lines(again, NOW)[1].debt == 120 * 10**18


@pytest.mark.parametrize("revision", [1, 4, 6])
def test_health__discounted_debt_to_3_2__counts_in_full_and_costs_less(revision: int) -> None:
    debt = reserve(1, quote(10**8, "gho"), borrow_index=12 * RAY // 10)
    held = reserve(0, quote(10**8, "a"))
    rebate = Discount(3000, 11 * RAY // 10)
    plain = account(revision, supplied(held, 10**21), owed(debt, 10**20))
    rebated = account(revision, supplied(held, 10**21), owed(debt, 10**20, discount=rebate))
    _, line = lines(rebated, NOW)
    assert (line.debt, line.payable) == (120 * 10**18, 117 * 10**18)
    engine = engine_of(rebated)
    assert engine is not None
    assert engine.health(rebated) == engine.health(plain) == transcribed(plain)[3]


def test_health__what_counts_has_no_price__is_refused() -> None:
    bare = account(10, supplied(reserve(0, None), 10**18))
    with pytest.raises(ValueError, match="T0 counts and has no price"):
        lines(bare, NOW)


def test_interest__by_hand__polynomial_and_binomial() -> None:
    old, new = Rules(7), Rules(8)
    assert linear(RAY // 10, YEAR) == 11 * RAY // 10
    assert compounded(RAY, 0, old) == compounded(RAY, 0, new) == RAY
    assert compounded(RAY, 1, old) == RAY + RAY // YEAR
    # one year at 100 %: 1 + 1 + 1/2 + 1/6, the old form short of it by a part in a million
    assert compounded(RAY, YEAR, new) == pytest.approx(RAY * 8 / 3, rel=1e-12)
    assert compounded(RAY, YEAR, old) < compounded(RAY, YEAR, new)
    assert compounded(RAY, YEAR, old) == pytest.approx(RAY * 8 / 3, rel=2e-6)
    assert compounded(RAY, 2, old) == RAY + 2 * RAY // YEAR + RAY // YEAR // YEAR


@pytest.mark.parametrize("flag", [True, False])
def test_health__supply_that_is_no_collateral__does_not_count(flag: bool) -> None:
    held, debt = reserve(0, quote(10**8, "a")), reserve(1, quote(10**8, "b"))
    state = account(10, Holding(held, 10**19, collateral=flag), owed(debt, 10**18))
    assert health(state) == (8 * WAD if flag else 0)


def test_factors__base_currency__is_none() -> None:
    base = reserve(0, quote(10**18, "const", constant=True))
    debt = reserve(1, quote(10**18, "feed"))
    state = account(1, supplied(base, 10**20), owed(debt, 10**19))
    assert [factor.name for factor in factors(state)] == ["feed"]
    assert set(boundaries(state, factors(state)[0])) == {Direction.UP}


def test_factors__derived_and_direct_on_one_feed__is_named_by_the_direct_one() -> None:
    derived = reserve(0, quote(10**8, "eth", num=12, den=10, label="wstETH"))
    direct = reserve(1, quote(10**8, "eth", label="ETH / USD"))
    state = account(10, supplied(derived, 10**20), owed(direct, 10**19))
    assert [factor.label for factor in factors(state)] == ["ETH / USD"]
