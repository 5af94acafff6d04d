"""Curves and distances of whole markets, against the exact engine account by account."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from bench.synthetic import market
from protocols.aave_v3.state import Holding, Quote, StableDebt
from risk.bulk import Exposure, Verdict, curve, distances, screen
from risk.bulk.distance import factors_of
from risk.liquidation import engine_of
from tests.risk import aave_states as made
from tests.risk.bulk.test_screen import columns_of, expected


@pytest.mark.parametrize("revision", [3, 10])
def test_curve__points__are_the_exact_sets_of_moved_prices(revision: int) -> None:
    columns = market(150, 12, revision)
    exposure = Exposure.of(columns)
    raws = {name: q.raw for name, q in list(factors_of(exposure).items())[:2]}
    moves = [Fraction(0), Fraction(-1, 7), Fraction(-1, 2)]
    found = curve(exposure, raws, moves)
    states = [columns.account_state(row) for row in range(150)]
    for point in found.points:
        prices = {name: int(raw * (1 + point.move)) for name, raw in raws.items()}
        broken = [s for s in states if expected(s, prices) is Verdict.LIQUIDATABLE]
        assert point.liquidatable == len(broken)
        sums = [made.transcribed(s, prices) for s in broken]
        assert point.collateral == pytest.approx(sum(s[0] for s in sums), rel=1e-7, abs=1e8)
        assert point.debt == pytest.approx(sum(s[1] for s in sums), rel=1e-7, abs=1e8)
        lost = sum(max(s[1] - s[0], 0) for s in sums)
        assert point.shortfall == pytest.approx(lost, rel=1e-6, abs=1e8)
    assert (found.factors, found.unknown) == (tuple(raws), 0)


def test_distances__synthetic_market__are_the_engines_boundaries() -> None:
    columns = market(120, 12, 10)
    exposure = Exposure.of(columns)
    verdicts = screen(exposure)
    found = distances(exposure, verdicts)
    for row in range(120):
        state = columns.account_state(row)
        engine = engine_of(state)
        assert engine is not None
        if verdicts.verdict[row] == Verdict.LIQUIDATABLE:
            assert found.move[row] == 0
        if verdicts.verdict[row] != Verdict.SAFE:
            continue
        exact = [b for f in engine.factors(state) for b in engine.boundary(state, f)]
        best = min(exact, key=lambda b: abs(b.distance_frac), default=None)
        if best is None or best.distance_frac < -0.9999:  # only roundings are left of the price
            assert np.isnan(found.move[row]) or found.move[row] < -0.9999
            continue
        assert found.move[row] == pytest.approx(best.distance_frac, rel=1e-3, abs=2e-3)
        assert found.factors[found.nearest[row]] == best.factor


def capped(cap: int) -> Quote:
    return Quote("dollar", 10**8, 8, cap=cap, label="USDC / USD")


def test_distances__debt_with_a_capped_price__cannot_rise_past_it() -> None:
    coin = made.reserve(0, made.quote(2000 * 10**8, "ether"), made.configuration())
    owed = made.owed(made.reserve(1, capped(104 * 10**6), made.configuration(decimals=6)), 10**9)
    near = made.account(10, made.supplied(coin, 64 * 10**16), owed)
    exposure = Exposure.of(columns_of([near, replace(near, holdings=(
        made.supplied(coin, 10**18), owed))]))  # fmt: skip
    found = distances(exposure, screen(exposure))
    # 0.64 · 2000 · 0.8 = 1024 against 1000: +2.4 % of the dollar, or −2.3 % of ether
    assert found.factors == ("ether", "dollar")
    assert found.move.tolist() == pytest.approx([-0.0234375, -0.375], rel=1e-6)
    both = made.owed(made.reserve(2, Quote("dollar", 10**8, 8), made.configuration()), 10**20)
    mixed = made.account(10, made.supplied(coin, 10**18), owed, both)
    exposure = Exposure.of(columns_of([mixed]))
    # 1600 against 1000 capped at 1040 and 100 free: the free part would have to reach 560
    alone = distances(exposure, screen(exposure), {"ether": 2000 * 10**8})
    assert alone.move.tolist() == pytest.approx([-(1 - 1100 / 1600)])


def test_distances__stable_debt__comes_from_the_integer_engine() -> None:
    coin = made.reserve(0, made.quote(10**8, "coin"), made.configuration())
    other = made.reserve(1, made.quote(10**8, "other"), made.configuration())
    debt = Holding(other, 0, 0, False, True, StableDebt(10**20, 0, made.NOW))
    safe = made.account(3, made.supplied(coin, 2 * 10**20), debt)
    alone = made.account(3, made.supplied(other, 2 * 10**20), debt)
    exposure = Exposure.of(columns_of([safe, alone]))
    found = distances(exposure, screen(exposure))
    assert found.move[0] == pytest.approx(-0.375)
    assert np.isnan(found.move[1])
    assert found.nearest.tolist() == [0, -1]


def test_factors_of__a_feed_under_a_ratio__is_named_by_who_it_prices_directly() -> None:
    ratio = Quote("eth", 10**8, 8, num=12, den=10, label="ratio")
    plain = Quote("eth", 10**8, 8, label="ETH / USD")
    constant = Quote("one", 10**8, 8, constant=True)
    holdings = [
        made.supplied(made.reserve(i, q), 1) for i, q in enumerate((ratio, plain, constant))
    ]
    exposure = Exposure.of(columns_of([made.account(10, *holdings)]))
    assert factors_of(exposure) == {"eth": plain}
