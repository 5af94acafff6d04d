"""Restoring a health: what a plan says is what carrying it out does, to the last unit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from world.actors import aave, compound, morpho, tokens
from world.anvil import Anvil
from world.world import World, actor

from executor.plan.candidate import Goal
from executor.plan.lab import Draft
from executor.plan.ladder import restore
from executor.plan.types import Action, Infeasible, Plan
from protocols.aave_v3 import actions
from tests.executor.plan.bench import (
    address,
    carry_out,
    health_of,
    lab_of,
    position_in,
    request_of,
)

pytestmark = pytest.mark.world

OWNER = actor("plan owner")
HELPER = actor("plan helper")
TARGET = 16 * 10**17
LOW = 13 * 10**17
"""What burning aTokens can reach."""
MARKETS = ("aave-3.0", "aave-3.6", "Morpho")


@pytest.fixture(scope="module")
def staged(anvil: World[Anvil]) -> Iterator[World[Anvil]]:
    """Positions that borrow near the limit, on every lending protocol, with supplied debt too."""
    with anvil.node.rollback():
        for who in (OWNER, HELPER):
            anvil.node.set_balance(who, 10**20)
        for market in MARKETS[:2]:
            aave.supply(anvil, market, OWNER, "WETH", 10)
            aave.supply(anvil, market, OWNER, "DAI", 9_000)
            aave.borrow(anvil, market, OWNER, "USDC", 20_000)
            aave.borrow(anvil, market, OWNER, "DAI", 6_000)
        morpho.supply_collateral(anvil, "WETH/USDC", OWNER, 5)
        morpho.borrow(anvil, "WETH/USDC", OWNER, 9_000)
        compound.supply(anvil, "cETH", OWNER, 5)
        compound.borrow(anvil, "cUSDC", OWNER, 9_000)
        anvil.node.travel(3_600)
        yield anvil


@pytest.fixture
def scene(staged: World[Anvil]) -> Iterator[World[Anvil]]:
    with staged.node.rollback():
        yield staged


def give(world: World[Anvil], who: str, **whole: float) -> None:
    for symbol, amount in whole.items():
        tokens.mint(world, symbol, who, world.amount(symbol, amount))


@pytest.mark.parametrize("market", [*MARKETS, "Compound"])
@pytest.mark.parametrize("action", [Action.REPAY, Action.TOP_UP])
@pytest.mark.parametrize("payer", [OWNER, HELPER], ids=["own", "other"])
def test_restore__from_a_wallet__is_what_then_happens(
    scene: World[Anvil], market: str, action: Action, payer: str
) -> None:
    give(scene, payer, USDC=30_000, WETH=30)
    lab = lab_of(scene, OWNER, payer)
    position = position_in(lab, market)
    plan = restore(lab, Goal(position, TARGET), [action], request_of(lab))
    if (market, action, payer) == ("Compound", Action.TOP_UP, HELPER):
        assert isinstance(plan, Infeasible)
        assert "only the owner" in plan.lost[0].reason
        return
    assert isinstance(plan, Plan), plan
    assert plan.action is action
    assert plan.cost.total_usd is not None
    health = health_of(plan.after, position.id)
    assert health is not None
    assert health >= TARGET
    steps = [step.what.split()[0] for step in plan.steps]
    assert steps[-1] == ("repay" if action is Action.REPAY else "add")
    assert len(plan.steps) == len({step.id for step in plan.steps})
    assert carry_out(scene, plan) == plan.after


@pytest.mark.parametrize("market", MARKETS[:2])
def test_restore__with_atokens__is_sized_to_one_unit(scene: World[Anvil], market: str) -> None:
    lab = lab_of(scene, OWNER)
    position = position_in(lab, market)
    plan = restore(lab, Goal(position, LOW), [Action.REPAY_WITH_ATOKENS], request_of(lab))
    assert isinstance(plan, Plan), plan
    (step,) = plan.steps
    health = health_of(plan.after, position.id)
    assert health is not None
    assert health >= LOW
    amount = int.from_bytes(step.call.data[36:68], "big")
    less = actions.repay_with_atokens(step.call.to, address(scene, "DAI"), amount - 1)
    short = lab.health_after([Draft("one unit less", less, lab.wallet)], position)
    assert isinstance(short, int)
    assert short < LOW or health == LOW
    assert carry_out(scene, plan) == plan.after


@pytest.mark.parametrize("market", [*MARKETS, "Compound"])
def test_restore__withdraw_and_repay__is_sized_to_one_unit(
    scene: World[Anvil], market: str
) -> None:
    lab = lab_of(scene, OWNER)
    position = position_in(lab, market)
    target = LOW if market in MARKETS[:2] else TARGET
    plan = restore(lab, Goal(position, target), [Action.WITHDRAW_AND_REPAY], request_of(lab))
    assert isinstance(plan, Plan), plan
    health = health_of(plan.after, position.id)
    assert health is not None
    assert target <= health < target + 10**12
    (swap,) = plan.cost.swaps
    assert swap.cost_bps is not None
    assert 0 < swap.cost_bps < 100
    assert plan.cost.total_usd is not None
    assert carry_out(scene, plan) == plan.after
    router = scene.book["uniswap-v3"]["router"]
    for symbol in ("USDC", "WETH", "DAI"):
        assert scene.token(symbol).call("allowance", OWNER, router) == 0


def test_restore__several_ways__takes_the_cheapest_and_says_why(scene: World[Anvil]) -> None:
    give(scene, OWNER, USDC=30_000, WETH=30)
    lab = lab_of(scene, OWNER)
    position = position_in(lab, "aave-3.6")
    every = [Action.REPAY, Action.REPAY_WITH_ATOKENS, Action.TOP_UP]
    plan = restore(lab, Goal(position, LOW), every, request_of(lab))
    assert isinstance(plan, Plan), plan
    assert plan.cost.total_usd is not None
    works = {lost.action: lost for lost in plan.lost if lost.cost_usd is not None}
    assert works.keys() | {plan.action} == set(every)
    for lost in works.values():
        assert lost.reason.startswith("would work (")
        assert Decimal(lost.cost_usd or 0) >= Decimal(plan.cost.total_usd)


def test_restore__empty_wallet__says_what_is_missing(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER, HELPER)
    position = position_in(lab, "Morpho")
    found = restore(lab, Goal(position, TARGET), [Action.REPAY, Action.TOP_UP], request_of(lab))
    assert isinstance(found, Infeasible)
    reasons = [lost.reason for lost in found.lost]
    assert len(reasons) == 2
    assert all("and the wallet holds 0" in reason for reason in reasons)


@pytest.mark.parametrize("market", MARKETS)
def test_restore__all_of_a_debt__leaves_none_and_no_allowance(
    scene: World[Anvil], market: str
) -> None:
    give(scene, OWNER, USDC=60_000)
    lab = lab_of(scene, OWNER)
    position = position_in(lab, market)
    target = 10**30 if market == "Morpho" else 20 * 10**18
    found = restore(lab, Goal(position, target), [Action.REPAY], request_of(lab))
    if market == "Morpho":
        assert isinstance(found, Plan), found
        assert health_of(found.after, position.id) is None
        assert found.steps[-1].what.startswith("take back")
        assert carry_out(scene, found) == found.after
        return
    # two debts, of which none alone is enough: the larger whole, and of the other a part
    assert isinstance(found, Plan), found
    assert found.what.startswith("repay all 20,000.")
    assert " USDC and " in found.what
    health = health_of(found.after, position.id)
    assert health is not None
    assert target <= health < target * 1.001
    assert carry_out(scene, found) == found.after


def test_restore__health_that_is_there__is_said(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER)
    every = [Action.REPAY, Action.TOP_UP, Action.REPAY_WITH_ATOKENS, Action.WITHDRAW_AND_REPAY]
    goal = Goal(position_in(lab, "aave-3.6"), 10**18)
    found = restore(lab, goal, every, request_of(lab))
    assert isinstance(found, Infeasible)
    reasons = {lost.reason for lost in found.lost}
    assert reasons == {"its health is that without doing anything"}


def test_restore__several_debts_and_an_empty_wallet__says_what_is_missing(
    scene: World[Anvil],
) -> None:
    lab = lab_of(scene, OWNER, HELPER)
    position = position_in(lab, "aave-3.6")
    found = restore(lab, Goal(position, 20 * 10**18), [Action.REPAY], request_of(lab))
    assert isinstance(found, Infeasible)
    assert found.lost[0].reason.startswith("needs 20,000.")
    assert found.lost[0].reason.endswith("and the wallet holds 0 USDC")
