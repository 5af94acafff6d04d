"""The Compound engine against Compound itself: edges in price and time, by real liquidations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from world.actors import compound, feeds
from world.actors import tokens as token_actor
from world.actors.crowd import random_accounts
from world.anvil import Anvil
from world.world import World, actor

from chain.units import WAD, YEAR
from protocols.compound_v2.state import CompoundAccount
from protocols.types import Position
from risk.liquidation import assess_liquidation
from risk.liquidation.compound_v2 import ENGINE, crossings
from risk.liquidation.compound_v2_seizure import best_call
from risk.remedy import Kind, remedies
from risk.scenario.unwind_compound import unwound
from risk.types import Status
from tests.protocols.compound_v2 import scene

ACCOUNTS, SEED = 100, 31


@dataclass(frozen=True)
class Crowd:
    """Random accounts at one block, some time after the markets were last touched."""

    world: World[Anvil]
    positions: list[Position]

    @property
    def borrowers(self) -> list[tuple[Position, CompoundAccount]]:
        """Return who owes something."""
        states = ((p, scene.state_of(p)) for p in self.positions)
        return [(p, s) for p, s in states if any(one.debt for one in s.holdings)]


@pytest.fixture(scope="module")
def crowd(anvil: World[Anvil]) -> Iterator[Crowd]:
    with anvil.node.rollback():
        users = random_accounts(anvil, SEED, ACCOUNTS, "compound-v2")
        scene.liquidator(anvil)
        anvil.node.mine(60)
        yield Crowd(anvil, scene.positions(scene.read_many(anvil, users)))


def test_read__random_accounts__amounts_are_what_the_contracts_accrue(crowd: Crowd) -> None:
    assert len(crowd.positions) == ACCOUNTS
    for position in crowd.positions:
        scene.assert_views(crowd.world, position)


def test_boundary__random_accounts__liquidation_goes_through_there_and_not_one_unit_safer(
    crowd: Crowd,
) -> None:
    """Every pair is tried, of some accounts after every way of accruing the other markets."""
    edges = 0
    for n, (position, state) in enumerate(crowd.borrowers):
        for factor in ENGINE.factors(state):
            for edge in ENGINE.boundary(state, factor):
                assert edge.exact
                edges += 1
                scene.assert_edge(crowd.world, position, edge, all_ways=n < 12)
    assert edges > ACCOUNTS


def test_boundary__nothing_else_accrued_first__some_are_safe_there_still(crowd: Crowd) -> None:
    world, apart = crowd.world, 0
    for position, state in crowd.borrowers[:40]:
        for factor in ENGINE.factors(state):
            for edge in ENGINE.boundary(state, factor):
                prices = {edge.factor: edge.price_raw}
                if all(w.first for w in scene.worst(world, state, position.owner, prices)):
                    plain = (
                        scene.tried(world, one, position.at.hash, prices).code
                        for one in scene.every(world, state, position.owner)
                        if not one.first
                    )
                    apart += 0 not in plain
    assert apart


def test_seizure__prices_fallen__takes_what_was_said(crowd: Crowd) -> None:
    checked = capped = shared = 0
    for position, state in crowd.borrowers:
        for factor in ENGINE.factors(state):
            for edge in ENGINE.boundary(state, factor):
                prices = {edge.factor: edge.price_raw * (97 if edge.distance_frac < 0 else 103)
                          // 100}  # fmt: skip
                call = best_call(state, prices)
                assert call is not None
                one = scene.liquidation(crowd.world, state, position.owner, call, prices)
                done = scene.tried(crowd.world, one, position.at.hash, prices)
                assert (done.code, done.tokens, done.received) == (
                    0,
                    call.tokens,
                    call.tokens - call.protocol_tokens,
                )
                checked += 1
                capped += call.repaid < state.close_factor * call.debt.accrued.debt // WAD
                shared += call.protocol_tokens > 0
    assert checked > ACCOUNTS
    assert capped
    assert shared


def test_seizure__one_unit_more__is_refused(crowd: Crowd) -> None:
    for position, state in crowd.borrowers[:8]:
        for factor in ENGINE.factors(state):
            for edge in ENGINE.boundary(state, factor):
                prices = {edge.factor: edge.price_raw}
                call = best_call(state, prices)
                assert call is not None
                one = scene.liquidation(crowd.world, state, position.owner, call, prices)
                more = scene.Liquidation(
                    one.borrower, one.debt, one.collateral, one.repaid + 1, one.first
                )
                refused = scene.tried(crowd.world, more, position.at.hash, prices)
                assert refused.code != 0
                assert scene.tried(crowd.world, one, position.at.hash, prices).code == 0


def test_time__random_accounts__safe_a_block_before_and_liquidatable_then(crowd: Crowd) -> None:
    head = crowd.world.node.rpc
    at = int(head.request("eth_blockNumber"), 16)
    seen = 0
    for position, state in crowd.borrowers[::4]:
        first, last = crossings(state, 100 * YEAR // 15)
        instant = ENGINE.time_to_liquidation(state, 100 * YEAR)
        assert not instant.exact
        if first.at is None or last.at is None or first.at < 2:
            assert first.at != 0
            continue
        assert instant.after_s == first.at * 15
        seen += 1

        def goes(ahead: int, state: CompoundAccount = state, owner: str = position.owner) -> bool:
            return any(
                scene.tried(crowd.world, one, at, block_number=at + ahead).code == 0
                for one in scene.every(crowd.world, state, owner)
            )

        assert not goes(first.at - 1)
        assert goes(last.at)
    assert seen > ACCOUNTS // 12


def test_status__a_crash__liquidatable_as_the_comptroller_then_does(crowd: Crowd) -> None:
    """A mined round and a mined liquidation: what moved is what was said."""
    world = crowd.world
    liquidated = 0
    who = actor("compound liquidator")
    with world.node.rollback():
        world.node.fund([who], 10**27)
        for name in ("cUSDC", "cDAI"):
            symbol = compound.underlying(world, name)
            token_actor.mint(world, symbol, who, world.amount(symbol, 10**8))
            token_actor.approve(world, symbol, who, compound.ctoken(world, name).address)
        feeds.crash(world, "ETH / USD", -0.4)
        for position, _ in crowd.borrowers[:12]:
            time = world.node.timestamp() + 5
            with world.node.rollback():
                # an empty block of the number and the time that the transaction will have
                world.node.mine_at(time)
                (moved,) = scene.positions(scene.read_many(world, [position.owner]))
            state, judged = scene.state_of(moved), assess_liquidation(moved)
            call = best_call(state)
            assert (judged.status is Status.LIQUIDATABLE) is (call is not None)
            if call is None or call.debt.holding.market.native:
                continue
            with world.node.rollback():
                one = scene.liquidation(world, state, moved.owner, call)
                held = compound.ctoken(world, one.collateral)
                before = held.call("balanceOf", moved.owner), held.call("balanceOf", who)
                world.node.set_next_timestamp(time)
                debt = compound.ctoken(world, one.debt)
                debt.send(who, "liquidateBorrow", moved.owner, call.repaid, held.address)
                taken = before[0] - held.call("balanceOf", moved.owner)
                got = held.call("balanceOf", who) - before[1]
                if one.first and not taken:
                    continue  # it takes another market's accrual, in a transaction before
                assert (taken, got) == (call.tokens, call.tokens - call.protocol_tokens)
                liquidated += 1
                played = unwound(state)
                (after,) = scene.positions(scene.read_many(world, [moved.owner]))
                assert played is not None
                assert [(h.tokens, h.debt) for h in played[0].holdings] == [
                    (h.tokens, h.debt) for h in scene.state_of(after).holdings
                ]
    assert liquidated > 2


def test_remedies__carried_out__give_the_health_that_was_said(crowd: Crowd) -> None:
    world, done = crowd.world, set[str]()
    owners = [position.owner for position, _ in crowd.borrowers[:5]]
    names = {compound.underlying(world, n): n for n in ("cUSDC", "cDAI")}
    with world.node.rollback():
        for owner in owners:
            for symbol, name in names.items():
                token_actor.mint(world, symbol, owner, world.amount(symbol, 10**6))
                token_actor.approve(world, symbol, owner, compound.ctoken(world, name).address)
        for owner in owners:
            time = world.node.timestamp() + 5
            with world.node.rollback():
                # an empty block of the number and the time that the transaction will have
                world.node.mine_at(time)
                (found,) = scene.positions(scene.read_many(world, [owner]))
            health = ENGINE.health(scene.state_of(found))
            assert health is not None
            ways = remedies(scene.state_of(found), health * 11 // 10, time)
            assert ways is not None
            for way in ways.each:
                if way.amount is None or way.symbol not in names:
                    continue
                with world.node.rollback():
                    what = "repayBorrow" if way.kind is Kind.REPAY else "mint"
                    world.node.set_next_timestamp(time)
                    compound.ctoken(world, names[way.symbol]).send(owner, what, way.amount)
                    (after,) = scene.positions(scene.read_many(world, [owner]))
                assert ENGINE.health(scene.state_of(after)) == way.health_raw
                done.add(way.kind)
    assert done == {Kind.REPAY, Kind.ADD}
