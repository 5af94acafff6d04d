"""Paths with liquidations: what is taken, what is left, and what is not known."""

from dataclasses import replace

import pytest

from protocols.types import Side, Token
from risk.liquidation import ENGINES
from risk.scenario.play import oracle_prices, play, value
from risk.scenario.types import BadPath, End, Exposed, Fate, path_to
from risk.scenario.unwind import UNWIND
from risk.types import Status
from tests.risk.aave_states import account, configuration, owed, quote, reserve, supplied
from tests.risk.morpho_states import position as morpho
from tests.risk.scenario.build import ETH, USD, exposed_loan, leg, loan, pool_range, valued, wallet


def crash(held: Exposed, eth: float, steps: int = 1, gas: float = 0.0) -> Fate:
    return play(held, path_to({ETH: eth}, {ETH: eth}, steps), gas)


def test_play__nothing_moves__nothing_lost() -> None:
    fate = play(loan(), path_to({}, {}))
    assert (fate.end, fate.status, fate.taken) == (End.NONE, Status.SAFE, ())
    assert fate.before_usd == fate.after_usd == fate.net_usd == pytest.approx(5_000)
    assert fate.loss_usd == 0


def test_play__fall_within_health__loss_is_the_collaterals_fall() -> None:
    fate = crash(loan(), 0.97)
    assert fate.taken == ()
    assert fate.loss_usd == pytest.approx(600)


@pytest.mark.parametrize("revision", [3, 7, 10])
def test_play__liquidated__balances_and_equity_add_up(revision: int) -> None:
    held = loan(revision)
    fate = crash(held, 0.9)
    assert fate.taken
    assert fate.end in (End.HEALTHY, End.CLOSED)
    gone = sum(t.seized + t.fee for t in fate.taken) / 1e18 * 1_800
    paid = sum(t.repaid for t in fate.taken) / 1e18
    assert fate.penalty_usd == pytest.approx(gone - paid)
    assert fate.after_usd == pytest.approx(18_000 - 15_000 - fate.penalty_usd)
    assert fate.penalty_usd == pytest.approx(0.05 * paid, rel=1e-9)
    amounts = {one.side: one.amount for one in fate.legs}
    assert amounts[Side.COLLATERAL] == 10 * 10**18 - sum(t.seized + t.fee for t in fate.taken)
    assert amounts[Side.DEBT] == 15_000 * 10**18 - sum(t.repaid for t in fate.taken)


def test_play__seizure_worsens_health__repeated_until_over() -> None:
    # owing 99 % of a collateral with a threshold of 97 %, each half repaid takes 105 % of it
    bits = configuration(threshold=9_700, bonus=10_500)
    first = reserve(0, quote(2_000 * 10**8, ETH), bits)
    debt = owed(reserve(1, quote(10**8, USD)), 15_000 * 10**18)
    held = exposed_loan(account(3, supplied(first, 10**19), debt))
    fate = crash(held, 1_515 / 2_000)
    assert len(fate.taken) > 1
    assert fate.taken[0].repaid == 7_500 * 10**18
    assert fate.end is End.STUCK
    assert fate.after_usd == 0
    assert fate.net_usd == pytest.approx(-fate.bad_debt_usd)
    assert fate.bad_debt_usd == pytest.approx(15_000 - 15_150 / 1.05, rel=1e-6)


def test_play__release_that_cancels__debt_without_collateral_is_written_off() -> None:
    fate = crash(loan(10, debt=15_500), 0.5)
    assert fate.end is End.CLOSED
    assert fate.taken[-1].written_off
    assert fate.bad_debt_usd == pytest.approx(15_500 - 10_000 / 1.05, rel=1e-3)
    assert fate.net_usd == pytest.approx(-fate.bad_debt_usd)
    assert fate.status is Status.NOT_LIQUIDATABLE


def test_play__small_steps__are_liquidated_at_better_prices_than_one_jump() -> None:
    jump, slow = crash(loan(3), 0.6), crash(loan(3), 0.6, steps=50)
    assert jump.bad_debt_usd > 0
    assert slow.bad_debt_usd == 0
    assert slow.taken[0].step < 49


def test_play__call_that_pays_less_than_its_gas__nobody_liquidates() -> None:
    fate = crash(loan(3), 0.92, gas=10_000.0)
    assert (fate.end, fate.status, fate.taken) == (End.STUCK, Status.LIQUIDATABLE, ())
    assert fate.after_usd == pytest.approx(3_400)


def test_play__paused_reserve__is_stuck_and_says_liquidatable() -> None:
    first = reserve(0, quote(2_000 * 10**8, ETH), configuration(flags=1 << 56 | 1 << 60))
    state = account(
        10, supplied(first, 10**19), owed(reserve(1, quote(10**8, USD)), 15_000 * 10**18)
    )
    fate = crash(exposed_loan(state), 0.9)
    assert (fate.end, fate.status) == (End.STUCK, Status.LIQUIDATABLE)


def test_play__oracle_lies__liquidates_at_its_price_and_counts_at_the_markets() -> None:
    fate = play(loan(3), path_to({ETH: 0.7}, {}))
    assert fate.taken
    honest = crash(loan(3), 0.7)
    assert [t.seized for t in fate.taken] == [t.seized for t in honest.taken]
    assert fate.loss_usd is not None
    assert fate.loss_usd == pytest.approx(fate.penalty_usd - fate.bad_debt_usd, rel=1e-9, abs=1e-6)


