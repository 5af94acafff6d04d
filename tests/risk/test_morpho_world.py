"""The Morpho engine against Morpho itself: the edge in price and in time, by real liquidations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from world.actors import feeds
from world.anvil import Anvil
from world.node import Reverted
from world.world import World

from chain.units import WAD
from protocols.morpho_blue.math import accrue, average_rate, lowest_safe_price, rate_segments
from risk.liquidation.engine import HORIZON_S
from risk.liquidation.morpho_blue import ENGINE
from tests.protocols.morpho_blue import scene

ACCOUNTS = 216
HEALTHY = scene.HEALTHY


def test_boundary__random_accounts__liquidation_goes_through_there_and_not_one_unit_safer(
    world: World[Anvil],
) -> None:
    borrowers = scene.open_many(world, ACCOUNTS, seed=1)
    liquidator = scene.fund_liquidator(world)
    world.node.travel(37 * scene.DAY)
    time = world.node.timestamp() + 1_234
    by_owner = {
        p.owner: p
        for p in scene.positions(scene.read_at(world, [b.account for b in borrowers], time))
    }
    assert len(by_owner) == ACCOUNTS
    for borrower in borrowers:
        state = scene.state_of(by_owner[borrower.account])
        (edge, *_) = ENGINE.boundary(state, ENGINE.factors(state)[0])
        oracle = ENGINE.factors(state)[0].name
        taken = ENGINE.seizure(state, {oracle: edge.price_raw})
        assert taken is not None
        tx = scene.liquidation(world, liquidator, borrower, state, taken.seized)
        with scene.undone(world):
            scene.fix_price(world, borrower.market, edge.safe_price_raw)
            world.node.set_next_timestamp(time)
            with pytest.raises(Reverted, match=HEALTHY):
                # Another gas limit, so another hash: after a rollback anvil may still give the
                # receipt of a transaction that it has undone.
                world.node.send(replace(tx, gas=tx.gas + 1))
        with scene.undone(world):
            scene.fix_price(world, borrower.market, edge.price_raw)
            world.node.set_next_timestamp(time)
            done = scene.liquidated(world.node.send(tx))
            assert (done.repaid, done.seized) == (taken.repaid, taken.seized)
            assert done.bad_debt == ENGINE.bad_debt(state, {oracle: edge.price_raw})


def test_time__random_accounts__healthy_a_second_before_and_liquidatable_then(
    world: World[Anvil],
) -> None:
    borrowers = scene.open_many(world, ACCOUNTS, seed=2)
    liquidator = scene.fund_liquidator(world)
    world.node.travel(3 * scene.DAY)
    start = world.node.timestamp()
    reading = scene.read(world, [b.account for b in borrowers])
    by_owner = {p.owner: p for p in scene.positions(reading)}
    seen = 0
    for borrower in borrowers:
        state = scene.state_of(by_owner[borrower.account])
        found = ENGINE.time_to_liquidation(state, HORIZON_S)
        assert found.exact
        tx = scene.liquidation(world, liquidator, borrower, state, 0)
        if found.after_s is None:
            assert scene.outcome(world, tx, start + HORIZON_S) == HEALTHY
        elif found.after_s > 1:
            seen += 1
            assert scene.outcome(world, tx, start + found.after_s - 1) == HEALTHY
            assert scene.outcome(world, tx, start + found.after_s) == "done"
    assert seen > ACCOUNTS // 2


def test_time__debt_falls_again_at_a_step_of_the_rate__first_second_is_found(
    world: World[Anvil],
) -> None:
    """The exp of the IRM steps down by a percent: liquidatable, then healthy again."""
    name = "WBTC/WETH"
    borrower = next(b for b in scene.open_many(world, 24, seed=3) if b.market == name)
    liquidator = scene.fund_liquidator(world)
    world.node.travel(60)
    start = world.node.timestamp()
    (position,) = scene.positions(scene.read(world, [borrower.account], [name]))
    state = scene.state_of(position)
    oracle = ENGINE.factors(state)[0].name

    def debt(at: int) -> int:
        assert state.rate_at_target is not None
        rate = average_rate(state.rate_at_target, state.stored, at)
        return accrue(state.stored, rate, at).totals.borrowed(state.borrow_shares)

    falls = [
        state.stored.last_update + edge
        for edge in rate_segments(state.stored, 400 * scene.DAY)[1:]
        if debt(state.stored.last_update + edge) < debt(state.stored.last_update + edge - 1) - 1
    ]
    assert falls, "the market must be under its target utilization"
    second = falls[0]
    price = lowest_safe_price(debt(second), state.collateral, state.params.lltv)
    assert price is not None
    assert second > start + 1
    moved = ENGINE.reprice(state, {oracle: price})
    found = ENGINE.time_to_liquidation(moved, HORIZON_S)
    assert found.after_s is not None
    assert start + found.after_s < second
    scene.fix_price(world, name, price)
    tx = scene.liquidation(world, liquidator, borrower, state, 0)
    outcomes = [
        scene.outcome(world, tx, at)
        for at in (start + found.after_s - 1, start + found.after_s, second - 1, second)
    ]
    assert outcomes == [HEALTHY, "done", "done", HEALTHY]


def test_boundary__feeds_behind_the_oracle__real_rounds_on_either_side(
    world: World[Anvil],
) -> None:
    proxies = {feed.proxy: name for name, feed in world.book.feeds.items()}
    borrowers = scene.open_many(world, 24, seed=4)
    liquidator = scene.fund_liquidator(world)
    world.node.travel(600)
    time = world.node.timestamp() + 50
    reading = scene.read_at(world, [b.account for b in borrowers], time)
    by_owner = {p.owner: scene.state_of(p) for p in scene.positions(reading)}
    sides = set()
    for borrower in borrowers:
        state = by_owner[borrower.account]
        for factor in ENGINE.factors(state)[1:]:
            for edge in ENGINE.boundary(state, factor):
                sides.add((borrower.market, edge.direction))
                for answer, expected in ((edge.safe_price_raw, HEALTHY), (edge.price_raw, "done")):
                    seized = ENGINE.seizure(state, {factor.name: edge.price_raw})
                    assert seized is not None
                    tx = scene.liquidation(world, liquidator, borrower, state, seized.seized)
                    with scene.undone(world):
                        feeds.set_price_raw(world, proxies[factor.name], answer)
                        world.node.set_next_timestamp(time)
                        try:
                            world.node.send(replace(tx, gas=tx.gas + answer % 100_000))
                            outcome = "done"
                        except Reverted as refusal:
                            outcome = refusal.reason
                        assert outcome == expected
    assert len(sides) >= 9


def test_health__random_accounts__below_one_exactly_when_morpho_liquidates(
    world: World[Anvil],
) -> None:
    borrowers = scene.open_many(world, 60, seed=5)
    liquidator = scene.fund_liquidator(world)
    world.node.travel(30 * scene.DAY)
    time = world.node.timestamp() + 7
    reading = scene.read_at(world, [b.account for b in borrowers], time)
    by_owner = {p.owner: scene.state_of(p) for p in scene.positions(reading)}
    verdicts = set()
    for borrower in borrowers:
        state = by_owner[borrower.account]
        health = ENGINE.health(state)
        assert health is not None
        taken = ENGINE.seizure(state)
        tx = scene.liquidation(world, liquidator, borrower, state, taken.seized if taken else 0)
        said = scene.outcome(world, tx, time)
        assert said in (HEALTHY, "done")
        liquidatable = said == "done"
        assert (health < WAD) is liquidatable
        verdicts.add(liquidatable)
    assert verdicts == {True, False}


def test_seizure__prices_fallen_deep__takes_and_writes_off_what_was_said(
    world: World[Anvil],
) -> None:
    borrowers = scene.open_many(world, 36, seed=6)
    liquidator = scene.fund_liquidator(world)
    world.node.travel(5 * scene.DAY)
    time = world.node.timestamp() + 21
    reading = scene.read_at(world, [b.account for b in borrowers], time)
    by_owner = {p.owner: scene.state_of(p) for p in scene.positions(reading)}
    written_off = 0
    for n, borrower in enumerate(borrowers):
        state = by_owner[borrower.account]
        (oracle, *_) = ENGINE.factors(state)
        price = oracle.raw * (5 + 2 * n) // 100
        taken = ENGINE.seizure(state, {oracle.name: price})
        if taken is None:
            continue
        tx = scene.liquidation(world, liquidator, borrower, state, taken.seized)
        with scene.undone(world):
            scene.fix_price(world, borrower.market, price)
            world.node.set_next_timestamp(time)
            done = scene.liquidated(world.node.send(tx))
        lost = ENGINE.bad_debt(state, {oracle.name: price})
        assert (done.repaid, done.seized, done.bad_debt) == (taken.repaid, taken.seized, lost)
        written_off += lost > 0
    assert written_off > 10
