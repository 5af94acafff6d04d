"""What a thief with the executor's key tries, and what he is told."""

from __future__ import annotations

import pytest

from executor.guard import (
    ALL_NATIVE,
    UNLIMITED,
    step,
)
from tests.contracts.guard.limits import LIMITS
from tests.contracts.guard.steps import STEPS
from tests.contracts.guard.tools import (
    KEEP,
    Attempt,
    at,
    faithless,
)
from tests.support.guard_stage import EXECUTOR, Stage


@pytest.mark.parametrize("attempt", [*LIMITS, *STEPS], ids=lambda one: one.__name__)
def test_intent__of_a_thief__is_refused_by_name(on_aave: Stage, attempt: Attempt) -> None:
    refused, name = attempt(on_aave)
    assert refused is not None, "it was carried out"
    assert refused.name == name


def test_refused_intent__when_mined__changes_nothing(on_aave: Stage) -> None:
    repaid = on_aave.debt * 46 // 100
    health = on_aave.health()
    thin = on_aave.intent(repaid, max_loss_bps=1)
    assert int(on_aave.mined(thin)["status"], 16) == 0
    assert on_aave.health() == health
    assert on_aave.refusal(on_aave.intent(repaid, id=thin.id)) is None


def test_second_intent__mined_in_the_same_block__fails(on_aave: Stage) -> None:
    stage = on_aave.configure(cooldown=0, ceiling=UNLIMITED, trigger=UNLIMITED)
    node, first = stage.world.node, stage.debt * 46 // 100
    intents = (stage.intent(first), stage.intent(first // 50))
    node.automine(False)
    try:
        nonce = int(node.rpc.request("eth_getTransactionCount", EXECUTOR, "latest"), 16)
        hashes = [
            node.rpc.request("eth_sendTransaction", stage.tx(one).params(nonce + i))
            for i, one in enumerate(intents)
        ]
        node.rpc.request("evm_mine")
    finally:
        node.automine(True)
    receipts = [node.rpc.request("eth_getTransactionReceipt", one) for one in hashes]
    assert receipts[0]["blockNumber"] == receipts[1]["blockNumber"]
    assert [int(one["status"], 16) for one in receipts] == [1, 0]


def test_all_native__where_nothing_was_gained__is_nothing(on_aave: Stage) -> None:
    stage, router = faithless(on_aave)
    if stage.form == "delegate":
        stage.world.node.fund([stage.guard])
    repaid = stage.debt * 46 // 100
    gift = step(at(router), KEEP.encode(), value=ALL_NATIVE)
    stage.execute(stage.intent(repaid, calls=(gift, *stage.steps(repaid))))
    assert int(stage.world.node.rpc.request("eth_getBalance", router.address, "latest"), 16) == 0
