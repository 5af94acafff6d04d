"""What a plan costs, on chains of every kind; and a plan by the second way to simulate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world.actors import aave, tokens
from world.anvil import Anvil
from world.world import World, actor

from chain import networks
from chain.client import ChainSpec, connect
from chain.pool import Patience
from executor.plan.candidate import Goal
from executor.plan.cost import NODE_INTERFACE, data_fee, gas_price
from executor.plan.lab import Draft, Lab
from executor.plan.ladder import restore
from executor.plan.types import Action, Infeasible, Plan
from protocols.wallet import actions
from tests.chain.test_simulation import Without
from tests.executor.plan.bench import carry_out, lab_of, position_in, request_of

pytestmark = pytest.mark.world

OWNER = actor("cost owner")
OP_ORACLE = "0x420000000000000000000000000000000000000F"
TARGET = 16 * 10**17


@pytest.fixture
def scene(world: World[Anvil]) -> World[Anvil]:
    world.node.set_balance(OWNER, 10**20)
    aave.supply(world, "aave-3.6", OWNER, "WETH", 10)
    aave.borrow(world, "aave-3.6", OWNER, "USDC", 18_000)
    tokens.mint(world, "USDC", OWNER, world.amount("USDC", 10_000))
    return world


def drafts(lab: Lab) -> list[Draft]:
    effect = actions.approve(lab.account, lab.account, 1)
    return [Draft("one", effect, lab.wallet), Draft("two", effect, lab.wallet)]


def on(lab: Lab, chain_id: int) -> Lab:
    """Let the lab believe that it is on a known network."""
    lab.client.network = networks.by_id(chain_id)
    return lab


def test_data_fee__op_stack__is_what_its_oracle_says(scene: World[Anvil]) -> None:
    # returns 12345 to everybody
    scene.node.set_code(OP_ORACLE, "0x6130395f5260205ff3")
    assert data_fee(on(lab_of(scene, OWNER), 10), drafts(lab_of(scene, OWNER)), 1) == 2 * 12_345
    assert data_fee(lab_of(scene, OWNER), drafts(lab_of(scene, OWNER)), 1) == 0
    scene.node.set_code(OP_ORACLE, "0x")
    unknown = data_fee(on(lab_of(scene, OWNER), 10), drafts(lab_of(scene, OWNER)), 1)
    assert isinstance(unknown, str)
    assert "no contract" in unknown


def test_data_fee__arbitrum__is_gas_that_the_node_tells(scene: World[Anvil]) -> None:
    # gas for data 1000, and two more words
    code = "0x6103e85f5260016020526001604052" + "60605ff3"
    scene.node.set_code(NODE_INTERFACE, code)
    assert data_fee(on(lab_of(scene, OWNER), 42161), drafts(lab_of(scene, OWNER)), 7) == 14_000
    scene.node.set_code(NODE_INTERFACE, "0x")
    unknown = data_fee(on(lab_of(scene, OWNER), 42161), drafts(lab_of(scene, OWNER)), 7)
    assert isinstance(unknown, str)


def test_plan__fee_not_known__has_no_cost_in_dollars(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER)
    request = replace(request_of(lab), gas_price="nobody says")
    goal = Goal(position_in(lab, "aave-3.6"), TARGET)
    plan = restore(lab, goal, [Action.REPAY], request)
    assert isinstance(plan, Plan)
    assert plan.cost.total_usd is None
    assert "gas price: nobody says" in plan.notes


def test_gas_price__node_that_tells_nothing__says_why(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER)
    assert isinstance(gas_price(lab), int)
    deaf = Without(scene.node.url, "eth_feeHistory")
    client = connect(lab.client.spec, transports=[deaf], patience=Patience(0))
    assert isinstance(gas_price(replace(lab, client=client)), str)


def without(scene: World[Anvil], *methods: str) -> Any:
    spec = ChainSpec("world", scene.node.chain_id, (scene.node.url,))
    transport = Without(scene.node.url, *methods)
    return connect(spec, transports=[transport], patience=Patience(0, sleep=lambda _: None))


def test_plan__by_call__leads_where_it_says(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER, client=without(scene, "eth_simulateV1"))
    goal = Goal(position_in(lab, "aave-3.6"), TARGET)
    plan = restore(lab, goal, [Action.REPAY, Action.WITHDRAW_AND_REPAY], request_of(lab))
    assert isinstance(plan, Plan), plan
    assert plan.simulated_by == "eth_call"
    assert carry_out(scene, plan, exact_gas=False) == plan.after


def test_plan__that_cannot_be_simulated__is_none(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER)
    # quotes and balances are read in another way; what is simulated is not
    blind = replace(lab, time=lab.at.timestamp)
    goal = Goal(position_in(lab, "aave-3.6"), TARGET)
    found = restore(blind, goal, [Action.REPAY], request_of(lab))
    assert isinstance(found, Infeasible)
    assert "it cannot be simulated" in found.lost[0].reason


def test_plan__wallet_that_cannot_pay_gas__is_none(scene: World[Anvil]) -> None:
    scene.node.set_balance(OWNER, 1)
    lab = lab_of(scene, OWNER)
    goal = Goal(position_in(lab, "aave-3.6"), TARGET)
    found = restore(lab, goal, [Action.REPAY], request_of(lab))
    assert isinstance(found, Infeasible)
    assert "the wallet has 1 wei, and gas may take " in found.lost[0].reason


def test_plan__allowances_left_from_before__are_zeroed_first(scene: World[Anvil]) -> None:
    pool, router = scene.book["aave-3.6"]["pool"], scene.book["uniswap-v3"]["router"]
    for symbol, spender in (("USDC", pool), ("WETH", router)):
        scene.token(symbol).send(OWNER, "approve", spender, 5)
    lab = lab_of(scene, OWNER)
    goal = Goal(position_in(lab, "aave-3.6"), TARGET)
    for action, zeroed in ((Action.REPAY, 1), (Action.WITHDRAW_AND_REPAY, 3)):
        plan = restore(lab, goal, [action], request_of(lab))
        assert isinstance(plan, Plan), plan
        backs = [step.what for step in plan.steps if step.what.startswith("take back")]
        assert len(backs) == zeroed
        with scene.node.rollback():
            assert carry_out(scene, plan) == plan.after
            assert scene.token("USDC").call("allowance", OWNER, pool) == 0
