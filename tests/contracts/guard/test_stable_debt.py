"""Debt at a stable rate (Aave 3.0) is no part of the worth that a guard compares."""

from __future__ import annotations

import pytest

from chain.abi import Function
from executor.guard import step
from tests.contracts.guard.tools import BORROW, bad_swap, faithless, send, worth
from tests.support.guard_place import WAD
from tests.support.guard_stage import Stage


@pytest.mark.parametrize(("rate", "name"), [(1, "CallNotAllowed"), (2, "LossTooHigh")])
def test_debt_moved_to_a_stable_rate__to_hide_a_bad_swap__is_refused(
    on_aave: Stage, rate: int, name: str
) -> None:
    """Nearly half of the equity could leave so, under a cap of one percent."""
    stage, router = faithless(on_aave.configure(may_borrow=True, floor=105 * WAD // 100))
    page = stage.world.book["aave-3.0"]["tokens"]["USDC"]
    delegation = Function("approveDelegation(address,uint256)()").encode(stage.guard, 2**128)
    for debt in ("stable_debt", "variable_debt"):
        send(stage, stage.account, page[debt], delegation)
    repaid, moved = stage.debt * 46 // 100, stage.debt * 30 // 100
    sold = worth(stage, repaid + stage.debt * 15 // 100)
    calls = (
        stage.place.repay(stage.account, repaid),
        step(
            stage.place.market,
            BORROW.encode(stage.place.address("USDC"), moved, rate, 0, stage.account),
        ),
        stage.place.repay(stage.account, moved),
        *stage.withdraw(sold),
        bad_swap(stage, router, sold, repaid),
    )
    refused = stage.refusal(stage.intent(repaid, calls=calls))
    assert refused is not None
    assert refused.name == name
