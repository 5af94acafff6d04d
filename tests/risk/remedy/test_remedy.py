"""The least amount that reaches a health, on made-up accounts; real ones in the world's tests."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chain.units import WAD
from protocols.aave_v3.state import Discount
from risk.liquidation import engine_of
from risk.remedy import Kind, remedies
from risk.remedy.aave import levers
from tests.risk import aave_states as aave
from tests.risk import morpho_states


def test_remedy__whole_debt__is_said_and_leaves_none() -> None:
    state = morpho_states.position()
    some = remedies(state, 10**30, morpho_states.START + 60)
    assert some is not None
    repay, add = some.each
    assert repay.whole
    assert repay.health_raw is None
    assert add.amount is not None
    assert not add.whole


def test_remedy__discounted_debt__is_not_computed_and_said() -> None:
    debt = aave.owed(
        aave.reserve(1, aave.quote(10**8, "usd")), 10**21, discount=Discount(3000, aave.RAY)
    )
    held = aave.supplied(aave.reserve(0, aave.quote(3000 * 10**8, "eth")), 10**18)
    some = remedies(aave.account(7, held, debt), 5 * WAD, aave.NOW)
    assert some is not None
    assert [remedy.kind for remedy in some.each] == [Kind.ADD]
    assert some.unknown == ("repay T1: its debt token grants discounts",)


def test_remedy__nothing_owed_or_no_engine__is_none() -> None:
    held = aave.supplied(aave.reserve(0, aave.quote(1, "eth")), 1)
    assert remedies(aave.account(10, held), WAD, aave.NOW) is None
    assert remedies(morpho_states.position(shares=0), WAD, 0) is None
    assert remedies(None, WAD, 0) is None


@settings(max_examples=40, deadline=None)
@given(aave.accounts(), st.integers(1, 400), st.data())
def test_remedy__any_account__reaches_the_target_and_one_unit_less_does_not(
    state: Any, percent: int, data: st.DataObject
) -> None:
    engine = engine_of(state)
    assert engine is not None
    at = aave.NOW + data.draw(st.integers(0, aave.YEAR))
    now = engine.health(state, at=at)
    if not now or now > 10**30:
        return
    target = now + now * percent // 100 + 1
    some = remedies(state, target, at)
    assert some is not None
    for remedy in some.each:
        if remedy.amount is None:
            continue
        assert remedy.health_raw is None or remedy.health_raw >= target
        lever = next(
            lever
            for lever in levers(state, at)[0]
            if (lever.asset, lever.kind, lever.name) == (remedy.asset, remedy.kind, remedy.name)
        )
        short = lever.bounds(remedy.amount - 1, remedy.amount - 1)[0]
        assert short is not None
        assert short < target
