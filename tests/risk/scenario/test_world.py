"""Stress against the real thing: crash the feed, liquidate until it is over, compare what is left.

Aave: calls follow each other in blocks a second apart, while the model stands still; so amounts
may differ by some seconds of interest, and are compared to 1e-6 of themselves. Morpho: one block,
to the wei.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from world.actors import aave
from world.actors import morpho as morpho_actor
from world.anvil import Anvil
from world.node import Reverted, Tx
from world.world import World

from protocols.aave_v3.math import total_debt
from protocols.types import Position, Price, Side
from risk.liquidation import engine_for
from risk.scenario.play import play
from risk.scenario.types import End, Exposed, Fate, path_to
from tests.protocols.aave_v3.crowd import LIQUIDATOR, Crowd, account, gathered, later
from tests.protocols.aave_v3.test_crowd import seized
from tests.protocols.morpho_blue import scene
from underkeel.stress.run import own_factors, with_composites
from underkeel.stress.values import exposed
from underkeel.valuation import Valuation

SIZE = 150
FALLS = (0.75, 0.6, 0.45, 0.3, 0.15)
NEAR = 1e-6
"""Some seconds of interest."""


@pytest.fixture(scope="module", params=["aave-3.0", "aave-3.6"])
def crowd(request: pytest.FixtureRequest, anvil: World[Anvil]) -> Iterator[Crowd]:
    with gathered(anvil, request.param, SIZE) as crowd:
        yield crowd


def ready(position: Position, valuation: Valuation, seconds: int) -> Exposed:
    """Return a position as it is some seconds after its block, valued."""
    state = later(position, seconds)
    return exposed(replace(position, state=state), valuation)


def largest(position: Position) -> str:
    """Return the factor of the largest collateral."""
    held = [
        (leg.amount * leg.price.raw / 10 ** (leg.token.decimals or 0), leg.price.factor)
        for leg in position.legs
        if leg.side is Side.COLLATERAL and isinstance(leg.price, Price)
    ]
    return max(held)[1] if held else ""


def left(held: Exposed, fate: Fate, side: Side, factor: str, many: float) -> float:
    """Return the dollars that the model leaves on one side."""
    total = 0.0
    for valued, leg in zip(held.legs, fate.legs, strict=True):
        if leg.side is side:
            total += valued.worth(leg.amount, {factor: many}) or 0.0
    return total


def test_stress__real_aave__liquidated_until_over__leaves_what_the_model_says(
    crowd: Crowd,
) -> None:
    valuation = Valuation.of(crowd.reading.prices, (), crowd.positions, crowd.at)
    start = crowd.at.timestamp
    played = several = healthy = ended = 0
    for number, position in enumerate(crowd.positions):
        engine, factor = engine_for(position), largest(position)
        if engine is None or factor not in crowd.feeds:
            continue
        held = ready(position, valuation, 2)
        if engine.health(held.position.state) is None:
            continue
        many = FALLS[number % len(FALLS)]
        raw = next(f.raw for f in engine.factors(position.state) if f.name == factor)
        moves = with_composites({factor: int(raw * many) / raw}, own_factors((held,)))
        fate = play(held, path_to(moves, moves))
        if not fate.taken:
            continue
        txs: list[Tx] = [crowd.round(factor, int(raw * many))]
        txs += _calls(crowd, held, fate, moves)
        pool = aave.pool(crowd.world, crowd.name)
        txs.append(pool.tx(LIQUIDATOR, "getUserAccountData", position.owner))
        done = crowd.replay(*((start + 1 + i, tx) for i, tx in enumerate(txs)))
        assert [d["status"] for d in done] == ["0x1"] * len(done)
        for taken, call in zip(fate.taken, done[1:-1], strict=True):
            repaid, received = seized(call)
            assert repaid == pytest.approx(taken.repaid, rel=NEAR, abs=2)
            assert received == pytest.approx(taken.seized, rel=NEAR, abs=2)
        words = bytes.fromhex(done[-1]["returnData"][2:])
        collateral, debt = (int.from_bytes(words[32 * i : 32 * i + 32], "big") for i in (0, 1))
        health = int.from_bytes(words[160:192], "big")
        scale = max(1.0, (fate.before_usd or 0.0), left(held, fate, Side.DEBT, factor, many))
        for side, base in ((Side.COLLATERAL, collateral), (Side.DEBT, debt)):
            ours = left(held, fate, side, factor, int(raw * many) / raw)
            assert base / 1e8 == pytest.approx(ours, rel=NEAR, abs=NEAR * scale)
        assert (health >= 10**18) == (fate.end is not End.STUCK)
        played += 1
        several += len(fate.taken) > 1
        healthy += fate.end is End.HEALTHY
        ended += fate.end in (End.CLOSED, End.STUCK)
    assert played >= 25
    assert several >= 3
    assert healthy >= 1
    assert ended >= 1


def _calls(crowd: Crowd, held: Exposed, fate: Fate, moves: Any) -> list[Tx]:
    """Return the real calls that a liquidator would make, one after another."""
    from risk.scenario.play import oracle_prices
    from risk.scenario.unwind import aave as unwind

    engine = engine_for(held.position)
    assert engine is not None
    state = account(held.position)
    now = {f.name: f.raw for f in engine.factors(state)}
    state = engine.reprice(state, oracle_prices(now, moves))
    txs = []
    for taken in fate.taken:
        step = unwind(state)
        assert step is not None
        assert (step.seizure.repaid, step.seizure.seized) == (taken.repaid, taken.seized)
        ask = step.seizure.ask
        owed = [h for h in state.holdings if h.reserve.asset == taken.debt]
        if ask is not None and ask >= total_debt(owed[0], state.timestamp, state.rules):
            ask *= 2  # a second later all of it is a little more
        txs.append(crowd.liquidation(held.position.owner, taken.debt, taken.collateral, ask))
        assert isinstance(step.state, type(state))
        state = step.state
    return txs


def test_stress__real_morpho__liquidated__leaves_what_the_model_says_to_the_wei(
    world: World[Anvil],
) -> None:
    borrowers = scene.open_many(world, 48, seed=11)
    liquidator = scene.fund_liquidator(world)
    world.node.travel(5 * scene.DAY)
    time = world.node.timestamp() + 21
    reading = scene.read_at(world, [b.account for b in borrowers], time)
    positions = scene.positions(reading)
    at = positions[0].at
    valuation = Valuation.of(reading.prices, (), positions, at)
    by_owner = {p.owner: p for p in positions}
    taken_all = bad = 0
    for n, borrower in enumerate(borrowers):
        position = by_owner[borrower.account]
        state = scene.state_of(position)
        assert state.oracle is not None
        opaque = replace(position, state=replace(state, oracle=replace(state.oracle, parts=None)))
        price = state.oracle.price * (20 + 2 * n) // 100
        moves: dict[str, float] = {state.oracle.address: price / state.oracle.price}
        held = exposed(opaque, valuation)
        fate = play(held, path_to(moves, moves))
        if not fate.taken:
            continue
        (taken,) = fate.taken
        exact = max(1, int(state.oracle.price * _fraction(price, state.oracle.price)))
        tx = scene.liquidation(world, liquidator, borrower, state, taken.seized)
        with scene.undone(world):
            scene.fix_price(world, borrower.market, exact)
            world.node.set_next_timestamp(time)
            done = scene.liquidated(world.node.send(tx))
            after = morpho_actor.position(world, borrower.market, borrower.account)
            with pytest.raises(Reverted):
                world.node.send(replace(tx, gas=tx.gas + 1))
        assert (done.repaid, done.seized) == (taken.repaid, taken.seized)
        assert done.bad_debt == sum(taken.written_off.values())
        left_over = [leg.amount for leg in fate.legs if leg.side is Side.COLLATERAL]
        assert after.collateral == sum(left_over)
        assert after.borrow_shares == 0
        assert fate.end is End.CLOSED
        taken_all += 1
        bad += done.bad_debt > 0
    assert taken_all >= 20
    assert bad >= 5


def _fraction(price: int, now: int) -> Any:
    from fractions import Fraction

    return Fraction(price / now)
