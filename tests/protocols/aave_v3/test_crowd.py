"""Two hundred and more random accounts on real Aave 3.0.2 and 3.6, to the wei and to the second."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak
from world.anvil import Anvil
from world.world import World

from chain.abi import Function
from chain.calls import Ok
from protocols.aave_v3.contracts import GET_USER_ACCOUNT_DATA
from protocols.types import Position, Side
from risk.liquidation import engine_for
from risk.types import Boundary
from tests.protocols.aave_v3.crowd import (
    DAY,
    LIQUIDATION,
    Crowd,
    account,
    gathered,
    later,
)

SIZE = 290
"""Enough that more than two hundred of them owe something."""
HEALTHY = ("45", "0x930bb771")
"""Error 45 of 3.0; `HealthFactorNotBelowThreshold()` of 3.6."""
USER_RESERVE = Function(
    "getUserReserveData(address,address)"
    "(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint40,bool)"
)
BALANCE_OF = Function("balanceOf(address)(uint256)")
ERROR = Function("reason()(string)")
SEIZED = Function("seized()(uint256,uint256,address,bool)")


@pytest.fixture(scope="module", params=["aave-3.0", "aave-3.6"])
def crowd(request: pytest.FixtureRequest, anvil: World[Anvil]) -> Iterator[Crowd]:
    with gathered(anvil, request.param, SIZE) as crowd:
        yield crowd


def indebted(crowd: Crowd) -> list[tuple[Position, tuple[Boundary, ...]]]:
    """Return whoever owes something, with the boundaries one second after the crowd's block + 1."""
    found = []
    for position in crowd.positions:
        engine, state = engine_for(position), later(position, 2)
        assert engine is not None
        if engine.health(state) is not None:
            edges = [b for f in engine.factors(state) for b in engine.boundary(state, f)]
            found.append((position, tuple(edges)))
    return found


def test_amounts__of_every_account__equal_the_tokens_balances(crowd: Crowd) -> None:
    legs = [
        (position.owner, leg)
        for position in crowd.positions
        for leg in position.legs
        if leg.side is not Side.REWARD
    ]
    data = crowd.world.book[crowd.name]["data_provider"]
    keys = list(dict.fromkeys((leg.token.address, owner) for owner, leg in legs))
    answers = dict(zip(keys, crowd.ask(USER_RESERVE, [(data, key) for key in keys]), strict=True))
    for owner, leg in legs:
        supply, stable, variable, *_ = answers[(leg.token.address, owner)]
        assert leg.amount == {"supply": supply, "stable": stable, "variable": variable}[leg.name]
    assert len(crowd.positions) == SIZE
    # nothing is left out either
    ours: dict[tuple[str, str], int] = {}
    for owner, leg in legs:
        key = (leg.token.address, owner)
        ours[key] = ours.get(key, 0) + leg.amount
    everything = [
        (asset, position.owner) for position in crowd.positions for asset in crowd.symbols
    ]
    for key, answer in zip(
        everything, crowd.ask(USER_RESERVE, [(data, key) for key in everything]), strict=True
    ):
        assert ours.get(key, 0) == sum(answer[:3])


def test_receipts__of_every_account__hold_what_its_legs_say(crowd: Crowd) -> None:
    keys = [(token, p.owner) for p in crowd.positions for token in p.receipts]
    held: dict[str, list[int]] = {}
    asked = crowd.ask(BALANCE_OF, [(token, (owner,)) for token, owner in keys])
    for (_, owner), balance in zip(keys, asked, strict=True):
        held.setdefault(owner, []).append(balance)
    for position in crowd.positions:
        legs = [leg.amount for leg in position.legs if leg.side is not Side.REWARD]
        assert sorted(filter(None, held[position.owner])) == sorted(legs)


def test_health__of_every_account__equals_the_pools_view(crowd: Crowd) -> None:
    pool = crowd.world.book[crowd.name]["pool"]
    owners = [position.owner for position in crowd.positions]
    views = crowd.ask(GET_USER_ACCOUNT_DATA, [(pool, (owner,)) for owner in owners])
    owing = 0
    for position, view in zip(crowd.positions, views, strict=True):
        assert position.verified
        assert not position.unknown
        engine = engine_for(position)
        assert engine is not None
        health = engine.health(account(position))
        assert health == (view[5] if view[1] else None)
        owing += health is not None
    assert owing >= 200