def test_play__depeg_that_no_oracle_sees__lost_and_not_liquidated() -> None:
    fate = play(loan(3), path_to({}, {ETH: 0.9}))
    assert fate.taken == ()
    assert fate.loss_usd == pytest.approx(2_000)


def test_play__morpho__all_debt_goes_and_bad_debt_is_the_lenders() -> None:
    state = morpho(shares=2_500 * 10**12)
    legs = (
        valued(leg(2, 10**18, Side.COLLATERAL, "o"), 3_000.0, {state.params.oracle: 1}),
        valued(leg(1, state.borrowed, Side.DEBT), 10.0**12, {}),
    )
    tokens = (state.collateral_token, state.loan)
    legs = tuple(  # type: ignore[assignment]
        replace(v, leg=replace(v.leg, token=t or Token(v.leg.token.address, "", 18)))
        for v, t in zip(legs, tokens, strict=True)
    )
    held = replace(wallet(*legs), position=replace(wallet(*legs).position, state=state))
    moves: dict[str, float] = {state.params.oracle: 0.5}
    fate = play(held, path_to(moves, moves))
    assert fate.end is End.CLOSED
    assert len(fate.taken) == 1
    assert sum(fate.taken[0].written_off.values()) > 0
    assert fate.after_usd == pytest.approx(0.0, abs=1e-6)
    assert fate.bad_debt_usd > 0


def test_play__price_missing_or_part_unread__unknown_with_its_cause() -> None:
    held = wallet(valued(leg(5, 10**18, Side.ASSET), None, {}, cause="no source"))
    fate = play(held, path_to({ETH: 0.5}, {ETH: 0.5}))
    assert fate.after_usd is None
    assert fate.loss_usd is None
    assert fate.causes == ("T5 has no price: no source",)
    partial = wallet(valued(leg(5, 10**18, Side.ASSET), 1.0, {}), unknown=("fees: refused",))
    assert play(partial, ()).causes == ("fees: refused",)
    assert play(partial, ()).before_usd is None


def test_play__price_that_cannot_be_followed__unknown_only_where_it_moves() -> None:
    held = wallet(valued(leg(5, 10**18, Side.ASSET), 7.0, {}, blind=frozenset({ETH})))
    assert play(held, path_to({USD: 0.9}, {USD: 0.9})).after_usd == 7.0
    fate = play(held, path_to({ETH: 0.9}, {ETH: 0.9}))
    assert fate.after_usd is None
    assert fate.causes == ("T5: how its price moves cannot be told",)


def test_play__unverified_account__status_unknown_and_said() -> None:
    held = loan(3)
    doubted = replace(held, position=replace(held.position, verified=False, notes=("fork",)))
    fate = crash(doubted, 0.99)
    assert fate.status is Status.UNKNOWN
    assert "fork" in fate.causes


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_path__price_that_is_none__refused(bad: float) -> None:
    with pytest.raises(BadPath, match="eth would be multiplied"):
        path_to({ETH: bad}, {})


def test_path__steps__go_evenly_in_the_logarithm_and_end_exactly() -> None:
    path = path_to({ETH: 0.25}, {ETH: 0.25}, 2)
    assert [p.oracle[ETH] for p in path] == [0.5, 0.25]
    back = path_to({ETH: 1.0}, {}, 2, path[-1])
    assert [p.oracle[ETH] for p in back] == [0.5, 1.0]
    assert [p.market[ETH] for p in back] == [0.5, 1.0]


def test_oracle_prices__never_below_one_unit() -> None:
    assert oracle_prices({"a": 3, "b": 5}, {"a": 0.1}) == {"a": 1}


def test_range__price_moves__pays_the_ranges_amounts_at_the_new_price() -> None:
    held = pool_range(0, -6_000, 6_000)
    start = value(held, None, {}) or 0.0
    far = value(held, None, {ETH: 100.0})
    further = value(held, None, {ETH: 1_000.0})
    assert far == pytest.approx(further, rel=1e-9)  # above the range it holds token1 only
    down = value(held, None, {ETH: 0.25}) or 0.0
    below = value(held, None, {ETH: 0.125}) or 0.0
    assert (below - 0.1) == pytest.approx((down - 0.1) / 2, rel=1e-9)  # token0 only
    both = value(held, None, {ETH: 0.5, USD: 0.5}) or 0.0
    assert both == pytest.approx(start / 2, rel=1e-9)
    # never better than holding what it held
    for many in (0.5, 0.8, 1.3, 2.0):
        hold = sum((v.worth(v.leg.amount, {ETH: many}) or 0.0) for v in held.legs)
        assert (value(held, None, {ETH: many}) or 0.0) < hold


def test_capped_price__follows_up_to_its_cap() -> None:
    one = valued(leg(5, 10**18, Side.ASSET), 2.0, {ETH: 1}, room=1.25)
    assert one.multiple({ETH: 1.1}) == pytest.approx(1.1)
    assert one.multiple({ETH: 2.0}) == pytest.approx(1.25)
    held = valued(leg(5, 10**18, Side.ASSET), 2.0, {ETH: 1}, room=0.8)
    assert held.multiple({ETH: 0.9}) == pytest.approx(1.0)
    assert held.multiple({ETH: 0.4}) == pytest.approx(0.5)


def test_unwind__every_engine__has_its_liquidation_played() -> None:
    assert set(UNWIND) == set(ENGINES)
