"""Plans as files: the same bytes every time, and nothing believed that was changed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chain.types import Address, BlockRef
from executor.plan import codec
from executor.plan.types import (
    Action,
    Cost,
    LegView,
    Lost,
    Plan,
    PositionView,
    Step,
    SwapCost,
)
from executor.types import Call, Condition, Trigger

OWNER = Address("0x52908400098527886E0F7030069857D2E4169EE7")
HASH = "0x" + "ab" * 32
VIEW = PositionView(
    "1:aave-v3:x:y", "aave-v3", "Aave", "lending",
    (LegView(OWNER, "T", 18, "debt", "variable", 5),), 10**18, 10**18, "12.50",
)  # fmt: skip
PLAN = Plan(
    name="rescue",
    action=Action.REPAY,
    chain_id=1,
    block=BlockRef(1, 2, HASH, HASH, 5),
    time=6,
    expires_at=7,
    account=OWNER,
    wallet=OWNER,
    what="repay",
    why="because",
    trigger=Trigger("health_factor", "p", 1, 2, 3),
    conditions=(Condition("health_factor", "p", at_least=4),),
    steps=(Step(HASH, "repay", OWNER, Call(OWNER, 0, b"\x01"), 21_000, 42_000),),
    before=(VIEW,),
    after=(replace(VIEW, health_raw=None, equity_usd=None),),
    cost=Cost(21_000, 10**9, 0, 21_000 * 10**9, "0.06", (SwapCost("A", "B", 1, 2, -3, "0", "v"),)),
    simulated_by="eth_simulateV1",
    lost=(Lost(Action.TOP_UP, "dearer", "1.00"),),
)


def document(**changed: Any) -> dict[str, Any]:
    return {
        "schema": "underkeel.plan/1",
        "hash": PLAN.hash,
        "plan": codec.to_data(PLAN),
        **changed,
    }


def test_plan__written_and_read__is_itself() -> None:
    assert codec.load(json.dumps(document()).encode()) == PLAN
    assert codec.load(json.dumps(document(), indent=4, sort_keys=True).encode()) == PLAN


def test_plan__hash__is_of_everything() -> None:
    assert PLAN.hash == replace(PLAN).hash
    others = [
        replace(PLAN, why="other"),
        replace(PLAN, expires_at=8),
        replace(PLAN, steps=(replace(PLAN.steps[0], call=Call(OWNER, 1, b"\x01")),)),
        replace(PLAN, lost=()),
    ]
    assert len({PLAN.hash, *(plan.hash for plan in others)}) == 5


def test_plan__expiry() -> None:
    assert not PLAN.expired(7)
    assert PLAN.expired(8)


def test_codec__canonical__has_sorted_keys_and_no_numbers() -> None:
    raw = codec.canonical(PLAN)
    assert raw == json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":")).encode()
    assert b"1.0" not in raw.replace(b'"1.00"', b"")


def damaged(path: str, value: object) -> dict[str, Any]:
    found = document()
    place = found["plan"]
    *parents, last = path.split(".")
    for name in parents:
        place = place[int(name)] if name.isdigit() else place[name]
    place[last] = value
    return found


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", "is not JSON"),
        (b"[]", "is no underkeel.plan/1"),
        (json.dumps(document(schema="underkeel.risk/1")).encode(), "is no underkeel.plan/1"),
        (json.dumps(document(plan=None)).encode(), "holds no plan"),
        (json.dumps(document(hash=None)).encode(), "has no hash"),
        (json.dumps(document(hash=HASH)).encode(), "it was changed"),
        (json.dumps(damaged("why", "x")).encode(), "it was changed"),
        (json.dumps(damaged("chain_id", 1)).encode(), "plan.chain_id is of the wrong kind"),
        (json.dumps(damaged("chain_id", "01")).encode(), "not what belongs there"),
        (json.dumps(damaged("chain_id", "one")).encode(), "not what belongs there"),
        (json.dumps(damaged("account", OWNER.lower())).encode(), "not what belongs there"),
        (json.dumps(damaged("action", "steal")).encode(), "not what belongs there"),
        (json.dumps(damaged("steps", {})).encode(), "plan.steps is no list"),
        (json.dumps(damaged("steps.0.call.data", "01")).encode(), "not what belongs there"),
        (json.dumps(damaged("cost.bribe", "1")).encode(), "other parts than it should: bribe"),
        (json.dumps(damaged("cost", [])).encode(), "other parts"),
        (b" " * (codec.MAX_BYTES + 1), "larger than 4 MB"),
    ],
    ids=range(17),
)
def test_load__what_is_no_plan__says_why(raw: bytes, said: str) -> None:
    with pytest.raises(codec.PlanUnreadable, match=said):
        codec.load(raw)


STEP = PLAN.steps[0]


@pytest.mark.parametrize(
    "plan",
    [
        replace(PLAN, expires_at=1 << 60),
        replace(PLAN, time=-1),
        replace(PLAN, cost=replace(PLAN.cost, gas_price=-1)),
        replace(PLAN, value_wei=-1),
        replace(PLAN, chain_id=10**4000),
        replace(PLAN, steps=(STEP, STEP)),
        replace(PLAN, steps=(replace(STEP, id="0"),)),
        replace(PLAN, steps=(replace(STEP, call=Call(OWNER, -1, b"")),)),
        replace(PLAN, steps=(replace(STEP, call=Call(OWNER, 1 << 256, b"")),)),
        replace(PLAN, steps=(replace(STEP, gas_limit=0),)),
        replace(PLAN, steps=(replace(STEP, gas_used=1 << 60),)),
        replace(PLAN, steps=(replace(STEP, deadline=-5),)),
    ],
    ids=range(12),
)
def test_load__made_by_hand_with_a_hash_that_fits__no_transaction_could_be_so(plan: Plan) -> None:
    crafted = document(hash=plan.hash, plan=codec.to_data(plan))
    with pytest.raises(codec.PlanUnreadable, match=r"no plan of ours|not what belongs"):
        codec.load(json.dumps(crafted).encode())
