"""Joint moves of the feeds behind Morpho's oracles, and remedies, proven on Morpho itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from world.actors import feeds, morpho
from world.anvil import Anvil
from world.node import Tx
from world.world import World

from chain.abi import Function
from chain.calls import Ok
from chain.units import WAD
from protocols.morpho import MARKET, POSITION
from protocols.morpho_blue.math import max_borrow, to_assets_up
from protocols.morpho_blue.state import MorphoPosition
from risk.distance.joint import joint
from risk.distance.linear import margin_of
from risk.distance.ray import on_ray
from risk.liquidation.morpho_blue import ENGINE
from risk.remedy import Kind, Remedy, remedies
from tests.protocols.morpho_blue import scene

ERROR = Function("reason()(string)")


def run(world: World[Anvil], *blocks: tuple[int, Sequence[Tx]]) -> list[dict[str, Any]]:
    """Run real code in blocks of our own after the head; return the calls of the last block."""
    states = [
        {
            "blockOverrides": {"time": hex(timestamp)},
            "calls": [{k: v for k, v in tx.params().items() if k != "nonce"} for tx in txs],
        }
        for timestamp, txs in blocks
    ]
    said = world.node.rpc.request("eth_simulateV1", {"blockStateCalls": states}, "latest")
    for block in said[:-1]:
        assert {call["status"] for call in block["calls"]} == {"0x1"}
    calls: list[dict[str, Any]] = said[-1]["calls"]
    return calls


def refusal(call: dict[str, Any]) -> str:
    """Return why Morpho refused, or `done`."""
    if call["status"] == "0x1":
        return "done"
    return str(ERROR.decode(Ok(bytes.fromhex(call["returnData"][10:]))))


def test_joint__feeds_move_together__real_liquidation_begins_where_said(
    world: World[Anvil],
) -> None:
    proxies = {feed.proxy: name for name, feed in world.book.feeds.items()}
    live = {proxy: feeds.aggregator(world, name) for proxy, name in proxies.items()}
    following = {proxy: bound.call("latestRound") + 1 for proxy, bound in live.items()}
    borrowers = scene.open_many(world, 84, seed=11)
    liquidator = scene.fund_liquidator(world)
    world.node.travel(3600)
    time = world.node.timestamp() + 50
    reading = scene.read_at(world, [b.account for b in borrowers], time)
    by_owner = {p.owner: scene.state_of(p) for p in scene.positions(reading)}
    proven = several = 0
    for seed, borrower in enumerate(borrowers):
        state = by_owner[borrower.account]
        margin = margin_of(state)
        assert margin is not None
        if margin.h0 <= 0 or not margin.factors:
            continue
        mixed = np.random.default_rng(seed).standard_normal((len(margin.factors), 6)) * 0.02
        found = joint(margin, mixed @ mixed.T)
        assert found is not None
        assert found.certified
        assert found.method == "closed form in logs"
        met = on_ray(state, dict(zip(found.factors, map(float, found.log), strict=True)))
        assert met is not None
        assert met.exact
        assert all(abs(met.safe[f] - p) <= 1 for f, p in met.liquidatable.items())
        taken = ENGINE.seizure(state, met.liquidatable)
        assert taken is not None
        tx = scene.liquidation(world, liquidator, borrower, state, taken.seized)
        for prices, expected in ((met.safe, scene.HEALTHY), (met.liquidatable, "done")):
            rounds = [
                live[f].tx(world.book.oracle, "submit", following[f], raw)
                for f, raw in prices.items()
            ]
            (done,) = run(world, (time - 1, rounds), (time, [tx]))
            assert refusal(done) == expected
        proven += 1
        several += len(margin.factors) > 1
    assert proven >= 50
    assert several >= 40


def test_remedy__every_market__the_contract_holds_that_health_to_the_wei(
    world: World[Anvil],
) -> None:
    borrowers = scene.open_many(world, 48, seed=12)
    liquidator = scene.fund_liquidator(world)
    tokens = {morpho.params(world, name)[1] for name in scene.LENT}
    scene.give_collateral(world, dict.fromkeys(tokens, 10**24))
    world.node.travel(86_400)
    time = world.node.timestamp() + 500
    reading = scene.read(world, [b.account for b in borrowers])
    by_owner = {p.owner: scene.state_of(p) for p in scene.positions(reading)}
    proven, count = set(), 0
    for number, borrower in enumerate(borrowers):
        state = by_owner[borrower.account]
        now = ENGINE.health(state, at=time)
        assert now is not None
        target = now * (101, 180, 300)[number % 3] // 100
        found = remedies(state, target, time)
        assert found is not None
        assert [r.kind for r in found.each] == [Kind.REPAY, Kind.ADD]
        for remedy in found.each:
            assert remedy.amount
            assert remedy.health_raw is None or remedy.health_raw >= target
            payer = liquidator if remedy.kind is Kind.REPAY else world.book.admin
            pay = payment(world, payer, borrower, state, remedy, remedy.amount)
            assert health_after(world, borrower, state, pay, time) == remedy.health_raw
            if remedy.amount > 1:
                less = payment(world, payer, borrower, state, remedy, remedy.amount - 1)
                short = health_after(world, borrower, state, less, time)
                assert short is not None
                assert short < target
            proven.add((borrower.market, remedy.kind))
            count += 1
    assert len(proven) == 2 * len(scene.LENT)
    assert count == 2 * len(borrowers)


def test_remedy__to_health_one__ends_liquidations_and_one_unit_less_does_not(
    world: World[Anvil],
) -> None:
    borrowers = scene.open_many(world, 24, seed=13)
    liquidator = scene.fund_liquidator(world)
    world.node.travel(600)
    time = world.node.timestamp() + 100
    reading = scene.read_at(world, [b.account for b in borrowers], time)
    by_owner = {p.owner: scene.state_of(p) for p in scene.positions(reading)}
    proven = 0
    for borrower in borrowers:
        state = by_owner[borrower.account]
        (edge, *_) = ENGINE.boundary(state, ENGINE.factors(state)[0])
        price = edge.price_raw * 98 // 100
        fallen = ENGINE.reprice(state, {state.params.oracle: price})
        found = remedies(fallen, WAD, time)
        assert found is not None
        repay = found.each[0]
        if repay.whole or not repay.amount or repay.amount < 2:
            continue
        taken = scene.liquidation(world, liquidator, borrower, fallen, 1)
        seize_one = replace(
            morpho.liquidation_tx(world, borrower.market, liquidator, borrower.account, seized=1),
            gas=taken.gas,
        )
        with scene.undone(world):
            scene.fix_price(world, borrower.market, price)
            for amount, expected in ((repay.amount, scene.HEALTHY), (repay.amount - 1, "done")):
                pay = payment(world, liquidator, borrower, fallen, repay, amount)
                paid, done = run(world, (time, [pay, seize_one]))
                assert refusal(paid) == "done"
                assert refusal(done) == expected
        proven += 1
    assert proven >= 15


def payment(
    world: World[Anvil],
    payer: str,
    borrower: scene.Borrower,
    state: MorphoPosition,
    remedy: Remedy,
    amount: int,
) -> Tx:
    """Return the transaction that the remedy stands for; all of a debt goes by its shares."""
    contract, params = morpho.morpho(world), morpho.params(world, borrower.market)
    if remedy.kind is Kind.ADD:
        return contract.tx(payer, "supplyCollateral", params, amount, borrower.account, b"")
    if remedy.whole and amount == remedy.amount:
        return contract.tx(payer, "repay", params, 0, state.borrow_shares, borrower.account, b"")
    return contract.tx(payer, "repay", params, amount, 0, borrower.account, b"")


def health_after(
    world: World[Anvil], borrower: scene.Borrower, state: MorphoPosition, pay: Tx, time: int
) -> int | None:
    """Return health by `Morpho._isHealthy` over what the contract holds after paying.

    Adding collateral does not accrue; whoever liquidates would.
    """
    contract = morpho.morpho(world)
    id_ = morpho.market_id(world, borrower.market)
    asks = [
        contract.tx(pay.sender, "accrueInterest", morpho.params(world, borrower.market)),
        contract.tx(pay.sender, "position", id_, borrower.account),
        contract.tx(pay.sender, "market", id_),
    ]
    paid, _, held, totals = run(world, (time, [pay, *asks]))
    assert refusal(paid) == "done"
    _, shares, collateral = POSITION.decode(Ok(bytes.fromhex(held["returnData"][2:])))
    market = MARKET.decode(Ok(bytes.fromhex(totals["returnData"][2:])))
    if not shares:
        return None
    assert state.oracle is not None
    bears = max_borrow(collateral, state.oracle.price, state.params.lltv)
    return bears * WAD // to_assets_up(shares, market[2], market[3])


def test_remedy__nothing_owed__is_none() -> None:
    assert remedies(None, WAD, 0) is None
