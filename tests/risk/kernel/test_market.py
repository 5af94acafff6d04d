"""Whole markets through the kernel, against the exact screen price vector by price vector."""

from dataclasses import replace

import numpy as np
import pytest

from bench.synthetic import market as made_up
from protocols.aave_v3.state import StableDebt
from risk.bulk import Exposure, Verdict, screen
from risk.bulk.distance import factors_of
from risk.kernel import tally
from risk.kernel.market import market
from tests.risk import aave_states as made
from tests.risk.bulk.test_screen import columns_of

SCENARIOS = 30


@pytest.mark.parametrize("revision", [3, 10])
def test_market__simulated__counts_are_the_screens(revision: int) -> None:
    exposure = Exposure.of(made_up(200, 12, revision))
    raws = {name: quote.raw for name, quote in factors_of(exposure).items()}
    dice = np.random.default_rng(5)
    moves = {name: np.exp(dice.normal(size=SCENARIOS) * 0.3) for name in list(raws)[:4]}
    prices = [
        {name: int(raws[name] * many[s]) for name, many in moves.items()} for s in range(SCENARIOS)
    ]
    exact = {name: np.array([p[name] / raws[name] for p in prices]) for name in moves}
    found = market(exposure)
    tallied = tally(found.accounts, found.prices(exact, SCENARIOS))
    counts, close = np.zeros(200, np.int64), np.zeros(200, np.int64)
    slack = 1e-6 if revision == 10 else 2e-4  # to 3.4 the average threshold is cut to a whole bps
    for one in prices:
        verdicts = screen(exposure, one)
        counts += verdicts.verdict == Verdict.LIQUIDATABLE
        close += np.abs(np.nan_to_num(verdicts.health) - 1) < slack
    assert (np.abs(tallied.liquidatable - counts) <= close).all()
    assert counts.sum() > 100
    assert (tallied.liquidatable != counts).sum() <= 20


def test_market__capped_price__stops_at_its_cap() -> None:
    first = made.reserve(0, made.quote(2_000 * 10**8, "eth", cap=2_500 * 10**8))
    second = made.reserve(1, made.quote(2_000 * 10**8, "eth"))
    state = made.account(10, made.supplied(first, 10 * 10**18), made.owed(second, 7 * 10**18))
    found = market(Exposure.of(columns_of([state])))
    assert found.columns == (("eth", 1.25), ("eth", np.inf))
    # the collateral stops at 2,500 while the debt goes on: 0.8 · 10 · 2,500 < 7 · 2,000 · m
    table = found.prices({"eth": np.array([0.5, 1.0, 1.4, 1.5])}, 4)
    assert table[0].tolist() == [0.5, 1.0, 1.25, 1.25]
    assert tally(found.accounts, table[:, 3:]).liquidatable.tolist() == [1]
    assert tally(found.accounts, table[:, :3]).liquidatable.tolist() == [0]


def test_market__unknown_accounts__have_empty_rows_and_a_cause() -> None:
    first = made.reserve(0, made.quote(2_000 * 10**8, "eth"))
    second = made.reserve(1, made.quote(10**8, "usd"))
    plain = made.account(3, made.supplied(first, 10**18), made.owed(second, 10**18))
    held = plain.holdings[1]
    stable = replace(held, stable=StableDebt(10**18, 0, made.NOW))
    special = replace(plain, holdings=(plain.holdings[0], stable))
    found = market(Exposure.of(columns_of([plain, special])))
    assert list(found.unknown) == [1]
    assert np.diff(found.accounts.start).tolist() == [2, 0]
