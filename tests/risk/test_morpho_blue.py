"""The Morpho engine against its own definition, second by second and unit by unit."""

from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from chain.types import ZERO_ADDRESS
from chain.units import WAD, YEAR
from protocols.morpho_blue.math import (
    MAX_RATE_AT_TARGET,
    MIN_RATE_AT_TARGET,
    accrue,
    average_rate,
    lowest_safe_price,
    max_borrow,
    rate_segments,
)
from protocols.morpho_blue.state import MorphoOracle, MorphoPosition, OracleParts, VaultLeaf
from risk.liquidation.engine import HORIZON_S, Factor, Instant
from risk.liquidation.morpho_blue import ENGINE, OracleReverts
from risk.types import Direction
from tests.risk.morpho_states import (
    BASE,
    COLLATERAL,
    LOAN,
    ORACLE,
    QUOTE,
    address,
    feed,
    market,
    parts,
    position,
)

LLTVS = st.sampled_from([n * WAD // 1000 for n in (385, 625, 770, 860, 915, 945, 965, 980)])


def owed(state: MorphoPosition, at: int) -> int:
    assert state.rate_at_target is not None
    rate = average_rate(state.rate_at_target, state.stored, at)
    return accrue(state.stored, rate, at).totals.borrowed(state.borrow_shares)


def with_limit(state: MorphoPosition, limit: int) -> MorphoPosition:
    """Give the position collateral that bears exactly `limit`."""
    return replace(
        state,
        collateral=2 * limit,
        params=replace(state.params, lltv=WAD // 2),
        oracle=MorphoOracle(ORACLE, 10**36, None),
    )


@given(st.integers(1, 10**24), st.integers(1, 10**24), st.integers(1, 10**34), LLTVS)
def test_health__any_position__below_one_exactly_when_morpho_says_unhealthy(
    shares: int, collateral: int, price: int, lltv: int
) -> None:
    state = position(shares=shares, collateral=collateral, price=price, lltv=lltv)
    health = ENGINE.health(state)
    assert health is not None
    bears = max_borrow(collateral, price, lltv)
    assert (health < ENGINE.scale) == (bears < state.borrowed)


def test_health__no_debt__is_none_and_nothing_else_is_said() -> None:
    state = position(shares=0)
    assert ENGINE.health(state) is None
    assert ENGINE.factors(state) == ()
    assert ENGINE.time_to_liquidation(state, HORIZON_S) == Instant(None)
    assert ENGINE.seizure(state) is None
    assert ENGINE.bad_debt(state) == 0
    assert ENGINE.terms(state).close_factor_frac is None
    assert ENGINE.boundary(state, Factor(ORACLE, "", 1, 0)) == ()


def test_health__at_a_later_second__accrues_to_it() -> None:
    state = position(elapsed=1000)
    later = state.timestamp + 500_000
    health = ENGINE.health(state, at=later)
    assert state.oracle is not None
    bears = max_borrow(state.collateral, state.oracle.price, state.params.lltv)
    assert health == bears * WAD // owed(state, later)


@given(st.integers(1, 10**24), st.integers(1, 10**24), st.integers(1, 10**34), LLTVS)
def test_boundary__oracle__one_unit_separates_safe_from_liquidatable(
    shares: int, collateral: int, price: int, lltv: int
) -> None:
    state = position(shares=shares, collateral=collateral, price=price, lltv=lltv, elapsed=10**6)
    (edge,) = ENGINE.boundary(state, ENGINE.factors(state)[0])
    assert edge.direction is Direction.DOWN
    assert edge.safe_price_raw == edge.price_raw + 1
    assert edge.current_raw == price
    for raw, safe in ((edge.safe_price_raw, True), (edge.price_raw, False)):
        health = ENGINE.health(state, {ORACLE: raw})
        assert health is not None
        assert (health >= WAD) is safe


@given(
    base=st.lists(st.integers(1, 10**20), min_size=1, max_size=2),
    quote=st.lists(st.integers(1, 10**20), max_size=2),
    vault=st.one_of(st.none(), st.integers(10**17, 10**19)),
    shares=st.integers(1, 10**24),
    collateral=st.integers(1, 10**24),
)
def test_boundary__feeds_behind_the_oracle__exact_in_their_own_units(
    base: list[int], quote: list[int], vault: int | None, shares: int, collateral: int
) -> None:
    leaf = None if vault is None else VaultLeaf(address(30), vault, 10**18)
    made = OracleParts(
        10**24,
        leaf,
        tuple(feed(address(10 + i), answer) for i, answer in enumerate(base)),
        None,
        tuple(feed(address(20 + i), answer) for i, answer in enumerate(quote)),
    )
    price = made.price()
    assume(price)
    assert price is not None
    oracle = MorphoOracle(ORACLE, price, made)
    state = position(shares=shares, collateral=collateral, oracle=oracle)
    factors = ENGINE.factors(state)
    assert [f.name for f in factors[1:]] == [
        *(address(10 + i) for i in range(len(base))),
        *(address(20 + i) for i in range(len(quote))),
    ]
    for factor in factors[1:]:
        up = factor.name >= address(20)
        found = ENGINE.boundary(state, factor)
        if not found:
            assert_no_edge(state, factor, up=up)
        for edge in found:
            assert edge.direction is (Direction.UP if up else Direction.DOWN)
            assert edge.price_raw - edge.safe_price_raw == (1 if up else -1)
            assert healthy(state, {factor.name: edge.safe_price_raw})
            assert not healthy(state, {factor.name: edge.price_raw})


def healthy(state: MorphoPosition, prices: dict[str, int]) -> bool:
    health = ENGINE.health(state, prices)
    assert health is not None
    return health >= WAD


def assert_no_edge(state: MorphoPosition, factor: Factor, *, up: bool) -> None:
    """Where there is no boundary, the answer most favourable to the owner is not enough."""
    if up:
        assert not healthy(state, {factor.name: 1})
    else:
        top = 2**191
        assert all(not healthy(state, {factor.name: top >> n}) for n in range(40))


def test_boundary__feed_on_both_sides_of_the_quotient__moves_nothing() -> None:
    both = feed(BASE, 5 * 10**8)
    made = OracleParts(10**24, None, (both, feed(QUOTE, 10**8)), None, (both,))
    price = made.price()
    assert price is not None
    state = position(oracle=MorphoOracle(ORACLE, price, made))
    whole, same, other = ENGINE.factors(state)
    assert ENGINE.boundary(state, same) == ()
    assert len(ENGINE.boundary(state, other)) == 1
    assert len(ENGINE.boundary(state, whole)) == 1


def test_boundary__no_collateral__no_price_is_safe() -> None:
    state = position(collateral=0)
    assert ENGINE.boundary(state, ENGINE.factors(state)[0]) == ()
    assert ENGINE.health(state) == 0


def test_boundary__debt_beyond_any_price__no_feed_answer_is_safe() -> None:
    made = parts()
    price = made.price()
    assert price is not None
    state = position(collateral=1, shares=10**60, oracle=MorphoOracle(ORACLE, price, made))
    _, base, quote = ENGINE.factors(state)
    assert ENGINE.boundary(state, base) == ()
    assert ENGINE.boundary(state, quote) == ()


def test_boundary__opaque_oracle__a_foreign_factor_moves_nothing() -> None:
    state = position()
    assert ENGINE.boundary(state, Factor(BASE, "", 1, 8)) == ()


def test_prices__oracle_would_revert__nobody_is_judged() -> None:
    made = parts()
    price = made.price()
    assert price is not None
    state = position(oracle=MorphoOracle(ORACLE, price, made))
    with pytest.raises(OracleReverts, match="would revert"):
        ENGINE.health(state, {QUOTE: 0})
    with pytest.raises(OracleReverts):
        ENGINE.health(state, {BASE: -1})
    with pytest.raises(OracleReverts):
        ENGINE.health(replace(state, oracle=None))
    assert ENGINE.health(state, {BASE: 0}) == 0
    assert ENGINE.health(state, {address(99): 0}) == ENGINE.health(state)


# --- time ---------------------------------------------------------------------------------------


@settings(deadline=None)  # thousands of seconds are replayed one by one
@given(
    used=st.floats(0.01, 1),
    at_target=st.integers(MIN_RATE_AT_TARGET, MAX_RATE_AT_TARGET),
    elapsed=st.integers(0, 30 * 86_400),
    wait=st.integers(1, 3 * YEAR),
    excess=st.integers(-1, 1),
)
@example(used=0.05, at_target=10**9, elapsed=0, wait=460_000, excess=0)
def test_time__adaptive_rate__first_second_that_crosses(
    used: float, at_target: int, elapsed: int, wait: int, excess: int
) -> None:
    state = position(totals=market(used), shares=10**19, at_target=at_target, elapsed=elapsed)
    limit = max(owed(state, state.timestamp + wait) + excess, state.borrowed)
    state = with_limit(state, limit)
    found = ENGINE.time_to_liquidation(state, HORIZON_S)
    assert found.exact
    assert found.after_s is not None
    assert found.after_s > 0
    assert owed(state, state.timestamp + found.after_s) > limit
    # Every second before: all of the last thousand, and those around every step of the rate.
    around = {
        state.stored.last_update + edge + n
        for edge in rate_segments(state.stored, elapsed + found.after_s)
        for n in (-2, -1, 0, 1)
    }
    last = state.timestamp + found.after_s
    for at in {*range(max(state.timestamp, last - 1000), last), *around}:
        if state.timestamp <= at < last:
            assert owed(state, at) <= limit


@settings(deadline=None)
@given(st.floats(0.01, 0.89), st.integers(0, 11), st.booleans(), st.integers(-5, 5))
def test_time__debt_falls_at_a_step_of_the_rate__the_earlier_crossing_is_found(
    used: float, step: int, high: bool, shift: int
) -> None:
    state = position(totals=market(used), shares=4 * 10**20, at_target=MAX_RATE_AT_TARGET)
    edges = rate_segments(state.stored, 20 * YEAR)[1:]
    assume(step < len(edges))
    second = state.timestamp + edges[step]
    before, after = owed(state, second - 1), owed(state, second)
    assume(before > after)
    # A limit between the two: crossed just before the step, borne again just after it.
    limit = (before - 1 if high else after) + min(shift, 0)
    assume(limit >= state.borrowed)
    state = with_limit(state, limit)
    found = ENGINE.time_to_liquidation(state, HORIZON_S)
    assert found.after_s is not None
    assert state.timestamp + found.after_s <= second - 1
    assert owed(state, state.timestamp + found.after_s) > limit
    assert owed(state, state.timestamp + found.after_s - 1) <= limit


def test_time__already_liquidatable__now() -> None:
    state = position(price=1)
    assert ENGINE.time_to_liquidation(state, HORIZON_S) == Instant(0)


def test_time__no_rate_model__never_and_exact() -> None:
    state = position(irm=ZERO_ADDRESS, rate=0)
    assert ENGINE.time_to_liquidation(state, HORIZON_S) == Instant(None)


def test_time__beyond_the_horizon__never() -> None:
    state = position()
    found = ENGINE.time_to_liquidation(state, HORIZON_S)
    assert found.after_s is not None
    assert ENGINE.time_to_liquidation(state, found.after_s - 1) == Instant(None)
    assert ENGINE.time_to_liquidation(state, found.after_s) == found


def test_time__unfamiliar_rate_model__rate_held_and_said_to_be_inexact() -> None:
    state = position(at_target=None, rate=10**9, elapsed=5000)
    found = ENGINE.time_to_liquidation(state, HORIZON_S)
    assert not found.exact
    assert found.after_s is not None
    limit = max_borrow(state.collateral, 3000 * 10**24, state.params.lltv)
    debts = [
        accrue(state.stored, 10**9, state.timestamp + s).totals.borrowed(state.borrow_shares)
        for s in (found.after_s - 1, found.after_s)
    ]
    assert debts[0] <= limit < debts[1]


def test_time__market_that_breaks_before__is_never_liquidated() -> None:
    huge = market(1, supply=2**127)
    state = with_limit(
        position(totals=huge, shares=huge.borrow_shares, at_target=MAX_RATE_AT_TARGET), 2**130
    )
    assert ENGINE.time_to_liquidation(state, HORIZON_S) == Instant(None)


# --- seizure ------------------------------------------------------------------------------------


def test_seizure__healthy__none() -> None:
    assert ENGINE.seizure(position()) is None
    assert ENGINE.bad_debt(position()) == 0


def test_seizure__just_below_the_boundary__all_debt_for_part_of_the_collateral() -> None:
    state = position()
    safe = lowest_safe_price(state.borrowed, state.collateral, state.params.lltv)
    assert safe is not None
    taken = ENGINE.seizure(state, {ORACLE: safe - 1})
    assert taken is not None
    assert (taken.debt, taken.collateral) == (LOAN, COLLATERAL)
    assert taken.repaid == state.borrowed
    assert 0 < taken.seized < state.collateral
    assert taken.protocol_fee == 0
    gain = taken.seized * (safe - 1) / 10**36 / taken.repaid - 1
    assert gain == pytest.approx(ENGINE.terms(state).penalty_frac, abs=1e-9)
    assert ENGINE.bad_debt(state, {ORACLE: safe - 1}) == 0


def test_seizure__deep_under_water__all_collateral_and_bad_debt() -> None:
    state = position(price=10**24)
    taken = ENGINE.seizure(state)
    assert taken is not None
    assert taken.seized == state.collateral
    assert 0 < taken.repaid < state.borrowed
    assert ENGINE.bad_debt(state) > 0
    assert taken.repaid + ENGINE.bad_debt(state) >= state.borrowed - 1


def labelled(base: str, quote: str | None) -> MorphoPosition:
    made = parts()
    base_feeds = (replace(made.base_feeds[0], label=base),)
    quote_feeds = () if quote is None else (replace(made.quote_feeds[0], label=quote),)
    made = replace(made, base_feeds=base_feeds, quote_feeds=quote_feeds)
    made = made if quote else replace(made, scale=made.scale // 10**8)
    price = made.price()
    assert price is not None
    return position(oracle=MorphoOracle(ORACLE, price, made))


@pytest.mark.parametrize("quote", ["USDC / USD", None])
def test_terms__feeds_count_in_dollars__loss_is_the_incentive_on_the_debt(
    quote: str | None,
) -> None:
    state = labelled("ETH / USD", quote)
    (edge,) = ENGINE.boundary(state, ENGINE.factors(state)[0])
    terms = ENGINE.terms(state, {ORACLE: edge.price_raw})
    assert terms.penalty_frac is not None
    assert terms.expected_loss_usd == pytest.approx(2000 * terms.penalty_frac, rel=1e-6)
    taken = ENGINE.seizure(state, {ORACLE: edge.price_raw})
    assert taken is not None
    assert taken.profit_usd == terms.expected_loss_usd


def test_terms__quote_feed_moved__the_dollars_move_with_it() -> None:
    state = labelled("ETH / USD", "USDC / USD")
    moved = 2 * 10**8
    price = state.oracle.parts.price({QUOTE: moved}) if state.oracle and state.oracle.parts else 0
    taken = ENGINE.seizure(state, {QUOTE: moved})
    assert taken is not None
    assert price is not None
    gain = (taken.seized * price // 10**36 - taken.repaid) / 10**6 * 2
    assert taken.profit_usd == pytest.approx(gain)


@pytest.mark.parametrize(
    ("base", "quote"),
    [("stETH / ETH", None), ("ETH / USD", "EUR / ETH"), ("stETH / ETH", "USDC / USD")],
)
def test_terms__feeds_do_not_count_in_dollars__no_loss_in_dollars(
    base: str, quote: str | None
) -> None:
    assert ENGINE.terms(labelled(base, quote)).expected_loss_usd is None


# --- moving prices ------------------------------------------------------------------------------


def test_reprice__feed__moves_the_oracle_with_it() -> None:
    made = parts()
    price = made.price()
    assert price is not None
    state = position(oracle=MorphoOracle(ORACLE, price, made))
    moved = ENGINE.reprice(state, {BASE: 1500 * 10**8})
    assert moved.oracle is not None
    assert moved.oracle.parts is not None
    assert moved.oracle.parts.base_feeds[0].answer == 1500 * 10**8
    assert moved.oracle.price == price // 2
    assert ENGINE.health(moved) == ENGINE.health(state, {BASE: 1500 * 10**8})
    assert ENGINE.token_prices(moved) == {COLLATERAL: price // 2}
    assert ENGINE.reprice(state, {}) == state


def test_reprice__the_oracle_itself__overrules_its_feeds() -> None:
    made = parts()
    price = made.price()
    assert price is not None
    state = position(oracle=MorphoOracle(ORACLE, price, made))
    moved = ENGINE.reprice(state, {ORACLE: 7, BASE: 1})
    assert moved.oracle is not None
    assert (moved.oracle.price, moved.oracle.parts) == (7, None)


def test_reprice__nothing_priced__is_left_alone() -> None:
    state = replace(position(shares=0), oracle=None)
    assert ENGINE.reprice(state, {ORACLE: 1}) is state
    assert ENGINE.token_prices(state) == {}


def test_factors__feed_named_twice__is_one_factor() -> None:
    twice = feed(BASE, 10**8)
    made = OracleParts(10**20, None, (twice, twice), None, ())
    price = made.price()
    assert price is not None
    state = position(oracle=MorphoOracle(ORACLE, price, made))
    assert [f.name for f in ENGINE.factors(state)] == [ORACLE, BASE]
    (edge,) = ENGINE.boundary(state, ENGINE.factors(state)[1])
    assert healthy(state, {BASE: edge.safe_price_raw})
    assert not healthy(state, {BASE: edge.price_raw})
