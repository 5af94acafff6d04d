"""Deleveraging through the guard: real protocols, real flash loans, real delegation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from world.actors import aave, morpho, uniswap
from world.actors.tokens import balance, mint
from world.anvil import Anvil
from world.world import World

from executor.guard import NATIVE, Executed, LenderKind, Step, decode_executed, pull
from tests.support.guard_place import ETHER, PLACES, TARGET, WAD
from tests.support.guard_stage import FORMS, THIEF, Stage, staged

COMBINATIONS = [(place, form) for place in PLACES for form in FORMS]


@pytest.fixture(scope="module", params=COMBINATIONS, ids="-".join)
def over(request: pytest.FixtureRequest, anvil: World[Anvil]) -> Iterator[Stage]:
    place, form = request.param
    with staged(anvil, place, form) as made:
        yield made


@pytest.fixture
def stage(over: Stage) -> Iterator[Stage]:
    with over.world.node.rollback():
        yield over


def after(stage: Stage, repaid: int) -> int:
    """Health if so much were repaid."""
    with stage.world.node.rollback():
        stage.execute(stage.intent(repaid))
        return stage.health()


def sized(stage: Stage) -> int:
    """Find what to repay to reach the target, by secants."""
    low, high = stage.debt * 45 // 100, stage.debt * 48 // 100
    at_low, at_high = after(stage, low), after(stage, high)
    for _ in range(6):
        if at_low == at_high:
            break
        slope = (TARGET - at_high) * (high - low)
        low, at_low, high = high, at_high, high + slope // (at_high - at_low)
        at_high = after(stage, high)
        if abs(at_high - TARGET) <= TARGET // (stage.debt - high):
            break
    return high


def executed(stage: Stage, receipt: dict[str, Any]) -> Executed:
    logs = [one for one in receipt["logs"] if one["address"].lower() == stage.guard.lower()]
    found = [
        decode_executed(
            tuple(bytes.fromhex(topic[2:]) for topic in one["topics"]),
            bytes.fromhex(one["data"][2:]),
        )
        for one in logs
    ]
    (event,) = [one for one in found if one is not None]
    return event


def test_deleverage__by_flash_loan__reaches_the_target_within_one_unit_of_debt(
    stage: Stage,
) -> None:
    started = stage.health()
    repaid = sized(stage)
    intent = stage.intent(repaid)
    event = executed(stage, stage.execute(intent))

    # One base unit of debt changes health by about health / debt; cETH's unit by less.
    assert abs(stage.health() - TARGET) <= 2 * TARGET // (stage.debt - repaid)
    assert event.id == intent.id
    # Compound's own views are as of the last accrual, the guard's of now.
    assert event.health_before == pytest.approx(started, rel=1e-7)
    assert event.health_after == stage.health()
    assert 0 < event.loss <= stage.policy.max_window_loss
    assert event.lender == morpho.morpho(stage.world).address
    for symbol in ("USDC", "WETH"):
        assert balance(stage.world, symbol, stage.guard) == 0
        assert balance(stage.world, symbol, stage.account) == 0


def test_deleverage__afterwards__leaves_no_allowance(stage: Stage) -> None:
    stage.execute(stage.intent(stage.debt * 46 // 100))
    targets = {one.target for one in stage.steps(10**6)} | {one.address for one in stage.lenders}
    for symbol in ("USDC", "WETH"):
        token = stage.world.token(symbol)
        assert not any(token.call("allowance", stage.guard, target) for target in targets)


def drain(stage: Stage, lender: str) -> None:
    """Leave a lender without the token."""
    world = stage.world
    world.node.fund([lender])
    token = world.token("USDC")
    world.node.send(token.tx(lender, "transfer", world.book.whale, token.call("balanceOf", lender)))


def test_deleverage__first_lender_dry__next_one_serves_the_same_intent(stage: Stage) -> None:
    first, second, _ = stage.lenders
    drain(stage, first.address)
    event = executed(stage, stage.execute(stage.intent(stage.debt * 46 // 100)))
    assert event.lender == second.address


def charge(stage: Stage, bps: int) -> None:
    """Let the lending Aave take a fee for its flash loans."""
    pools = aave.configurator(stage.world, "aave-3.6")
    pools.send(stage.world.book.admin, "updateFlashloanPremium", bps)


def test_deleverage__free_lenders_dry__aave_serves_for_its_fee(stage: Stage) -> None:
    charge(stage, 5)
    for one in stage.lenders[:2]:
        drain(stage, one.address)
    repaid = stage.debt * 46 // 100
    intent = stage.intent(repaid, calls=stage.steps(repaid, owed=repaid * 10_005 // 10_000 + 1))
    event = executed(stage, stage.execute(intent))
    assert event.lender == stage.lenders[2].address


def test_lender__dearer_than_the_policy_allows__is_passed_over(on_aave: Stage) -> None:
    stage = on_aave
    charge(stage, 5)
    dear = [one for one in stage.lenders if one.kind is LenderKind.AAVE_V3]
    cheap = stage.configure(max_flash_fee_bps=4, lenders=(*dear, stage.lenders[0]))
    repaid = cheap.debt * 46 // 100
    event = executed(cheap, cheap.execute(cheap.intent(repaid)))
    assert event.lender == stage.lenders[0].address


def test_repay__from_the_wallet_within_its_cap__needs_no_loan(stage: Stage) -> None:
    easy = stage.configure(floor=WAD, ceiling=2 * WAD)
    mint(stage.world, "USDC", easy.account, 400 * 10**6)
    repay = easy.place.repay(easy.account, 400 * 10**6)
    steps: tuple[Step, ...] = (repay,)
    if easy.form == "module":
        usdc = stage.world.token("USDC")
        stage.world.node.send(usdc.tx(easy.account, "approve", easy.guard, 400 * 10**6))
        taken = pull(stage.place.address("USDC"), easy.account, easy.guard, 400 * 10**6)
        steps = (taken, repay)
    intent = easy.intent(1, calls=steps, flash_amount=0, min_health_factor_after=WAD)
    before = easy.health()
    event = executed(easy, easy.execute(intent))
    assert easy.health() > before
    assert event.lender == NATIVE
    assert abs(event.loss) <= 10 ** (12 if stage.place.name == "compound-v2" else 2)
    assert balance(stage.world, "USDC", easy.account) == 0


def test_swap__sandwiched_by_a_thief__is_refused(on_aave: Stage) -> None:
    """The thief sells into the pool first; what he would buy back cheaply is not sold to him."""
    intent = on_aave.intent(on_aave.debt * 46 // 100)
    assert on_aave.refusal(intent) is None
    uniswap.swap(on_aave.world, THIEF, "WETH", "USDC", 500, 80 * ETHER)
    refused = on_aave.refusal(intent)
    assert refused is not None
    assert refused.name == "LossTooHigh"


def test_swap__on_a_thin_pool__is_refused(on_aave: Stage) -> None:
    world = on_aave.world
    fee = 10_000
    manager = uniswap.manager(world)
    first, second = uniswap.in_order(world, "WETH", "USDC")
    tokens = [world.book.tokens[symbol].address for symbol in (first, second)]
    price = uniswap.sqrt_price_and_tick(world, "WETH", "USDC", 500)[0]
    manager.send(THIEF, "createAndInitializePoolIfNecessary", *tokens, fee, price)
    amounts = {"WETH": 2 * ETHER, "USDC": 6_000 * 10**6}
    wide = (-887_200, 887_200)
    uniswap.mint(world, THIEF, first, second, fee, *wide, amounts[first], amounts[second])
    repaid = on_aave.debt // 8
    taken = repaid * ETHER // world.amount("USDC", 1) // 1_500
    calls = (
        on_aave.place.repay(on_aave.account, repaid),
        *on_aave.withdraw(taken),
        on_aave.place.swap(on_aave.guard, repaid, taken, fee),
        *on_aave.place.put_back(on_aave.account),
    )
    easy = on_aave.configure(floor=WAD)
    refused = easy.refusal(easy.intent(repaid, calls=calls, min_health_factor_after=WAD))
    assert refused is not None
    assert refused.name == "LossTooHigh"
