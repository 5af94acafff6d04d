"""A market's borrowers in a crash: bad debt against playing each alone, integers against floats."""

from dataclasses import replace

import numpy as np
import pytest

from chain.units import WAD
from protocols.morpho_blue.math import full_liquidation
from protocols.morpho_blue.state import MorphoOracle, MorphoPosition
from risk.liquidation.morpho_blue import ENGINE
from risk.scenario.lending import Lent, Stake
from risk.scenario.play import oracle_prices
from risk.scenario.types import Path, Point
from tests.risk.morpho_states import BASE, ORACLE, QUOTE, market, parts, position


def borrower(ltv: float, collateral: int = 10**18) -> MorphoPosition:
    """Return somebody who owes so much of his collateral at 3,000."""
    told = parts()
    oracle = MorphoOracle(ORACLE, told.price() or 0, told)
    shares = int(ltv * 3_000 * 10**6 * collateral / 10**18) * 10**6
    return position(totals=market(0.9), shares=shares, collateral=collateral, oracle=oracle)


LENT = Lent("0x1", tuple(borrower(ltv, (i + 1) * 10**17) for i, ltv in
                         enumerate(np.linspace(0.05, 0.85, 25).tolist())))  # fmt: skip


def path(*bases: float, quote: float = 1.0) -> Path:
    moves: list[dict[str, float]] = [{BASE: base, QUOTE: quote} for base in bases]
    return tuple(Point(m, m) for m in moves)


def one_by_one(lent: Lent, steps: Path) -> int:
    """Return bad debt with every borrower played alone, by the engine's own health."""
    lost = 0
    for one in lent.borrowers:
        now = {f.name: f.raw for f in ENGINE.factors(one)}
        for point in steps:
            state = ENGINE.reprice(one, oracle_prices(now, point.oracle))
            health = ENGINE.health(state)
            assert state.oracle is not None
            if health is not None and health < WAD:
                totals, price = state.accrued.totals, state.oracle.price
                lost += full_liquidation(
                    totals, one.borrow_shares, one.collateral, one.params.lltv, price
                )[2]
                break
    return lost


@pytest.mark.parametrize(
    "steps",
    [
        path(0.99),
        path(0.3),
        path(0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3),
        path(0.5, 1.5, 0.2),
        path(0.9, quote=2.5),
        path(1e-9),
    ],
)
def test_bad_debt__of_a_path__is_that_of_every_borrower_alone(steps: Path) -> None:
    found = LENT.bad_debt(steps)
    assert found == pytest.approx(one_by_one(LENT, steps), abs=2 * len(LENT.borrowers))


def test_bad_debt__small_steps__leave_less_than_one_jump() -> None:
    jump, slow = path(0.4), path(*np.linspace(0.99, 0.4, 60).tolist())
    assert LENT.bad_debt(jump) > 0
    assert LENT.bad_debt(slow) < LENT.bad_debt(jump) / 10


def test_bad_debts__many_paths__are_the_integers_but_for_rounding() -> None:
    dice = np.random.default_rng(3)
    log = np.cumsum(dice.normal(size=(60, 6, 2)) * np.array([0.3, 0.05]), axis=1)
    found = LENT.bad_debts((BASE, QUOTE), log)
    told = [LENT.bad_debt(path_of(row)) for row in np.exp(log)]
    assert found == pytest.approx(told, rel=1e-6, abs=100)
    assert sum(x > 1_000 for x in told) > 10


def path_of(row: np.ndarray) -> Path:
    moves = [dict(zip((BASE, QUOTE), step.tolist(), strict=True)) for step in row]
    return tuple(Point(m, m) for m in moves)


def test_bad_debts__factor_nobody_moves__stays() -> None:
    assert LENT.bad_debts(("other",), np.full((3, 2, 1), -2.0)) == pytest.approx(np.zeros(3))


def test_stake__part_of_the_vault__never_more_than_all_of_it() -> None:
    steps = path(0.3)
    lost = LENT.bad_debt(steps)
    assert Stake(((LENT, 0.5 / lost),)).lost(steps) == pytest.approx(0.5)
    assert Stake(((LENT, 5.0 / lost),)).lost(steps) == 1.0
    log = np.log([[[0.3]]])
    assert Stake(((LENT, 5.0 / lost),)).all_lost((BASE,), log).tolist() == [1.0]


def test_edges__debt_without_collateral__is_bad_already_and_no_crash_makes_it_so() -> None:
    bare = replace(borrower(0.5), collateral=0)
    assert Lent("0x1", (bare,)).bad_debt(path(0.1)) == 0
    assert Lent("0x1", (bare,)).powers == {BASE: 1, QUOTE: -1}
