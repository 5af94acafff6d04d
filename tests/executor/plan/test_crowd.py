"""Random accounts of real Aave: whatever is planned for them is what carrying it out does.

`UNDERKEEL_SOAK=10` plans for ten times as many.
"""

import os
from collections import Counter

import pytest
from world.anvil import Anvil
from world.world import World

from executor.plan.candidate import Goal
from executor.plan.ladder import RESTORING, restore
from executor.plan.types import Plan
from risk.liquidation import health
from tests.executor.plan.bench import carry_out, health_of, lab_of, request_of
from tests.protocols.aave_v3.crowd import gathered

pytestmark = pytest.mark.world

SIZE = 4 * int(os.environ.get("UNDERKEEL_SOAK", "1"))


@pytest.mark.parametrize("market", ["aave-3.0", "aave-3.6"])
def test_plans__random_accounts__lead_where_they_say(anvil: World[Anvil], market: str) -> None:
    outcomes: Counter[str] = Counter()
    with anvil.node.rollback(), gathered(anvil, market, SIZE) as crowd:
        for one in crowd.positions:
            if health(one) is None:
                continue
            anvil.node.set_balance(one.owner, 10**19)
            lab = lab_of(anvil, one.owner)
            (position,) = [p for p in lab.positions if p.root == one.root]
            now = health(position)
            assert now is not None
            target = now * 5 // 4
            plan = restore(lab, Goal(position, target), list(RESTORING), request_of(lab))
            assert all(lost.reason for lost in plan.lost)
            if not isinstance(plan, Plan):
                outcomes["none"] += 1
                continue
            outcomes[plan.action] += 1
            reached = health_of(plan.after, position.id)
            assert reached is None or reached >= target
            with anvil.node.rollback():
                assert carry_out(anvil, plan) == plan.after
    assert sum(outcomes.values()) - outcomes["none"] >= SIZE // 2
