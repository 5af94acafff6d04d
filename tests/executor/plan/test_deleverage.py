"""Flash deleverage through both forms of the guard: the health afterwards is the plan's."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from world.actors import aave, compound, morpho, uniswap
from world.anvil import Anvil
from world.world import World, actor

from chain.types import checksum
from executor.guard import LenderKind
from executor.plan.candidate import Goal
from executor.plan.lab import After
from executor.plan.ladder import restore
from executor.plan.types import Action, Infeasible, Plan
from executor.plan.view import view
from executor.swaps.types import Limits
from tests.executor.plan.bench import carry_out, health_of, lab_of, position_in, request_of
from tests.executor.plan.guards import guard_of

pytestmark = pytest.mark.world

OWNER = actor("deleverage owner")
EXECUTOR = actor("deleverage executor")
TARGET = 15 * 10**17
MARKETS = ("aave-3.0", "aave-3.6", "Morpho", "Compound")


@pytest.fixture(scope="module")
def staged(anvil: World[Anvil]) -> Iterator[World[Anvil]]:
    with anvil.node.rollback():
        for who in (OWNER, EXECUTOR):
            anvil.node.set_balance(who, 10**20)
        for market in MARKETS[:2]:
            aave.supply(anvil, market, OWNER, "WETH", 10)
            aave.borrow(anvil, market, OWNER, "USDC", 20_000)
        morpho.supply_collateral(anvil, "WETH/USDC", OWNER, 10)
        morpho.borrow(anvil, "WETH/USDC", OWNER, 20_000)
        compound.supply(anvil, "cETH", OWNER, 10)
        compound.borrow(anvil, "cUSDC", OWNER, 20_000)
        anvil.node.travel(3_600)
        yield anvil


@pytest.fixture
def scene(staged: World[Anvil]) -> Iterator[World[Anvil]]:
    with staged.node.rollback():
        yield staged


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("form", ["module", "delegate"])
def test_deleverage__through_the_guard__reaches_the_target_within_one_unit(
    scene: World[Anvil], market: str, form: str
) -> None:
    guard = guard_of(scene, market, OWNER, EXECUTOR, form=form)
    lab = lab_of(scene, OWNER, EXECUTOR, guard=guard)
    position = position_in(lab, market)
    plan = restore(lab, Goal(position, TARGET), [Action.DELEVERAGE], request_of(lab))
    assert isinstance(plan, Plan), plan
    (step,) = plan.steps
    assert step.guard == guard
    assert step.sender == EXECUTOR
    health = health_of(plan.after, position.id)
    assert health is not None
    assert TARGET <= health < TARGET + 10**10  # a cent of debt, or less
    (swap,) = plan.cost.swaps
    assert swap.cost_bps is not None
    assert 0 < swap.cost_bps < 100
    # what is lost at the oracle's prices is what the plan said, beside an account left alone
    idle = lab.try_all([])
    assert isinstance(idle, After)
    left_alone = sum(Decimal(view(p, lab.book).equity_usd or "nan") for p in idle.positions)
    after = sum(Decimal(v.equity_usd or "nan") for v in plan.after)
    assert abs(left_alone - after - Decimal(swap.cost_usd or "nan")) <= Decimal("0.05")
    assert carry_out(scene, plan) == plan.after


def drain(world: World[Anvil], share: float) -> None:
    """Take so much of the liquidity out of every WETH/USDC pool."""
    whale, manager = world.book.whale, uniswap.manager(world)
    pair = {world.book.tokens[s].address.lower() for s in ("WETH", "USDC")}
    for index in range(manager.call("balanceOf", whale)):
        number = manager.call("tokenOfOwnerByIndex", whale, index)
        held = uniswap.position(world, number)
        if {held.token0.lower(), held.token1.lower()} == pair:
            out = (number, int(held.liquidity * share), 0, 0, 2**48)
            manager.send(whale, "decreaseLiquidity", out)


@pytest.mark.parametrize("market", MARKETS)
def test_deleverage__thin_pools__refuses_for_slippage(scene: World[Anvil], market: str) -> None:
    guard = guard_of(scene, market, OWNER, EXECUTOR, form="delegate")
    drain(scene, 0.995)
    lab = lab_of(scene, OWNER, EXECUTOR, guard=guard)
    position = position_in(lab, market)
    found = restore(lab, Goal(position, TARGET), [Action.DELEVERAGE], request_of(lab))
    assert isinstance(found, Infeasible)
    assert "too dear: costs" in found.lost[0].reason


@pytest.mark.parametrize("kind", [LenderKind.AAVE_V3, LenderKind.BALANCER_V2])
def test_deleverage__dearer_lender__its_fee_is_in_the_plan(
    scene: World[Anvil], kind: LenderKind
) -> None:
    admin = scene.book.admin
    aave.configurator(scene, "aave-3.0").send(admin, "updateFlashloanPremiumTotal", 5)
    guard = guard_of(scene, "aave-3.6", OWNER, EXECUTOR, form="delegate", lenders=[kind])
    lab = lab_of(scene, OWNER, EXECUTOR, guard=guard)
    position = position_in(lab, "aave-3.6")
    plan = restore(lab, Goal(position, TARGET), [Action.DELEVERAGE], request_of(lab))
    assert isinstance(plan, Plan), plan
    assert (plan.cost.loan_fee > 0) is (kind is LenderKind.AAVE_V3)
    assert plan.notes[-1] == f"flash loan of {'Aave' if plan.cost.loan_fee else 'Balancer'}"
    assert carry_out(scene, plan) == plan.after


def test_deleverage__nobody_lends__says_who_was_asked(scene: World[Anvil]) -> None:
    def reason(lenders: list[LenderKind], target: int = TARGET) -> str:
        guard = guard_of(scene, "aave-3.6", OWNER, EXECUTOR, form="delegate", lenders=lenders)
        lab = lab_of(scene, OWNER, EXECUTOR, guard=guard)
        position = position_in(lab, "aave-3.6")
        found = restore(lab, Goal(position, target), [Action.DELEVERAGE], request_of(lab))
        assert isinstance(found, Infeasible)
        return found.lost[0].reason

    assert reason([]) == "nobody lends USDC: the guard has no lender"
    assert reason([LenderKind.MORPHO], 101 * 10**16).startswith("the target is below the guard's")


def test_deleverage__no_guard_or_none_that_is_set_up__is_said(scene: World[Anvil]) -> None:
    for guard, said in (
        (None, "no guard is configured"),
        (checksum(EXECUTOR), "the guard: "),
        (checksum(scene.book["aave-3.6"]["pool"]), "the guard: "),
    ):
        lab = lab_of(scene, OWNER, EXECUTOR, guard=guard)
        goal = Goal(position_in(lab, "aave-3.6"), TARGET)
        found = restore(lab, goal, [Action.DELEVERAGE], request_of(lab))
        assert isinstance(found, Infeasible)
        assert found.lost[0].reason.startswith(said)


def test_deleverage__owner_who_bears_little__refuses(scene: World[Anvil]) -> None:
    guard = guard_of(scene, "aave-3.6", OWNER, EXECUTOR, form="delegate")
    limits = Limits(slippage_bps=50, max_cost_bps=1, max_gain_bps=100)
    lab = lab_of(scene, OWNER, EXECUTOR, guard=guard, limits=limits)
    position = position_in(lab, "aave-3.6")
    found = restore(lab, Goal(position, TARGET), [Action.DELEVERAGE], request_of(lab))
    assert isinstance(found, Infeasible)
    assert "too dear" in found.lost[0].reason


def test_deleverage__stricter_guard__is_named(scene: World[Anvil]) -> None:
    guard = guard_of(scene, "aave-3.6", OWNER, EXECUTOR, form="delegate", trigger=11 * 10**17)
    lab = lab_of(scene, OWNER, EXECUTOR, guard=guard)
    position = position_in(lab, "aave-3.6")
    found = restore(lab, Goal(position, TARGET), [Action.DELEVERAGE], request_of(lab))
    assert isinstance(found, Infeasible)
    assert "the guard refuses: " in found.lost[0].reason
    other = lab_of(scene, OWNER, OWNER, guard=guard)
    found = restore(other, Goal(position, TARGET), [Action.DELEVERAGE], request_of(other))
    assert isinstance(found, Infeasible)
    assert "takes orders of" in found.lost[0].reason
