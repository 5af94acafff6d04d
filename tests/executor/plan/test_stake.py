"""What acting is worth, and when waiting is cheaper."""

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from executor.plan.stake import stake_of, weighed
from executor.plan.types import Nothing, Plan
from risk.types import Liquidation, Status
from tests.executor.plan.test_codec import PLAN

WAD = 10**18
VIEW = replace(PLAN.after[0], health_raw=15 * WAD // 10)


def lab(price: int | None = 3_000) -> Any:
    worth = None if price is None else Decimal(price)
    return cast(Any, SimpleNamespace(usd=lambda _token, _amount: worth))


def plan(fee: str | None, total: str | None) -> Plan:
    cost = replace(PLAN.cost, fee_usd=fee, total_usd=total)
    return replace(PLAN, after=(VIEW,), cost=cost)


def found(health: float, loss: float | None = 6_000.0) -> Liquidation:
    return Liquidation(Status.SAFE, int(health * WAD), WAD, expected_loss_usd=loss)


def test_stake__near_the_edge__is_worth_it_and_says_wei() -> None:
    stake = stake_of(found(1.01), Decimal("0.6"))
    assert stake is not None
    done = weighed(lab(), plan("1.00", "101.00"), VIEW.id, stake)
    assert isinstance(done, Plan)
    assert done.value_wei is not None
    assert done.value_wei == pytest.approx(stake.value(1.5) / 3_000 * WAD, rel=1e-9)
    assert done.other_cost_wei == WAD * 100 // 3_000
    assert "are at stake" in done.notes[-1]


def test_stake__far_from_it__can_wait() -> None:
    stake = stake_of(found(1.3), Decimal("0.6"))
    assert stake is not None
    waits = weighed(lab(), plan("1.00", "101.00"), VIEW.id, stake)
    assert isinstance(waits, Nothing)
    assert "can wait" in waits.reason


def test_stake__red_zone__needs_only_its_bare_cost() -> None:
    stake = stake_of(found(1.005), Decimal("0.6"))
    assert stake is not None
    assert stake.chance >= 0.1
    value = stake.value(1.5)
    between = f"{value / 1.2:.2f}"
    assert isinstance(weighed(lab(), plan(between, between), VIEW.id, stake), Plan)


def test_stake__unknown_parts__are_not_made_up() -> None:
    assert stake_of(found(1.1), None) is None
    assert stake_of(found(1.1, None), Decimal(1)) is None
    assert stake_of(replace(found(1.1), health_raw=None), Decimal(1)) is None
    stake = stake_of(found(1.001), Decimal("0.6"))
    assert stake is not None
    for unpriced in (weighed(lab(), plan(None, None), VIEW.id, stake),
                     weighed(lab(None), plan("1", "1"), VIEW.id, stake)):  # fmt: skip
        assert isinstance(unpriced, Plan)
        assert unpriced.value_wei is None
    gone = weighed(lab(), plan("1", "1"), "another position", stake)
    assert isinstance(gone, Plan)
