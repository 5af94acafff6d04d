"""Morpho positions on the world: to the wei what Morpho itself holds, moves and accrues."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from random import Random

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from world.actors import feeds
from world.actors import morpho as morpho_actor
from world.anvil import Anvil
from world.world import World

from chain.types import checksum
from chain.units import WAD, YEAR
from protocols import deployments
from protocols.adapter import Log
from protocols.morpho import BORROW_RATE_VIEW, Totals
from protocols.morpho_blue.discovery import DISCOVERY
from protocols.morpho_blue.math import MAX_RATE_AT_TARGET, MIN_RATE_AT_TARGET, average_rate
from protocols.types import Position, Price, Unpriced
from tests.protocols.morpho_blue import scene
from tests.support import referee

ACCOUNTS = 210


def test_read__random_accounts__amounts_are_what_morpho_moves(world: World[Anvil]) -> None:
    borrowers = scene.open_many(world, ACCOUNTS, seed=11)
    payer = scene.fund_liquidator(world)
    world.node.travel(23 * scene.DAY)
    where = {b.account: b.market for b in borrowers}
    found = scene.positions(scene.read(world, [b.account for b in borrowers]))
    assert len(found) == ACCOUNTS
    for position in found:
        assert position.verified
        assert position.unknown == ()
        assert position.version == "AdaptiveCurveIrm"
        scene.assert_views(world, where[position.owner], position, payer)


def test_read__market_nobody_touched__accrues_as_morpho_then_does(world: World[Anvil]) -> None:
    """Totals, fee shares of the fee recipient and all, after months, in the same second."""
    world.node.travel(140 * scene.DAY)
    time = world.node.timestamp() + 9
    whale, admin = world.book.whale, world.book.admin
    reading = scene.read_at(world, [whale, admin], time)
    states = {
        (str(p.owner), scene.state_of(p).market_id): scene.state_of(p)
        for p in scene.positions(reading)
    }
    contract = morpho_actor.morpho(world)
    fees = 0
    for name in scene.LENT:
        record = morpho_actor.page(world, name)
        state = states[whale, record["id"]]
        with scene.undone(world):
            world.node.set_next_timestamp(time)
            morpho_actor.accrue(world, name)
            totals = contract.call("market", morpho_actor.market_id(world, name))
            assert totals == state.accrued.totals.words()
            stored = morpho_actor.position(world, name, admin)
            recipient = states.get((admin, record["id"]))
            if stored.supply_shares:
                assert recipient is not None
                assert recipient.supply_shares == stored.supply_shares
                fees += state.accrued.fee_shares
    assert fees > 0


def test_read__oracle_of_known_shape__is_an_expression_of_its_feeds(world: World[Anvil]) -> None:
    found = scene.positions(scene.read(world, [world.book.whale]))
    prices = {}
    for position in found:
        for leg in position.legs:
            if leg.name == "collateral":
                assert isinstance(leg.price, Price)
                prices[leg.token.symbol, scene.state_of(position).loan.symbol] = leg.price
    proxies = {name: feed.proxy for name, feed in world.book.feeds.items()}
    vault = world.book["erc4626"]["pvDAI"]
    assert prices["wstETH", "WETH"].source == f"feed({proxies['wstETH / ETH']})"
    assert prices["wstETH", "WETH"].factor == proxies["wstETH / ETH"]
    assert prices["wstETH", "WETH"].label == "wstETH / ETH"
    assert prices["WETH", "USDC"].source == (
        f"div(feed({proxies['ETH / USD']}), feed({proxies['USDC / USD']}))"
    )
    assert prices["pvDAI", "USDC"].source == (
        f"div(mul(ratio({vault}), feed({proxies['DAI / USD']})), feed({proxies['USDC / USD']}))"
    )
    for (collateral, loan), price in prices.items():
        assert price.raw == morpho_actor.oracle_price(world, f"{collateral}/{loan}")
        assert price.problems == ()
        assert price.updated_at is not None


def test_read__feeds_gone_quiet__price_says_so(world: World[Anvil]) -> None:
    world.node.travel(3 * scene.DAY)
    position = scene.positions(scene.read(world, [world.book.whale], ["WETH/USDC"]))[0]
    price = position.legs[0].price
    assert isinstance(price, Price)
    assert any("stale" in problem for problem in price.problems)


@pytest.mark.parametrize("answer", [0, -1])
def test_read__oracle_zero_or_reverting__unpriced_and_unknown(
    world: World[Anvil], answer: int
) -> None:
    feeds.set_price_raw(world, "ETH / USD", answer)
    position = scene.positions(scene.read(world, [world.book.whale], ["WETH/USDC"]))[0]
    legs = {leg.name: leg for leg in position.legs}
    assert isinstance(legs["collateral"].price, Unpriced)
    assert legs["debt"].amount > 0
    assert any("oracle" in cause for cause in position.unknown)


def test_average_rate__random_states__equals_borrow_rate_view(world: World[Anvil]) -> None:
    """The IRM's own bytecode, over utilizations, times and stored rates, to the wei."""
    random = Random(7)
    irm = world.book["morpho"]["irm"]
    params = morpho_actor.params(world, "WETH/USDC")
    slot = int.from_bytes(
        keccak(encode(["bytes32", "uint256"], [morpho_actor.market_id(world, "WETH/USDC"), 0]))
    )
    checked = 0
    for _ in range(20):
        at_target = random.choice(
            (0, MIN_RATE_AT_TARGET, MAX_RATE_AT_TARGET, random.randint(10**8, 6 * 10**10))
        )
        world.node.set_storage(irm, slot, at_target)
        world.node.mine()
        at = referee.head(world.node.rpc)
        for _ in range(20):
            totals = random_totals(random, at.timestamp)
            call = BORROW_RATE_VIEW.at(checksum(irm), params, totals.words())
            told = BORROW_RATE_VIEW.decode(referee.answer(world.node.rpc, call, at))
            assert told == average_rate(at_target, totals, at.timestamp)
            checked += 1
    assert checked == 400


