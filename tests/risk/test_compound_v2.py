"""The Compound engine on states that are made up: deprecated debts, pauses, coins, overflow."""

from dataclasses import replace

import pytest

from chain.units import WAD, YEAR
from protocols.compound_v2.math import AccrualReverts, accrue, debt_bounds, most_repaid
from protocols.compound_v2.state import Book, CHolding, CompoundAccount
from protocols.types import Side
from risk.distance.economic import economic_health
from risk.distance.linear import margin_of
from risk.distance.ray import on_ray
from risk.liquidation.compound_v2 import ENGINE
from risk.liquidation.compound_v2_lines import PriceReverts, advanced, choices, lines
from risk.liquidation.compound_v2_seizure import best_call
from risk.remedy import remedies
from risk.scenario.play import play
from risk.scenario.types import Exposed, Point, Valued
from risk.scenario.unwind import compound
from risk.types import Direction
from tests.protocols.compound_v2.fake import C_ETH, C_USD, FEED_ETH, FEED_USD, OWNER, FakeCompound
from tests.support.fake_chain import address


def fallen(price: int) -> dict[str, int]:
    return {FEED_ETH: price * 10**8}


def with_market(state: CompoundAccount, place: int, **changes: object) -> CompoundAccount:
    """Return a state with something of one market changed."""
    one = state.holdings[place]
    changed = replace(one, market=replace(one.market, **changes))  # type: ignore[arg-type]
    holdings = (*state.holdings[:place], changed, *state.holdings[place + 1 :])
    return replace(state, holdings=holdings)


def test_boundary__two_feeds__health_is_one_between_the_neighbours() -> None:
    state = FakeCompound().state()
    for factor in ENGINE.factors(state):
        (edge,) = ENGINE.boundary(state, factor)
        taken, safe = (
            ENGINE.health(state, {factor.name: price})
            for price in (edge.price_raw, edge.safe_price_raw)
        )
        assert taken is not None
        assert safe is not None
        assert taken < WAD <= safe
    assert {e.direction for f in ENGINE.factors(state) for e in ENGINE.boundary(state, f)} == {
        Direction.DOWN,
        Direction.UP,
    }


def test_boundary__already_liquidatable__is_where_it_would_stop() -> None:
    state = ENGINE.reprice(FakeCompound().state(), fallen(2000))
    health = ENGINE.health(state)
    assert health is not None
    assert health < WAD
    eth, usd = (ENGINE.boundary(state, f) for f in ENGINE.factors(state))
    assert eth[0].price_raw > 2000 * 10**8
    assert usd[0].price_raw < 10**8
    assert ENGINE.time_to_liquidation(state, YEAR).after_s == 0