def test_boundary__of_every_indebted_account__is_where_the_real_liquidation_begins(
    crowd: Crowd,
) -> None:
    soon, proven, accounts = crowd.at.timestamp, 0, 0
    for position, edges in indebted(crowd):
        engine = engine_for(position)
        assert engine is not None
        state = later(position, 2)
        for edge in edges:
            assert edge.exact
            taken = engine.seizure(state, {edge.factor: edge.price_raw})
            assert taken is not None
            assert engine.seizure(state, {edge.factor: edge.safe_price_raw}) is None
            tx = crowd.liquidation(position.owner, taken.debt, taken.collateral, taken.ask)
            fall = crowd.round(edge.factor, edge.price_raw)
            moved, done = crowd.replay((soon + 1, fall), (soon + 2, tx))
            assert moved["status"] == "0x1"
            assert seized(done) == (taken.repaid, taken.seized)
            fall = crowd.round(edge.factor, edge.safe_price_raw)
            moved, done = crowd.replay((soon + 1, fall), (soon + 2, tx))
            assert moved["status"] == "0x1"
            assert healthy(refusal(done))
            proven += 1
        accounts += bool(edges)
    assert accounts >= 200
    assert proven >= 250


def test_boundary__of_some_accounts__holds_for_mined_transactions(crowd: Crowd) -> None:
    node = crowd.world.node
    chosen = [(position, edges[0]) for position, edges in indebted(crowd) if edges][::8]
    for position, edge in chosen:
        engine = engine_for(position)
        assert engine is not None
        taken = engine.seizure(later(position, 2), {edge.factor: edge.price_raw})
        assert taken is not None
        tx = crowd.liquidation(position.owner, taken.debt, taken.collateral, taken.ask)
        with node.rollback():
            node.set_next_timestamp(crowd.at.timestamp + 1)
            crowd.set_price(edge.factor, edge.price_raw)
            node.set_next_timestamp(crowd.at.timestamp + 2)
            assert seized(crowd.fire(tx)) == (taken.repaid, taken.seized)
        with node.rollback():
            node.set_next_timestamp(crowd.at.timestamp + 1)
            crowd.set_price(edge.factor, edge.safe_price_raw)
            node.mine_at(crowd.at.timestamp + 2)
            assert healthy(str(node.simulate(tx)))
    assert len(chosen) >= 25


def healthy(reason: str) -> bool:
    """Tell whether the pool refused because health is not below one."""
    return reason in HEALTHY


def refusal(call: dict[str, Any]) -> str:
    """Return why a replayed call failed, as the node's own simulation words it."""
    assert call["status"] == "0x0"
    data = call["returnData"]
    return str(ERROR.decode(Ok(bytes.fromhex(data[10:])))) if data[:10] == "0x08c379a0" else data


def seized(receipt: dict[str, Any]) -> tuple[int, int]:
    """Return (debt repaid, collateral received) of the pool's own event."""
    topic = "0x" + keccak(text=LIQUIDATION).hex()
    assert receipt["status"] == "0x1"
    (log,) = [log for log in receipt["logs"] if log["topics"][0] == topic]
    repaid, taken, *_ = SEIZED.decode(Ok(bytes.fromhex(log["data"][2:])))
    return repaid, taken


def test_second__of_every_account_near_its_edge__is_when_liquidation_begins(crowd: Crowd) -> None:
    proven = 0
    for number, (position, edges) in enumerate(indebted(crowd)):
        engine = engine_for(position)
        assert engine is not None
        if not edges:
            continue
        edge = edges[number % len(edges)]
        # just on the safe side, so that interest closes the gap within days
        step = edge.safe_price_raw - edge.price_raw
        near = edge.safe_price_raw + step * (edge.price_raw // 20_000)
        state = engine.reprice(later(position, 1), {edge.factor: near})
        instant = engine.time_to_liquidation(state, 300 * DAY)
        if not instant.after_s:
            continue
        assert instant.exact
        when = state.timestamp + instant.after_s
        taken = engine.seizure(replace(state, timestamp=when))
        assert taken is not None
        tx = crowd.liquidation(position.owner, taken.debt, taken.collateral, taken.ask)
        fall = state.timestamp, crowd.round(edge.factor, near)
        if instant.after_s > 1:
            _, before, done = crowd.replay(fall, (when - 1, tx), (when, tx))
            assert healthy(refusal(before))
        else:
            _, done = crowd.replay(fall, (when, tx))
        assert seized(done) == (taken.repaid, taken.seized)
        proven += 1
    assert proven >= 150