def random_totals(random: Random, now: int) -> Totals:
    supply = random.choice((0, 1, random.randint(1, 10**8), random.randint(1, 10**30)))
    used = random.choice((0.0, 0.9, 1.0, random.random()))
    elapsed = random.choice(
        (0, 1, random.randint(1, scene.DAY), random.randint(1, YEAR), random.randint(1, 30 * YEAR))
    )
    borrow = min(supply, int(supply * used))
    return Totals(supply, supply, borrow, borrow, now - elapsed, 0)


def test_discovery__an_accounts_logs__name_the_markets_it_entered(world: World[Anvil]) -> None:
    borrowers = scene.open_many(world, 6, seed=21)
    lender = checksum(borrowers[0].account)
    morpho_actor.supply(world, "LINK/EURS", lender, 10)
    market = scene.market(world)
    rpc = world.node.rpc
    for borrower in borrowers:
        logs = [
            Log(
                checksum(raw["address"]),
                tuple(bytes.fromhex(topic[2:]) for topic in raw["topics"]),
                bytes.fromhex(raw["data"][2:]),
            )
            for wanted in DISCOVERY.filters(market, [borrower.account])
            for raw in rpc.request(
                "eth_getLogs",
                {
                    "address": wanted.address,
                    "fromBlock": "0x0",
                    "toBlock": "latest",
                    "topics": list(wanted.topics),
                },
            )
        ]
        entered = {borrower.market} | ({"LINK/EURS"} if borrower.account == lender else set())
        ids = {morpho_actor.page(world, name)["id"] for name in entered}
        assert set(DISCOVERY.found(logs)) == ids


def test_read__unfamiliar_rate_model__amounts_exact_and_said_to_be_unfamiliar(
    world: World[Anvil],
) -> None:
    """A model that always answers the same rate, in the place of the adaptive one."""
    rate = 3 * WAD // 100 // YEAR
    world.node.set_code(world.book["morpho"]["irm"], f"0x7f{rate:064x}60005260206000f3")
    world.node.travel(5 * scene.DAY)
    payer = scene.fund_liquidator(world)
    (position,) = scene.positions(scene.read(world, [world.book.whale], ["WETH/USDC"]))
    state = scene.state_of(position)
    assert state.rate_at_target is None
    assert state.rate == rate
    assert "unfamiliar rate model" in position.notes[0]
    scene_legs = {leg.name: leg.amount for leg in position.legs}
    contract, params = morpho_actor.morpho(world), morpho_actor.params(world, "WETH/USDC")
    tx = contract.tx(payer, "repay", params, 0, state.borrow_shares, world.book.whale, b"")
    assert scene.paid(world, tx, position.at.hash) == scene_legs["debt"]


def test_data__every_deployment__is_as_morpho_publishes_it(published: Path) -> None:
    script = """
        const { addressesRegistry, deployments } = require('@morpho-org/morpho-ts');
        const rows = Object.entries(addressesRegistry).map(([id, row]) =>
            [id, row.morpho, Number(deployments[id].morpho)]);
        console.log(JSON.stringify(rows));
    """
    done = subprocess.run(
        ["node", "-e", script], cwd=published, capture_output=True, text=True, check=True
    )
    told = {int(chain): (address, block) for chain, address, block in json.loads(done.stdout)}
    ours = [d for d in deployments.deployments() if d.market.adapter == "morpho-blue"]
    assert len(ours) >= 20
    for row in ours:
        assert told[row.chain_id] == (row.market.root, row.market.params["from_block"])


def test_read__position_ids__are_stable_and_apart(world: World[Anvil]) -> None:
    whale = world.book.whale
    first = [p.id for p in scene.positions(scene.read(world, [whale]))]
    world.node.mine()
    second = [p.id for p in scene.positions(scene.read(world, [whale]))]
    assert first == second
    assert len(set(first)) == len(first) == len(scene.LENT)


def test_read__account_in_no_market__gives_nothing(world: World[Anvil]) -> None:
    reading = scene.read(world, [checksum("0x" + "77" * 20)])
    assert [p for p in reading.positions if isinstance(p, Position)] == []
    assert reading.positions == ()
