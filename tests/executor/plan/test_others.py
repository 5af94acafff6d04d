"""Plans that are wanted whatever the health: carried out, each does exactly what it said."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
from world.actors import aave, morpho, tokens, uniswap, vaults
from world.anvil import Anvil
from world.world import World, actor

from chain.types import checksum
from executor.plan import leaving, swapping, weights
from executor.plan.candidate import Candidate, No
from executor.plan.lab import Lab
from executor.plan.ladder import cheapest
from executor.plan.types import Infeasible, Plan
from protocols.types import Position, Side, Token
from tests.executor.plan.bench import (
    address,
    carry_out,
    health_of,
    lab_of,
    position_in,
    request_of,
)

pytestmark = pytest.mark.world

OWNER = actor("mover")
STRANGER = actor("not the mover")
MARKETS = ("aave-3.0", "aave-3.6")


@pytest.fixture(scope="module")
def staged(anvil: World[Anvil]) -> Iterator[World[Anvil]]:
    with anvil.node.rollback():
        anvil.node.set_balance(OWNER, 10**20)
        for market in MARKETS:
            aave.supply(anvil, market, OWNER, "WETH", 10)
            aave.borrow(anvil, market, OWNER, "USDC", 9_000)
        vaults.deposit(anvil, "wUSDC", OWNER, 25_000)
        vaults.deposit(anvil, "pvDAI", OWNER, 5_000)
        first, second = uniswap.in_order(anvil, "WETH", "USDC")
        _, tick = uniswap.sqrt_price_and_tick(anvil, first, second, 3000)
        middle = tick // 60 * 60
        raw = {"WETH": anvil.amount("WETH", 4), "USDC": anvil.amount("USDC", 12_000)}
        ticks = (middle - 1200, middle + 1200)
        uniswap.mint(anvil, OWNER, first, second, 3000, *ticks, raw[first], raw[second])
        tokens.mint(anvil, "USDC", OWNER, anvil.amount("USDC", 40_000))
        tokens.mint(anvil, "WETH", OWNER, anvil.amount("WETH", 2))
        anvil.node.travel(3_600)
        yield anvil


@pytest.fixture
def scene(staged: World[Anvil]) -> Iterator[World[Anvil]]:
    with staged.node.rollback():
        yield staged


def planned(world: World[Anvil], lab: Lab, proposals: list[Candidate | No]) -> Plan:
    """Return the plan, once carrying it out does what it says."""
    plan = cheapest(lab, proposals, request_of(lab))
    assert isinstance(plan, Plan), plan
    assert carry_out(world, plan) == plan.after
    return plan


def gone(plan: Plan, position: Position) -> bool:
    return position.id not in {view.id for view in plan.after}


@pytest.mark.parametrize("vault", ["wUSDC", "pvDAI"])
def test_exit_vault__all_of_it__is_gone(scene: World[Anvil], vault: str) -> None:
    lab = lab_of(scene, OWNER)
    position = position_in(lab, vault)
    plan = planned(scene, lab, leaving.exit_vault(lab, position))
    assert gone(plan, position)


def test_close_lp__liquidity_and_fees__are_in_the_wallet(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER)
    position = position_in(lab, "Uniswap")
    plan = planned(scene, lab, leaving.close_lp(lab, position))
    assert gone(plan, position)
    assert len(plan.steps) == 1


def test_sweep__every_allowance__is_taken_back(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER)
    position = position_in(lab, "wallet")
    assert position.allowances
    plan = planned(scene, lab, leaving.sweep_allowances(lab, position))
    assert len(plan.steps) == len(position.allowances)
    (view,) = [v for v in plan.after if v.id == position.id]
    assert view.allowances == 0


@pytest.mark.parametrize(("source", "target"), [("pvDAI", "aave-3.6"), ("aave-3.0", "aave-3.6")])
def test_move__a_supply__is_in_the_other_market(
    scene: World[Anvil], source: str, target: str
) -> None:
    symbol = "DAI"
    if source in MARKETS:
        aave.supply(scene, source, OWNER, symbol, 3_000)
    lab = lab_of(scene, OWNER)
    position = position_in(lab, source)
    (leg,) = [g for g in position.legs if g.token.symbol == symbol and g.side is not Side.DEBT]
    market = next(m for m in lab.markets if m.name == target)
    plan = planned(scene, lab, leaving.move(lab, position, leg, market))
    (there,) = [v for v in plan.after if v.market == target]
    (moved,) = [g for g in there.legs if g.symbol == symbol]
    assert abs(moved.amount - leg.amount) <= leg.amount // 10**6
    left = [g for v in plan.after if v.id == position.id for g in v.legs if g.symbol == symbol]
    assert left == []


def test_move__between_vaults_and_from_a_loan__everything_arrives(scene: World[Anvil]) -> None:
    morpho.supply(scene, "WETH/USDC", OWNER, 5_000)
    for source, name in (("Morpho", "supply"), ("wUSDC", "underlying")):
        lab = lab_of(scene, OWNER)
        position = position_in(lab, source)
        (leg,) = [g for g in position.legs if g.name == name]
        to = "wUSDC" if source == "Morpho" else "aave-3.0"
        market = next(m for m in lab.markets if m.name == to)
        plan = planned(scene, lab, leaving.move(lab, position, leg, market))
        assert gone(plan, position)
    elsewhere = next(m for m in lab.markets if m.name == "Uniswap")
    (no,) = leaving.move(lab, position_in(lab, "pvDAI"), leg, elsewhere)
    assert isinstance(no, No)
    assert "nothing is known about supplying in uniswap-v3" in no.reason


def test_swaps__tokens_that_do_not_fit__are_said(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER)
    aave_one = position_in(lab, "aave-3.6")
    weth, usdc = address(scene, "WETH"), address(scene, "USDC")
    nobody = checksum(actor("no token"))

    def reason(found: list[Candidate | No]) -> str:
        (no,) = found
        assert isinstance(no, No)
        return no.reason

    def change(to: str) -> swapping.Change:
        return swapping.Change(aave_one, checksum(to), 10**18)

    assert "no collateral but WETH" in reason(swapping.collateral_swap(lab, change(weth)))
    assert "nothing but USDC is owed" in reason(swapping.debt_swap(lab, change(usdc)))
    assert "no contract" in reason(swapping.debt_swap(lab, change(nobody)))
    usdt = scene.book.tokens["AAVE"].address
    assert "no venue has a pool for it" in reason(swapping.debt_swap(lab, change(usdt)))
    wallet = position_in(lab, "wallet")
    for no in (
        *leaving.exit_vault(lab, wallet),
        *leaving.close_lp(lab, wallet),
        *swapping.debt_swap(lab, swapping.Change(wallet, usdc, 1)),
    ):
        assert isinstance(no, No)


@pytest.mark.parametrize("market", MARKETS)
def test_collateral_swap__the_other_is_held(scene: World[Anvil], market: str) -> None:
    aave.repay(scene, market, OWNER, "USDC")  # nothing else bears a debt meanwhile
    aave.supply(scene, market, OWNER, "USDC", 20_000)
    aave.borrow(scene, market, OWNER, "DAI", 9_000)
    lab = lab_of(scene, OWNER)
    position = position_in(lab, market)
    change = swapping.Change(position, address(scene, "USDC"), 12 * 10**17)
    plan = planned(scene, lab, swapping.collateral_swap(lab, change))
    (view,) = [v for v in plan.after if v.id == position.id]
    held = {g.symbol for g in view.legs if g.side == "collateral"}
    assert held == {"USDC"}
    health = health_of(plan.after, position.id)
    assert health is not None
    assert health >= 12 * 10**17


@pytest.mark.parametrize("market", MARKETS)
def test_debt_swap__the_other_is_owed(scene: World[Anvil], market: str) -> None:
    lab = lab_of(scene, OWNER)
    position = position_in(lab, market)
    change = swapping.Change(position, address(scene, "WETH"), 15 * 10**17)
    plan = planned(scene, lab, swapping.debt_swap(lab, change))
    (view,) = [v for v in plan.after if v.id == position.id]
    assert {g.symbol for g in view.legs if g.side == "debt"} == {"WETH"}


def test_debt_swap__health_that_is_not_kept__is_not_planned(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER)
    change = swapping.Change(position_in(lab, "aave-3.6"), address(scene, "WETH"), 9 * 10**18)
    found = cheapest(lab, swapping.debt_swap(lab, change), request_of(lab))
    assert isinstance(found, Infeasible)
    assert "is below 9000000000000000000" in found.lost[0].reason


def test_rebalance__outside_its_band__comes_to_the_edge(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER)
    position = position_in(lab, "wallet")
    half = Fraction(1, 2)
    targets = tuple(
        weights.Target(Token(address(scene, s), s, d), half) for s, d in (("USDC", 6), ("WETH", 18))
    )
    band = Fraction(5, 100)
    plan = planned(scene, lab, weights.rebalance(lab, position, targets, band))
    (view,) = [v for v in plan.after if v.id == position.id]
    worth = {
        g.symbol: float(lab.usd(t.token, g.amount) or 0)
        for g in view.legs
        for t in targets
        if t.token.address == g.asset
    }
    share = worth["USDC"] / sum(worth.values())
    assert share == pytest.approx(0.55, abs=0.002)
    wide = weights.rebalance(lab, position, targets, Fraction(1, 2))
    assert [no.reason for no in wide if isinstance(no, No)] == ["every share is inside its band"]


def test_all__another_wallet__refuses(scene: World[Anvil]) -> None:
    lab = lab_of(scene, OWNER, STRANGER)
    wallet = position_in(lab, "wallet")
    change = swapping.Change(position_in(lab, "aave-3.6"), address(scene, "WETH"), 10**18)
    refused = [
        *leaving.exit_vault(lab, position_in(lab, "pvDAI")),
        *leaving.close_lp(lab, position_in(lab, "Uniswap")),
        *leaving.sweep_allowances(lab, wallet),
        *swapping.debt_swap(lab, change),
        *swapping.collateral_swap(lab, change),
        *weights.rebalance(lab, wallet, (), Fraction(0)),
    ]
    assert all(isinstance(one, No) and "only the owner" in one.reason for one in refused)
