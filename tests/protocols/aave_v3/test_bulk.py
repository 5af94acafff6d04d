"""Bulk reading says what the adapter says, to the last bit, whichever way the reads travel."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from world.actors import aave, feeds, tokens
from world.actors.crowd import random_accounts
from world.anvil import Anvil
from world.world import World, actor

from chain.abi import Function
from chain.bulk import Answers, Chunk, Chunks
from chain.calls import Call, ReadFailed
from chain.chunks import Chunker
from chain.client import ChainSpec, Client, connect
from chain.endpoint import Path
from chain.types import Address, checksum
from protocols.aave_v3 import AaveV3, lens
from protocols.aave_v3 import contracts as c
from protocols.aave_v3.bulk import read_columns
from protocols.aave_v3.columns import Columns, Kind
from protocols.aave_v3.math import health, lines, totals
from protocols.aave_v3.state import AaveAccount
from protocols.adapter import Market
from protocols.types import Position

BALANCE = Function("balanceOf(address)(uint256)")
VIEW = Function("getUserAccountData(address)(uint256,uint256,uint256,uint256,uint256,uint256)")
EMODES = (c.EMODE_DATA, c.EMODE_CONFIG, c.EMODE_BITMAP)
PATHS = (Path.OVERRIDE, Path.INITCODE, Path.MULTICALL3, Path.SINGLE)
SIZE = 40
STRANGER = Address(actor("has nothing at all"))

PLANTED = {
    "reverts with a reason": "0x7f08c379a0" + "00" * 28 + "5f5260045ffd",
    "invalid opcode": "0xfe",
    "too wide": "0x5f195f5260205ff3",
    "31 bytes": "0x601f5ff3",
    "no code": "0x",
}
"""Code put where an aToken was."""


@dataclass(frozen=True)
class Crowd:
    """Accounts of one market, and a stranger."""

    world: World[Anvil]
    name: str
    owners: tuple[Address, ...]

    @property
    def root(self) -> Address:
        return checksum(self.world.book[self.name]["pool_addresses_provider"])

    def client(self, path: Path | None = None) -> Client:
        return client(self.world, path)

    def columns(self, path: Path | None = None, **kwargs: Any) -> Columns:
        with self.client(path) as chain:
            snapshot = chain.snapshot(chain.head())
            return snapshot.bulk(read_columns(self.root, self.owners, snapshot.at, **kwargs))

    def positions(self) -> dict[Address, Position]:
        """Return what the adapter says, by owner; whoever has nothing is absent."""
        with self.client() as chain:
            snapshot = chain.snapshot(chain.head())
            market = Market("aave-v3", self.name, self.root, {})
            reading = snapshot.run(AaveV3().read(market, self.owners, snapshot.at))
        return {p.owner: p for p in reading.positions if isinstance(p, Position)}


def client(world: World[Any], path: Path | None = None) -> Client:
    multicall3 = checksum(world.book["multicall3"]["address"])
    spec = ChainSpec("world", world.node.chain_id, (world.node.url,), multicall3=multicall3)
    return connect(spec, path=path)


@pytest.fixture(scope="module", params=["aave-3.0", "aave-3.6"])
def crowd(request: pytest.FixtureRequest, anvil: World[Anvil]) -> Iterator[Crowd]:
    with anvil.node.rollback():
        users = random_accounts(anvil, 11, SIZE, request.param)
        anvil.node.travel(20 * 86_400)
        feeds.refresh_feeds(anvil)
        tokens.mint(anvil, "USDC", users[3], 123_456)
        anvil.node.mine()
        yield Crowd(anvil, request.param, (*map(Address, users), STRANGER))


def same(one: Columns, other: Columns) -> None:
    """Demand equality to the last bit."""
    arrays = ("accounts", "configuration", "emode", "account", "reserve", "kind", "hi", "lo")
    for name in arrays:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for name in ("reserves", "emodes", "unknown", "incomplete", "rules", "liquidation_allowed",
                 "base_decimals", "notes", "health_only"):  # fmt: skip
        assert getattr(one, name) == getattr(other, name), name


@pytest.mark.parametrize("health_only", [False, True])
def test_columns__every_path__are_the_same(crowd: Crowd, health_only: bool) -> None:
    wallet = not health_only
    first, *others = (crowd.columns(path, health_only=health_only, wallet=wallet) for path in PATHS)
    for other in others:
        same(first, other)
    assert first.unknown == first.incomplete == {}
    assert (Kind.WALLET in first.kind) is wallet


def test_account_state__of_everybody__is_the_adapters(crowd: Crowd) -> None:
    columns, positions = crowd.columns(), crowd.positions()
    assert len(positions) == SIZE
    for row, owner in enumerate(crowd.owners):
        state = columns.account_state(row)
        if owner in positions:
            assert state == positions[owner].state
        else:
            assert state.holdings == ()
    kinds = set(columns.kind.tolist())
    assert {Kind.SUPPLY, Kind.DEBT} <= kinds
    if crowd.name == "aave-3.0":
        assert {Kind.STABLE, Kind.STABLE_RATE, Kind.STABLE_SINCE} <= kinds


def test_columns__wallet__are_the_tokens_balances(crowd: Crowd) -> None:
    columns = crowd.columns(wallet=True)
    reads, found = [], {}
    for i in np.nonzero(columns.kind == Kind.WALLET)[0].tolist():
        amount = int(columns.hi[i]) << 64 | int(columns.lo[i])
        found[int(columns.account[i]), int(columns.reserve[i])] = amount
    for row, owner in enumerate(crowd.owners):
        for place, reserve in enumerate(columns.reserves):
            reads.append(((row, place), BALANCE.at(reserve.asset, owner)))
    with crowd.client(Path.SINGLE) as chain:
        results = chain.snapshot(chain.head()).read([read for _, read in reads])
    truth = {cell: BALANCE.decode(r) for (cell, _), r in zip(reads, results, strict=True)}
    assert found == {cell: amount for cell, amount in truth.items() if amount}


def test_columns__health_only_without_sources__give_the_pools_health(crowd: Crowd) -> None:
    columns = crowd.columns(health_only=True, sources=False)
    pool = checksum(crowd.world.book[crowd.name]["pool"])
    with crowd.client(Path.SINGLE) as chain:
        results = chain.snapshot(chain.head()).read([VIEW.at(pool, o) for o in crowd.owners])
    for row, result in enumerate(results):
        state = columns.account_state(row)
        assert isinstance(state, AaveAccount)
        sums = totals(lines(state, state.timestamp), state.rules, {})
        collateral, debt, *_, sound = VIEW.decode(result)
        assert (sums.collateral, sums.debt) == (collateral, debt)
        assert health(sums, state.rules) == sound


@pytest.mark.parametrize("path", [Path.OVERRIDE, Path.INITCODE])
def test_columns__many_small_runs__are_the_same(crowd: Crowd, path: Path) -> None:
    whole = crowd.columns(wallet=True)
    with crowd.client(path) as chain:
        limits = chain.pool.endpoints[0].limits
        limits.lenses["lending_lens mode 2"] = Chunker(ceiling=3, size=3, known=True)
        snapshot = chain.snapshot(chain.head())
        owners = whole.accounts
        same(whole, snapshot.bulk(read_columns(crowd.root, owners, snapshot.at, wallet=True)))
        limits.lenses.clear()
        limits.gas = 5_200_000  # too little for all at once
        same(whole, snapshot.bulk(read_columns(crowd.root, owners, snapshot.at, wallet=True)))
        assert limits.lenses["lending_lens mode 2"].size < 60


def test_columns__warm_health__are_one_round(crowd: Crowd) -> None:
    with crowd.client() as chain:
        snapshot = chain.snapshot(chain.head())
        read = read_columns(crowd.root, crowd.owners, snapshot.at, health_only=True, sources=False)
        step = next(read)
        assert not step.reads
        assert step.lens is not None
        snapshot.lens(step.lens)
        found = snapshot.lens(step.lens)  # the endpoint is known now: all of the accounts
        after = read.send(Answers((), found))
        assert after.lens is None
        assert {asked.data[:4] for asked in after.reads if isinstance(asked, Call)} <= {
            e.selector for e in EMODES
        }


@pytest.mark.parametrize("what", PLANTED)
def test_columns__a_token_that_misbehaves__spoils_its_own_cells_alike_on_every_path(
    crowd: Crowd, what: str
) -> None:
    before = crowd.columns()
    place = next(i for i, r in enumerate(before.reserves) if r.symbol == "USDC")
    a_token = crowd.world.book[crowd.name]["tokens"]["USDC"]["a_token"]
    with crowd.world.node.rollback():
        crowd.world.node.set_code(a_token, PLANTED[what])
        crowd.world.node.mine()
        first, *others = (crowd.columns(path, sources=False) for path in PATHS)
        positions = crowd.positions()
    for other in others:
        same_but_prices(first, other)
    flagged = {row for row in range(len(first)) if first.configuration_of(row) >> 2 * place & 3}
    assert set(first.unknown) == flagged
    assert set(first.incomplete) == set(range(len(first))) - flagged
    for row, owner in enumerate(crowd.owners):
        if owner not in positions:
            continue
        if row in flagged and what != "too wide":
            assert positions[owner].state is None
            cause = first.unknown[row].partition(": ")[2]
            assert f"USDC: {cause}" in positions[owner].unknown
    kept = before.reserve != place
    touched = first.reserve != place
    for name in ("account", "reserve", "kind", "hi", "lo"):
        assert np.array_equal(getattr(before, name)[kept], getattr(first, name)[touched])


def same_but_prices(one: Columns, other: Columns) -> None:
    """Demand equality of all but the reserves, whose names and feeds one path looks up."""
    for name in ("configuration", "emode", "account", "reserve", "kind", "hi", "lo"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert set(one.unknown) == set(other.unknown)
    assert set(one.incomplete) == set(other.incomplete)


def test_columns__a_feed_that_reverts__makes_whoever_needs_it_unknown(crowd: Crowd) -> None:
    feed = crowd.world.book.feeds[str(crowd.world.book.tokens["WBTC"].feed)].proxy
    with crowd.world.node.rollback():
        crowd.world.node.set_code(feed, "0xfe")
        crowd.world.node.mine()
        first, *others = (crowd.columns(path) for path in PATHS)
        positions = crowd.positions()
    for other in others:
        same(first, other)
    without = {owner for owner, p in positions.items() if p.state is None}
    assert without
    assert {first.address(row) for row in first.unknown} == without


def test_columns__an_e_mode_with_a_price_of_its_own__is_the_adapters(crowd: Crowd) -> None:
    if crowd.name != "aave-3.0":
        return  # later releases have none
    world, name = crowd.world, crowd.name
    weth, usdt = (world.book.tokens[symbol] for symbol in ("WETH", "USDT"))
    with world.node.rollback():
        change = aave.configurator(world, name)
        for number, terms, source in (
            (1, (9700, 9750, 10100), usdt),
            (2, (9000, 9300, 10100), weth),
        ):
            change.send(world.book.admin, "setEModeCategory", number, *terms, source.address, "x")
        world.node.set_code(world.book.feeds[str(usdt.feed)].proxy, "0xfe")
        world.node.mine()
        first, *others = (crowd.columns(path) for path in PATHS)
        positions = crowd.positions()
    for other in others:
        same(first, other)
    assert first.emodes[2].quote is not None
    assert 1 not in first.emodes  # the price of its own reverts
    for row, owner in enumerate(crowd.owners[:-1]):
        state = None if row in first.unknown else first.account_state(row)
        assert state == positions[owner].state


def test_read_columns__accounts_that_the_lens_missed__are_read_one_by_one(crowd: Crowd) -> None:
    whole = crowd.columns()
    with crowd.client() as chain:
        snapshot = chain.snapshot(chain.head())
        program = read_columns(crowd.root, crowd.owners, snapshot.at)
        step = next(program)
        try:
            while True:
                found = snapshot.lens(step.lens) if step.lens else None
                if isinstance(found, Chunks) and found.count < len(crowd.owners) - 1:
                    (chunk,) = found.chunks
                    found = Chunks((), ((0, found.count, "lost"),), found.count)
                    if chunk.first == 0 and step.lens and step.lens.opening:
                        found = Chunks((chunk,), (), chunk.done)
                answers = Answers(snapshot.read(step.reads) if step.reads else (), found)
                step = program.send(answers)
        except StopIteration as stop:
            same(whole, stop.value)


@pytest.mark.parametrize("health_only", [False, True])
def test_lens__without_gas_for_its_quick_loop__writes_the_same(
    crowd: Crowd, health_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, runs, decode = crowd.columns(health_only=health_only), [], lens.decode

    def noted(chunk: Chunk, offset: int = 0) -> lens.Run:
        runs.append(decode(chunk, offset))
        return runs[-1]

    monkeypatch.setattr(lens, "FLOOR", 30_000_000)  # the loop wants four times as much
    monkeypatch.setattr(lens, "decode", noted)
    same(quick, crowd.columns(Path.OVERRIDE, health_only=health_only))
    assert sum(run.done for run in runs) == len(crowd.owners)


def test_read_columns__two_reserves_of_one_id__are_read_by_functions(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, decode = crowd.columns(), lens.decode

    def told_otherwise(chunk: Chunk, offset: int = 0) -> lens.Run:
        run = decode(chunk, offset)
        twin = replace(run.reserves[1], id=run.reserves[0].id)
        return replace(run, reserves=(run.reserves[0], twin, *run.reserves[2:]))

    monkeypatch.setattr(lens, "decode", told_otherwise)
    same(whole, crowd.columns())


def test_read_columns__no_market_there__says_so(crowd: Crowd) -> None:
    with crowd.client() as chain:
        snapshot = chain.snapshot(chain.head())
        with pytest.raises(ReadFailed, match="no PoolAddressesProvider at"):
            snapshot.bulk(read_columns(STRANGER, crowd.owners, snapshot.at))


def test_read_columns__nobody__is_a_market_without_accounts(crowd: Crowd) -> None:
    with crowd.client() as chain:
        snapshot = chain.snapshot(chain.head())
        columns = snapshot.bulk(read_columns(crowd.root, (), snapshot.at))
    assert len(columns) == len(columns.account) == 0
    assert columns.reserves == crowd.columns().reserves


@pytest.mark.parametrize("name", ["aave-3.0", "aave-3.6"])
def test_tester__in_process_evm__every_path_is_the_same(tester: Any, name: str) -> None:
    user = tester.book.accounts[6]
    tokens.mint(tester, "WETH", user, 10**19)
    aave.supply(tester, name, user, "WETH", 5.0)
    aave.borrow(tester, name, user, "USDC", 1000.0)
    root = checksum(tester.book[name]["pool_addresses_provider"])
    owners = [checksum(user), checksum(tester.book.whale), STRANGER]
    found = []
    for path in (Path.OVERRIDE, Path.INITCODE, Path.SINGLE):
        with client(tester, path) as chain:
            snapshot = chain.snapshot(chain.head())
            found.append(snapshot.bulk(read_columns(root, owners, snapshot.at, sources=False)))
    for other in found[1:]:
        same_but_prices(found[0], other)
    assert {int(k) for k in found[0].kind} == {Kind.SUPPLY, Kind.DEBT}