def test_boundary__one_factor_on_both_sides__is_found_by_its_slope() -> None:
    """Coins owed and coins supplied move together; the margin is a line in their price."""
    fake = FakeCompound()
    fake.held[C_ETH, OWNER] = (10**10, 10**18 // 10)
    fake.held[C_USD, OWNER] = (0, 3_000 * 10**6)
    state = fake.state()
    eth = next(f for f in ENGINE.factors(state) if f.name == FEED_ETH)
    (edge,) = ENGINE.boundary(state, eth)
    assert edge.exact
    taken, safe = (
        ENGINE.health(state, {FEED_ETH: price}) for price in (edge.price_raw, edge.safe_price_raw)
    )
    assert taken is not None
    assert safe is not None
    assert taken < WAD <= safe


def test_health__deprecated_debt__is_below_one_whatever_it_is() -> None:
    state = with_market(FakeCompound().state(), 1, deprecated=True)
    assert ENGINE.health(state) == WAD - 1
    assert all(ENGINE.boundary(state, f) == () for f in ENGINE.factors(state))
    call = best_call(state)
    assert call is not None
    assert call.repaid == state.holdings[1].debt
    assert ENGINE.terms(state).close_factor_frac == 1.0


def test_seizure__paused__nothing_and_terms_say_so() -> None:
    state = ENGINE.reprice(FakeCompound().state(), fallen(2000))
    assert ENGINE.seizure(state) is not None
    paused = replace(state, seize_paused=True)
    assert ENGINE.seizure(paused) is None
    assert ENGINE.terms(paused).blocked_by == ("seizing is paused",)
    assert compound(paused) is None


def test_terms__market_not_listed__says_so() -> None:
    state = with_market(FakeCompound().state(), 1, listed=False)
    assert ENGINE.terms(state).blocked_by == ("cUSDC is not listed",)
    assert best_call(state, always=True) is None
    assert ENGINE.health(state) is not None


def test_seizure__little_collateral__takes_what_there_is() -> None:
    fake = FakeCompound()
    fake.held[C_ETH, OWNER] = (10**8, 0)
    state = fake.state()
    call = best_call(state)
    assert call is not None
    assert call.tokens <= 10**8
    assert call.repaid < state.close_factor * state.holdings[1].debt // WAD
    told = ENGINE.seizure(state)
    assert told is not None
    assert told.seized + told.protocol_fee == call.tokens * state.holdings[0].market.rate // WAD
    assert told.profit_usd is not None


def test_seizure__coins_owed_where_coins_are_supplied__only_as_much_as_leaves_a_shortfall() -> None:
    """Coins on their way count as cash of the cETH that they are repaid to."""
    fake = FakeCompound()
    fake.held[C_ETH, OWNER] = (4 * 10**13, 10**21)
    fake.held[C_USD, OWNER] = (0, 3 * 10**12)
    state = fake.state()
    state = replace(state, holdings=tuple(h for h in state.holdings if h.market.native))
    state = with_market(state, 0, collateral_factor=1)
    short = best_call(state)
    assert short is not None
    edge = _at_the_edge(fake)
    call = best_call(edge)
    assert call is not None
    assert 0 < call.repaid < edge.close_factor * edge.holdings[0].debt // WAD


def _at_the_edge(fake: FakeCompound) -> CompoundAccount:
    """Return an account whose only debt is of coins, short by very little."""
    state = fake.state()
    state = replace(state, holdings=(state.holdings[0],))
    (one,) = state.holdings
    market = one.market
    owed = one.debt * WAD
    factor = owed * WAD // (market.rate * one.tokens)
    for less in range(1, 10**6):
        found = with_market(state, 0, collateral_factor=factor - less)
        health = ENGINE.health(found)
        if health is not None and health < WAD:
            return found
    raise AssertionError("no edge")


def test_health__no_collateral__liquidatable_and_nothing_to_take() -> None:
    fake = FakeCompound()
    fake.held[C_ETH, OWNER] = (0, 0)
    state = fake.state()
    assert ENGINE.health(state) == 0
    assert ENGINE.seizure(state) is None


def test_health__no_debt__is_none() -> None:
    fake = FakeCompound()
    fake.held[C_USD, OWNER] = (0, 0)
    state = fake.state()
    assert ENGINE.health(state) is None
    assert ENGINE.terms(state).close_factor_frac is None
    assert ENGINE.time_to_liquidation(state, YEAR).after_s is None
    assert ENGINE.boundary(state, ENGINE.factors(state)[0]) == ()
    assert margin_of(state) is None
    assert economic_health(state, {}) is None


def test_health__price_of_zero__nobody_is_judged() -> None:
    with pytest.raises(PriceReverts, match="cETH"):
        ENGINE.health(FakeCompound().state(), {FEED_ETH: 0})


def test_choices__market_with_both_sides__counts_stored_and_accrued() -> None:
    fake = FakeCompound()
    fake.held[C_USD, OWNER] = (10**11, 3_000 * 10**6)
    state = fake.state()
    assert len(choices(lines(state))) == 2  # the dollars repaid, coins or dollars seized


def test_accrue__rate_beyond_the_limit__reverts() -> None:
    book = Book(1, 10**18, 0, 1, 0, WAD, 6 * 10**12, 0)
    with pytest.raises(AccrualReverts, match="absurdly"):
        accrue(book, 10)
    with pytest.raises(AccrualReverts, match="overflows"):
        accrue(replace(book, rate=10**12, borrows=2**250), 10**9)
    assert accrue(book, 0) == book


def test_debt_bounds__known_at_two_indexes__confine_the_third() -> None:
    principal, at = 123_456_789_012, 1_037 * WAD // 1_000
    now, later = 1_100 * WAD // 1_000, 1_234 * WAD // 1_000
    known = [(principal * index // at, index) for index in (at, now)]
    least, most = debt_bounds(known, later)
    assert least <= principal * later // at <= most
    assert most - least <= 2
    assert debt_bounds([(0, at)], later) == (0, 0)


def test_most_repaid__nothing_seized_for_it__is_unbounded() -> None:
    assert most_repaid(0, 5) > 2**255


def test_time__market_that_stops_accruing__is_not_when_it_liquidates() -> None:
    state = FakeCompound().state()
    book = state.holdings[1].market.book
    assert book is not None
    huge = with_market(state, 1, book=replace(book, borrows=2**205))
    assert ENGINE.time_to_liquidation(huge, 100 * YEAR).after_s is None


def test_unwind__most_profitable_call__leaves_what_the_contracts_would() -> None:
    state = ENGINE.reprice(FakeCompound().state(), fallen(2000))
    call, played = best_call(state), compound(state)
    assert call is not None
    assert played is not None
    after = played.state
    assert isinstance(after, CompoundAccount)
    eth, usd = after.holdings
    assert eth.tokens == state.holdings[0].tokens - call.tokens
    assert (usd.debt, usd.stored_debt) == (state.holdings[1].debt - call.repaid,) * 2
    assert usd.market.stored_rate == usd.market.rate
    assert played.written_off == {}


def test_remedies__each_lever__least_amount_that_reaches_the_target() -> None:
    state = FakeCompound().state()
    target = 2 * WAD
    at = state.timestamp + 3_600
    found = remedies(state, target, at)
    assert found is not None
    assert {r.name for r in found.each} == {"debt", "collateral"}
    then = advanced(state, at)
    for remedy in found.each:
        assert remedy.amount is not None
        healths = [_after(then, remedy.name, remedy.amount - less) for less in (0, 1)]
        assert healths[0] == remedy.health_raw
        assert healths[1] < target <= healths[0]
    done = remedies(state, WAD, at)
    assert done is not None
    assert done.already


def _after(state: CompoundAccount, name: str, amount: int) -> int:
    def changed(one: CHolding) -> CHolding:
        market = replace(one.market, stored_rate=one.market.rate, book=None)
        if name == "debt" and one.debt:
            left = one.debt - amount
            return replace(one, market=market, debt=left, stored_debt=left)
        if name == "collateral" and one.tokens:
            more = one.tokens + amount * WAD // market.rate
            return replace(one, market=market, tokens=more)
        return one

    found = replace(state, holdings=tuple(changed(one) for one in state.holdings))
    health = ENGINE.health(found)
    assert health is not None
    return health


def test_margin__floats__agree_with_the_integers() -> None:
    state = FakeCompound().state()
    margin = margin_of(state)
    health = ENGINE.health(state)
    assert margin is not None
    assert health is not None
    assert 1 + margin.h0 / margin.debt == pytest.approx(health / WAD, rel=1e-12)
    tokens = {h.market.underlying.address: 1.0 for h in state.holdings}
    assert economic_health(state, tokens) == pytest.approx(health / WAD, rel=1e-12)


def test_ray__both_feeds_moving__found_by_the_integers() -> None:
    state = FakeCompound().state()
    move: dict[str, float] = {FEED_ETH: -1.0, FEED_USD: 0.2}
    found = on_ray(state, move)
    assert found is not None
    taken, safe = ENGINE.health(state, found.liquidatable), ENGINE.health(state, found.safe)
    assert taken is not None
    assert safe is not None
    assert taken < WAD <= safe


def test_play__supply_that_was_not_entered__is_seized_from_the_legs() -> None:
    """The dollars are worth more to the liquidator than the coins that carry the debt."""
    fake = FakeCompound()
    fake.held[C_ETH, OWNER] = (10**8, 0)
    fake.held[C_USD, OWNER] = (5 * 10**15, 4_000 * 10**6)
    fake.entered[OWNER] = (C_ETH,)
    fake.held[C_USD, OWNER] = (5 * 10**15, 0)
    other = fake.position()
    fake.held[C_USD, OWNER] = (0, 4_000 * 10**6)
    fake.entered[OWNER] = (C_ETH, C_USD)
    owing = fake.position()
    assert other.verified
    assert owing.verified
    state, aside = owing.state, other.state
    assert isinstance(state, CompoundAccount)
    assert isinstance(aside, CompoundAccount)
    supply = next(h for h in aside.holdings if h.market.ctoken == C_USD)
    beside = replace(supply, market=replace(supply.market, ctoken=address(99)))
    both = replace(state, holdings=(*state.holdings, beside))
    legs = (*owing.legs, *(leg for leg in other.legs if leg.side is Side.ASSET))
    position = replace(owing, state=both, legs=legs)
    fate = play(
        Exposed(position, tuple(Valued(leg, 1.0, {}) for leg in legs)),
        (Point({}, {FEED_ETH: 1.0}),),
    )
    assert fate.taken
    taken = next(t for t in fate.taken if t.collateral == supply.market.underlying.address)
    before = next(leg for leg in legs if leg.side is Side.ASSET).amount
    after = next(leg for leg in fate.legs if leg.side is Side.ASSET).amount
    assert before - after == sum(
        t.seized + t.fee for t in fate.taken if t.collateral == taken.collateral
    )
