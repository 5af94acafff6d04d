"""Many paths at once, against the player that takes every path step by step."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from protocols.morpho_blue.state import MorphoOracle
from protocols.types import Leg, Position, Price, Side
from risk.distance.linear import margin_of
from risk.liquidation import engine_of
from risk.scenario import many
from risk.scenario.many import alone, outcomes, untouched, with_products
from risk.scenario.play import play, value
from risk.scenario.types import Exposed, Point
from tests.protocols.compound_v2.fake import FEED_ETH, FEED_USD, FakeCompound
from tests.protocols.prices.build import AT
from tests.risk.aave_states import account, configuration, owed, quote, reserve, supplied
from tests.risk.morpho_states import BASE, ORACLE, QUOTE, parts
from tests.risk.morpho_states import position as morpho
from tests.risk.scenario.build import ETH, USD, exposed_loan, leg, loan, pool_range, valued, wallet

F64 = NDArray[np.float64]
BOTH = "mul(feed(a), feed(b))"


def several(revision: int) -> Exposed:
    """Return two collaterals of different thresholds, one of them capped, against two debts."""
    bits = configuration(threshold=9_333, bonus=10_300)
    first = supplied(reserve(0, quote(2_000 * 10**8, ETH)), 10**19)
    second = supplied(reserve(1, quote(10**8, USD, cap=101 * 10**6), bits), 7_000 * 10**18)
    third = owed(reserve(2, quote(2_100 * 10**8, "lst")), 3 * 10**18)
    fourth = owed(reserve(3, quote(10**8, "dollar")), 13_000 * 10**18)
    return exposed_loan(account(revision, first, second, third, fourth))


def borrower() -> Exposed:
    """Return a Morpho position near its limit, priced by two feeds."""
    state = morpho(
        shares=24 * 10**14, oracle=MorphoOracle(ORACLE, parts().price() or 0, parts()), elapsed=900
    )
    assert state.collateral_token is not None
    price = Price(state.collateral_token.address, "USD", 3_000 * 10**8, 8, "", BASE, None)
    legs = (
        valued(
            Leg(state.collateral_token, state.collateral, Side.COLLATERAL, price),
            3_000,
            {BASE: 1, QUOTE: -1},
        ),
        valued(Leg(state.loan, state.borrowed, Side.DEBT), 1.0, {}),
    )
    held = Position(
        *("1:morpho-blue:x", "morpho-blue", "", "m", ORACLE, BASE, "lending"),
        tuple(v.leg for v in legs),
        AT,
        state=state,
    )
    return Exposed(held, legs)


def compound(**changes: Any) -> Exposed:
    """Return an account of Compound with a collateral and a debt, near its limit."""
    state = FakeCompound().state()
    eth, usd = (one.market.underlying for one in state.holdings[:2])
    holdings = tuple(
        replace(one, market=replace(one.market, **changes)) if one.debt else one
        for one in state.holdings
    )
    state = replace(state, holdings=holdings)
    by_token = {one.market.underlying.address: one for one in holdings}
    legs = []
    for token, price, feed in ((eth, 3_000, FEED_ETH), (usd, 1, FEED_USD)):
        one = by_token[token.address]
        raw = Price(token.address, "USD", price * 10**8, 8, "", feed, None)
        for amount, side in ((one.tokens // 50, Side.COLLATERAL), (one.debt, Side.DEBT)):
            if amount:
                legs.append(valued(Leg(token, amount, side, raw), price, {feed: 1}))
    where = Position(
        *("1:compound-v2:x", "compound-v2", "", "m", ORACLE, BASE, "lending"),
        tuple(v.leg for v in legs),
        AT,
        state=state,
    )
    return Exposed(where, tuple(legs))


def paths(factors: int, sigma: float = 0.07, count: int = 80, steps: int = 5) -> F64:
    dice = np.random.default_rng(3)
    return np.cumsum(dice.normal(size=(count, steps, factors)) * sigma, axis=1)


def products(name: str) -> tuple[tuple[str, int], ...]:
    return (("a", 1), ("b", -1)) if name == BOTH else alone(name)


CASES = {
    "two assets, 3.0": (loan(3), (ETH, USD)),
    "two assets, 3.6": (loan(10), (ETH, USD)),
    "small and closed whole": (loan(10, eth=0.5, debt=760), (ETH, USD)),
    "liquidatable now": (loan(3, debt=17_000), (ETH, USD)),
    "cap and two debts, 3.0": (several(3), (ETH, USD, "lst", "dollar")),
    "cap and two debts, 3.6": (several(10), (ETH, USD, "lst", "dollar")),
    "a debt whose price nobody moves": (several(10), (ETH, USD)),
    "morpho": (borrower(), (BASE, QUOTE)),
    "compound": (compound(), (FEED_ETH, FEED_USD)),
    "compound, deprecated": (compound(deprecated=True), (FEED_ETH, FEED_USD)),
    "range": (pool_range(0, -600, 600), (ETH, USD)),
}


@pytest.mark.parametrize("gas", [0.0, 200.0])
@pytest.mark.parametrize("case", CASES)
def test_outcomes__every_path__is_bit_by_bit_what_playing_it_gives(case: str, gas: float) -> None:
    held, factors = CASES[case]
    log = paths(len(factors))
    found = outcomes(held, factors, log, gas_usd=gas)
    start, fates = value(held, None, {}) or 0.0, []
    for row in np.exp(log):
        moves = [dict(zip(factors, step.tolist(), strict=True)) for step in row]
        fates.append(play(held, tuple(Point(m, m) for m in moves), gas))
    lost = np.array([start - (fate.after_usd or 0.0) for fate in fates])
    hit = np.array([bool(fate.taken) for fate in fates])
    assert (found.liquidated == hit).all()
    assert (found.loss_usd[hit] == lost[hit]).all()
    assert found.loss_usd == pytest.approx(lost, abs=1e-6)
    assert gas or engine_of(held.position.state) is None or hit.sum() > 0


def test_untouched__are_those_that_no_path_liquidates__whoever_counts() -> None:
    held = [loan(3, debt=debt) for debt in np.linspace(2_000, 15_900, 30).tolist()]
    held += [borrower(), several(10), pool_range(0, -600, 600)]
    log = paths(2, sigma=0.05)
    found = untouched(held, (ETH, USD), log)
    hit = [bool(outcomes(one, (ETH, USD), log).liquidated.any()) for one in held]
    assert not any(hit[at] for at in found)
    assert found == {at for at in range(31) if not hit[at]}
    for at in found:
        whole, quick = (outcomes(held[at], (ETH, USD), log, safe=safe) for safe in (False, True))
        assert (whole.loss_usd == quick.loss_usd).all()


def test_untouched__compiled_or_not__the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [loan(3, debt=debt) for debt in np.linspace(2_000, 15_900, 30).tolist()]
    log = paths(2, sigma=0.05)
    plain = untouched(held, (ETH, USD), log)
    monkeypatch.setattr(many, "FUSED_FROM", 0)
    monkeypatch.setattr(many, "block_size", lambda _accounts: 33)
    assert untouched(held, (ETH, USD), log) == plain


def test_outcomes__an_oracle_that_divides__moves_as_its_parts() -> None:
    first = supplied(reserve(0, quote(2_000 * 10**8, BOTH)), 10**19)
    held = exposed_loan(account(10, first, owed(reserve(1, quote(10**8, USD)), 15_000 * 10**18)))
    held = replace(held, legs=(replace(held.legs[0], powers=dict(products(BOTH))), *held.legs[1:]))
    factors, log = ("a", "b", USD), paths(3)
    found = outcomes(held, factors, log, products)
    for row, moves in enumerate(np.exp(log)):
        path = []
        for step in moves:
            here = dict(zip(factors, step.tolist(), strict=True))
            path.append(Point(with_products(here, (BOTH, USD), products), here))
        assert bool(play(held, tuple(path)).taken) == found.liquidated[row]
    assert 0 < found.liquidated.sum() < len(log)


def test_outcomes__threshold_truncated_to_whole_bps__is_not_missed() -> None:
    # the average threshold is 8,665.5 bps; to 3.4 half a bps of it is dropped
    bits = configuration(threshold=9_331, bonus=10_300)
    first = supplied(reserve(0, quote(10**8, ETH)), 10**22)
    second = supplied(reserve(1, quote(10**8, ETH), bits), 10**22)
    debt = int(2 * 10**22 * 0.866525)
    held = exposed_loan(account(3, first, second, owed(reserve(2, quote(10**8, USD)), debt)))
    margin = margin_of(held.position.state)
    assert margin is not None
    assert margin.h0 > 1e-6 * margin.debt
    assert outcomes(held, (ETH,), np.zeros((1, 1, 1))).liquidated.all()


def test_outcomes__unpriced_or_not_verified__nan_where_it_is_not_known() -> None:
    held = wallet(valued(leg(5, 10**18, Side.ASSET), None, {}, cause="no source"))
    found = outcomes(held, (ETH,), np.zeros((5, 1, 1)))
    assert np.isnan(found.loss_usd).all()
    assert found.cause == "T5 has no price: no source"
    odd = loan(3)
    odd = replace(odd, position=replace(odd.position, verified=False))
    log = np.array([[[0.0]], [[-0.5]]])
    assert np.isnan(outcomes(odd, (ETH,), log).loss_usd).tolist() == [False, True]
