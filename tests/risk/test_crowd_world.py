"""Joint moves and remedies of random accounts, proven on real Aave 3.0.2 and 3.6.

Joint: all feeds move at once along the reported direction, the real liquidation goes through at
the step where we say that it begins, and is refused one step before. Remedies: exactly what we say
is repaid or supplied, and the pool answers the health that we said; one base unit less falls short.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from world.actors import aave
from world.anvil import Anvil
from world.node import Tx
from world.world import World

from chain.calls import Ok
from protocols.aave_v3.contracts import GET_USER_ACCOUNT_DATA
from protocols.types import Position
from risk.distance.joint import ON_BOUNDARY, joint
from risk.distance.linear import margin_of
from risk.distance.ray import on_ray
from risk.liquidation import engine_for
from risk.remedy import Kind, Remedy, remedies
from tests.protocols.aave_v3.crowd import LIQUIDATOR, Crowd, account, gathered, later
from tests.protocols.aave_v3.test_crowd import healthy, refusal, seized

SIZE = 120


@pytest.fixture(scope="module", params=["aave-3.0", "aave-3.6"])
def crowd(request: pytest.FixtureRequest, anvil: World[Anvil]) -> Iterator[Crowd]:
    with gathered(anvil, request.param, SIZE) as crowd:
        yield crowd


def run(crowd: Crowd, *blocks: tuple[int, Sequence[Tx]]) -> list[list[dict[str, Any]]]:
    """Run real code in blocks of our own after the head; the chain stays as it is."""
    states = [
        {
            "blockOverrides": {"time": hex(timestamp)},
            "calls": [{k: v for k, v in tx.params().items() if k != "nonce"} for tx in txs],
        }
        for timestamp, txs in blocks
    ]
    answer = crowd.world.node.rpc.request("eth_simulateV1", {"blockStateCalls": states}, "latest")
    return [block["calls"] for block in answer]


def indebted(crowd: Crowd) -> list[Position]:
    engines = ((position, engine_for(position)) for position in crowd.positions)
    return [p for p, engine in engines if engine and engine.health(account(p)) is not None]


def covariance(n: int, seed: int) -> Any:
    """Return a random covariance of daily moves of about 4 %."""
    mixed = np.random.default_rng(seed).standard_normal((n, n + 2))
    return mixed @ mixed.T / (n + 2) * 0.04**2


def test_joint__random_accounts__real_liquidation_begins_on_the_ray_where_said(
    crowd: Crowd,
) -> None:
    soon = crowd.at.timestamp
    proven = several = certified = 0
    for seed, position in enumerate(indebted(crowd)):
        margin = margin_of(account(position), soon + 2)
        assert margin is not None
        if len(margin.factors) < 2 or margin.h0 <= 0:
            continue
        found = joint(margin, covariance(len(margin.factors), seed))
        if found is None:  # each asset owed is outweighed by the same asset held
            assert (margin.weights >= 0).all()
            continue
        assert found.residual <= ON_BOUNDARY
        move = dict(zip(found.factors, map(float, found.log), strict=True))
        met = on_ray(account(position), move, soon + 2)
        assert met is not None
        assert met.exact
        # only rounding, to 3.4 of thresholds to whole bps, parts the integers from the margin
        assert met.multiple == pytest.approx(1, abs=0.05 / max(0.05, found.beta * 0.04))
        assert all(abs(met.safe[f] - p) <= 1 for f, p in met.liquidatable.items())
        engine = engine_for(position)
        assert engine is not None
        taken = engine.seizure(later(position, 2), met.liquidatable)
        assert taken is not None
        tx = crowd.liquidation(position.owner, taken.debt, taken.collateral, taken.ask)
        outcomes = []
        for prices in (met.safe, met.liquidatable):
            rounds = [crowd.round(factor, raw) for factor, raw in prices.items()]
            moved, (done,) = run(crowd, (soon + 1, rounds), (soon + 2, [tx]))
            assert {call["status"] for call in moved} == {"0x1"}
            outcomes.append(done)
        assert healthy(refusal(outcomes[0]))
        assert seized(outcomes[1]) == (taken.repaid, taken.seized)
        proven += 1
        several += len(margin.factors) > 2
        certified += found.certified
    assert proven >= 50
    assert several >= 10
    assert certified >= 25


def test_remedy__every_debt_and_collateral__the_pool_answers_that_health(crowd: Crowd) -> None:
    then = crowd.at.timestamp + 777
    proven: set[tuple[str, Kind, str]] = set()
    count = 0
    for number, position in enumerate(indebted(crowd)):
        engine, state = engine_for(position), account(position)
        assert engine is not None
        now = engine.health(state, at=then)
        assert now is not None
        target = now * (101, 130, 300)[number % 3] // 100 + number
        found = remedies(state, target, then)
        assert found is not None
        assert not found.already
        assert not found.unknown
        for remedy in found.each:
            if remedy.amount is None:
                continue
            if remedy.amount > 10**7 * 10 ** (remedy.decimals or 0):
                continue  # more than the payer has
            assert health_after(crowd, position, remedy, remedy.amount) == remedy.health_raw
            assert remedy.health_raw is None or remedy.health_raw >= target
            if remedy.amount > 1:
                short = health_after(crowd, position, remedy, remedy.amount - 1)
                assert short is not None
                assert short < target
            proven.add((remedy.name, remedy.kind, remedy.symbol))
            count += 1
    names = {
        (leg.name, leg.side.value, leg.token.symbol) for p in indebted(crowd) for leg in p.legs
    }
    debts = {symbol for _, side, symbol in names if side == "debt"}
    held = {symbol for _, side, symbol in names if side == "collateral"}
    assert {symbol for _, kind, symbol in proven if kind is Kind.REPAY} == debts
    assert {symbol for _, kind, symbol in proven if kind is Kind.ADD} == held
    assert count >= 150
    if crowd.name == "aave-3.0":
        assert any(name == "stable" for name, *_ in proven)


def health_after(crowd: Crowd, position: Position, remedy: Remedy, amount: int) -> int | None:
    """Return what the pool says in the block in which the amount was paid; None without debt."""
    pool = aave.pool(crowd.world, crowd.name)
    if remedy.kind is Kind.ADD:
        supply = "supply(address,uint256,address,uint16)"
        pay = pool.tx(LIQUIDATOR, supply, remedy.asset, amount, position.owner, 0)
    else:
        mode = aave.STABLE if remedy.name == "stable" else aave.VARIABLE
        repay = "repay(address,uint256,uint256,address)"
        pay = pool.tx(LIQUIDATOR, repay, remedy.asset, amount, mode, position.owner)
    ask = pool.tx(LIQUIDATOR, "getUserAccountData", position.owner)
    ((paid, said),) = run(crowd, (remedy.at, [pay, ask]))
    if paid["status"] != "0x1":
        # below one scaled unit the pool refuses: then nothing changes
        assert remedy.amount is not None
        assert amount < remedy.amount
    view = GET_USER_ACCOUNT_DATA.decode(Ok(bytes.fromhex(said["returnData"][2:])))
    return view[5] if view[1] else None
