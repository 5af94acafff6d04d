"""The first liquidatable step of a ray, against brute force and at its ends."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.units import WAD
from protocols.morpho_blue.state import MorphoOracle
from risk.distance import ray
from risk.distance.ray import on_ray
from risk.liquidation import engine_of
from risk.liquidation.search import Edge
from tests.risk import aave_states as aave
from tests.risk import morpho_states as morpho


def account(revision: int = 10, debt: int = 15_000) -> Any:
    """Return 10 ETH and 0.1 BTC for dollars."""
    return aave.account(
        revision,
        aave.supplied(aave.reserve(0, aave.quote(3000 * 10**8, "eth")), 10**19),
        aave.supplied(aave.reserve(1, aave.quote(60_000 * 10**8, "btc")), 10**17),
        aave.owed(aave.reserve(2, aave.quote(10**8, "usd")), debt * 10**18),
    )


MOVE = {"eth": -0.8, "btc": -0.5, "usd": 0.1}


@pytest.mark.parametrize("revision", [1, 4, 8, 9, 10, 11])
def test_on_ray__several_prices__neighbours_on_both_sides(revision: int) -> None:
    state = account(revision)
    engine = engine_of(state)
    assert engine is not None
    met = on_ray(state, MOVE)
    assert met is not None
    assert met.exact
    there, before = engine.health(state, met.liquidatable), engine.health(state, met.safe)
    assert there is not None
    assert before is not None
    assert there < WAD <= before
    assert all(abs(met.safe[f] - p) <= 1 for f, p in met.liquidatable.items())
    for factor, now in (("eth", 3000e8), ("btc", 60_000e8), ("usd", 1e8)):
        expected = now * np.exp(met.multiple * MOVE[factor])
        assert met.liquidatable[factor] == pytest.approx(expected, abs=1.5)


@settings(max_examples=60, deadline=None)
@given(aave.accounts(), st.data())
def test_on_ray__any_account__nothing_earlier_is_liquidatable(
    state: Any, data: st.DataObject
) -> None:
    engine = engine_of(state)
    assert engine is not None
    factors = engine.factors(state)
    move = {f.name: data.draw(st.floats(-1, 1)) for f in factors}
    health = engine.health(state)
    met = on_ray(state, move)
    if health is None or health < WAD:
        assert met is None
        return
    reach = ray.REACH if met is None else met.multiple
    for share in np.linspace(0, 0.9999 * reach, 60):
        prices = {f.name: max(1, int(f.raw * np.exp(share * move[f.name]))) for f in factors}
        found = engine.health(state, prices)
        assert found is not None
        assert found >= WAD * (1 - 2e-4)  # floats may truncate a threshold otherwise
    if met is not None:
        there, before = engine.health(state, met.liquidatable), engine.health(state, met.safe)
        assert there is not None
        assert before is not None
        assert there < WAD <= before


def test_on_ray__later__is_met_sooner() -> None:
    held = aave.reserve(0, aave.quote(3000 * 10**8, "eth"))
    owed = aave.reserve(2, aave.quote(10**8, "usd"), borrow_rate=aave.RAY // 10)
    state = aave.account(10, aave.supplied(held, 10**19), aave.owed(owed, 20_000 * 10**18))
    now, later = on_ray(state, {"eth": -0.5}), on_ray(state, {"eth": -0.5}, aave.NOW + 10**7)
    assert now is not None
    assert later is not None
    assert later.multiple < now.multiple


def test_on_ray__nothing_to_meet__is_none() -> None:
    assert on_ray(None, MOVE) is None
    assert on_ray(account(debt=30_000), MOVE) is None  # past it
    assert on_ray(account(), {"eth": 0.5}) is None  # away from it
    assert on_ray(account(), {}) is None
    assert on_ray(account(), {"eth": -0.01}) is None  # too short, even twice
    only = aave.supplied(aave.reserve(0, aave.quote(3000 * 10**8, "eth")), 10**19)
    assert on_ray(aave.account(10, only), MOVE) is None
    assert on_ray(morpho.position(shares=0), {morpho.ORACLE: -1.0}) is None


def test_on_ray__morpho__feeds_or_the_oracle_itself() -> None:
    made = morpho.parts()
    price = made.price()
    assert price is not None
    state = morpho.position(oracle=MorphoOracle(morpho.ORACLE, price, made))
    engine = engine_of(state)
    assert engine is not None
    met = on_ray(state, {morpho.BASE: -0.3, morpho.QUOTE: 0.2})
    assert met is not None
    assert set(met.liquidatable) == {morpho.BASE, morpho.QUOTE}
    opaque = morpho.position()
    whole = on_ray(opaque, {morpho.ORACLE: -0.5})
    assert whole is not None
    for one, some in ((met, state), (whole, opaque)):
        there, before = engine.health(some, one.liquidatable), engine.health(some, one.safe)
        assert there is not None
        assert before is not None
        assert there < WAD <= before


def test_on_ray__search_gives_up__a_crossing_that_is_not_called_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "lowest", lambda *_: Edge(0, exact=False))
    met = on_ray(account(), MOVE)
    assert met is not None
    assert not met.exact
    monkeypatch.undo()
    first = on_ray(account(), MOVE)
    assert first is not None
    assert met.liquidatable == first.liquidatable
    monkeypatch.setattr(ray, "lowest", lambda *_: Edge(0, exact=False))
    assert on_ray(account(), {"eth": 0.5}) is None
