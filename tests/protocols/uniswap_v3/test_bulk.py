"""Columns hold the very positions that the adapter finds, whichever way the reads travel."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from world.actors import uniswap
from world.anvil import Anvil
from world.world import World, actor

from chain.bulk import Answers, Bulk, Chunks, NoLens, Step
from chain.calls import ReadFailed
from chain.chunks import Chunker
from chain.client import Client
from chain.endpoint import Path
from chain.types import Address, checksum
from protocols.types import Position, Reading
from protocols.uniswap_v3 import bulk, lens, plain
from protocols.uniswap_v3 import contracts as c
from protocols.uniswap_v3.bulk import read_columns
from protocols.uniswap_v3.columns import Columns
from protocols.uniswap_v3.facts import Nft, Pool
from tests.protocols.prices.build import AT, NO
from tests.protocols.uniswap_v3 import setting
from tests.protocols.uniswap_v3 import test_adapter as made
from tests.protocols.uniswap_v3.test_lens import PATHS, PLANTED, POOLS, STRANGER, client, read


@dataclass(frozen=True)
class Scene:
    """Owners of NFTs, one of them of more than a page."""

    world: World[Anvil]
    owners: tuple[Address, ...]

    def columns(self, path: Path | None = None) -> Columns:
        with client(self.world, path) as chain:
            return columns(chain, self.world, self.owners)

    def reading(self) -> Reading:
        return read(self.world, self.owners)


def columns(chain: Client, world: World[Any], owners: Sequence[Address]) -> Columns:
    snapshot = chain.snapshot(chain.head())
    return snapshot.bulk(read_columns(setting.market(world), owners, snapshot.at))


@pytest.fixture(scope="module")
def scene(anvil: World[Anvil]) -> Iterator[Scene]:
    rng = random.Random(6)
    with anvil.node.rollback():
        people = [Address(checksum(actor(f"bulk provider {n}"))) for n in range(12)]
        anvil.node.fund(people)
        for name in POOLS:
            setting.provide(anvil, rng, name, people[1:], 12)
            setting.trade(anvil, rng, name, 2)
        setting.provide(anvil, rng, POOLS[0], people[:1], 67)
        (first, *_) = setting.read(anvil, people[:1]).positions
        assert isinstance(first, Position)
        state = setting.state_of(first)
        anvil.node.send(uniswap.decrease_tx(anvil, people[0], state.token_id, state.liquidity))
        anvil.node.mine()
        yield Scene(anvil, (*people, STRANGER))


def same(found: Columns, reading: Reading) -> None:
    """Demand of the columns exactly the positions of a reading, and its complaints' owners."""
    made, missing = [], set(found.unknown)
    for row in range(len(found)):
        try:
            made.append(found.position(row))
        except ReadFailed:
            missing.add(int(found.account[row]))
    wanted = [p for p in reading.positions if isinstance(p, Position)]
    assert [str(p) for p in made] == [str(p) for p in wanted]
    complaints = {p.owner for p in reading.positions if not isinstance(p, Position)}
    assert {found.address(n) for n in missing} == complaints


@pytest.mark.parametrize("path", PATHS)
def test_columns__every_path__are_the_adapters_positions(scene: Scene, path: Path) -> None:
    found = scene.columns(path)
    assert len(found) > 100
    same(found, scene.reading())


def test_columns__arrays__say_what_the_positions_say(scene: Scene) -> None:
    found = scene.columns()
    states = [setting.state_of(found.position(row)) for row in range(len(found))]
    assert found.token_id.tolist() == [s.token_id for s in states]
    assert found.ticks[0].tolist() == [s.tick_lower for s in states]
    assert found.ticks[1].tolist() == [s.tick_upper for s in states]
    assert found.in_range.tolist() == [s.in_range for s in states]
    high, low = found.liquidity.T.tolist()
    assert [h << 64 | part for h, part in zip(high, low, strict=True)] == [
        s.liquidity for s in states
    ]
    assert len(set(found.in_range.tolist())) == 2


def test_columns__owners_as_bytes_in_small_runs__are_the_same(scene: Scene) -> None:
    whole = scene.columns()
    with client(scene.world) as chain:
        limits = chain.pool.endpoints[0].limits
        for mode in ("first", "pages"):
            limits.lenses[f"{lens.PROGRAM} {mode}"] = Chunker(ceiling=3, size=3, known=True)
        snapshot = chain.snapshot(chain.head())
        program = read_columns(setting.market(scene.world), whole.accounts, snapshot.at)
        parts = snapshot.bulk(program)
    assert [parts.position(row) for row in range(len(parts))] == [
        whole.position(row) for row in range(len(whole))
    ]


@pytest.mark.parametrize("what", ["reverts with a reason", "all ones, for long", "no code"])
@pytest.mark.parametrize("where", ["pool", "token"])
def test_columns__a_contract_that_misbehaves__is_told_alike_on_every_path(
    scene: Scene, where: str, what: str
) -> None:
    world = scene.world
    pool = setting.contract(world, POOLS[1]).address
    with world.node.rollback():
        code = PLANTED[what]
        world.node.set_code(pool if where == "pool" else world.book.tokens["USDT"].address, code)
        world.node.mine()
        reading = scene.reading()
        for path in PATHS:
            same(scene.columns(path), reading)


@pytest.mark.parametrize("bad", [False, True])
def test_columns__a_range_that_cannot_be_read__is_a_row_without_fees(bad: bool) -> None:
    answers = made.SOUND | ({c.POOL_POSITIONS.at(made.POINTER, made.KEY): NO} if bad else {})
    program = read_columns(made.MARKET, [made.ALICE], AT)
    step = next(program)
    reply = Answers((), NoLens("none"))
    try:
        while True:
            step = program.send(reply)
            reply = Answers([answers.get(read, NO) for read in step.reads], None)
    except StopIteration as stop:
        found: Columns = stop.value
    assert bool(found.without_fees) is bad
    changes = [(read, answer) for read, answer in answers.items() if answer == NO]
    assert found.position(0) == made.position(*changes)


def test_columns__a_number_over_64_bits__is_unknown() -> None:
    found = bulk.Gathering(made.MARKET, np.zeros((1, 20), np.uint8))
    nft = Nft(made.ALICE, 1 << 64, made.T0, made.T1, 500, 0, 1, 1, 0, 0, 0, 0)
    pool = Pool(made.POOL, None, None, (), 0, 0, (0, 0), None, None)  # type: ignore[arg-type]
    found.take((0, 0), nft, pool, ReadFailed("no"))
    columns = found.columns(AT)
    assert len(columns) == 0
    assert columns.unknown == {0: f"token {1 << 64}: its number is over 64 bits"}


def answered(program: Bulk[Columns], found: Chunks, snapshot: Any) -> Columns:
    """Answer the first lens with `found`, and everything else truly."""
    step: Step = next(program)
    answers = Answers((), found)
    try:
        while True:
            step = program.send(answers)
            lensed = snapshot.lens(step.lens) if step.lens else None
            answers = Answers(snapshot.read(step.reads) if step.reads else (), lensed)
    except StopIteration as stop:
        value: Columns = stop.value
        return value


def test_columns__owners_the_lens_missed__are_read_one_by_one_up_to_a_bound(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(scene.owners)
    lost = Chunks((), ((0, count, "lost"),), count)
    with client(scene.world) as chain:
        snapshot = chain.snapshot(chain.head())
        market = setting.market(scene.world)
        program = read_columns(market, scene.owners, snapshot.at)
        same(answered(program, lost, snapshot), scene.reading())
        monkeypatch.setattr(bulk, "ALONE", 3)
        program = read_columns(market, scene.owners, snapshot.at)
        found = answered(program, lost, snapshot)
    assert set(found.account.tolist()) <= {0, 1, 2}
    assert found.unknown == dict.fromkeys(range(3, count), "lost")


def test_columns__more_nfts_than_are_read__is_said(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "MOST", 65)
    for path in PATHS[:3]:
        found = scene.columns(path)
        assert int((found.account == 0).sum()) == 65
        assert found.unknown == {0: "67 tokens, of which only 65 are read"}


def test_columns__nobody_or_no_manager__is_nothing_or_said(scene: Scene) -> None:
    with client(scene.world) as chain:
        assert len(columns(chain, scene.world, ())) == 0
        snapshot = chain.snapshot(chain.head())
        market = setting.market(scene.world)
        wrong = type(market)(market.adapter, market.name, STRANGER, {})
        with pytest.raises(ReadFailed, match="no position manager at"):
            snapshot.bulk(read_columns(wrong, scene.owners, snapshot.at))


def test_tester__in_process_evm__every_path_is_the_same(tester: Any) -> None:
    owner = Address(tester.book.accounts[6])
    a, b = uniswap.in_order(tester, "WETH", "USDC")
    tick = uniswap.sqrt_price_and_tick(tester, a, b, 500)[1] // 10 * 10
    for width in (10, 500):
        uniswap.mint(tester, owner, a, b, 500, tick - width, tick + width, 10**16, 10**10)
    for path in (Path.OVERRIDE, Path.INITCODE, Path.SINGLE):
        with client(tester, path) as chain:
            found = columns(chain, tester, [owner, STRANGER])
        same(found, read(tester, [owner, STRANGER], Path.SINGLE))
        assert np.array_equal(found.account, [0, 0])


EMPTY = bytes(8) + bytes(lens.ITEM_ROW.size) + bytes(21) + b"\1\0\0"


@pytest.mark.parametrize("cut", range(len(EMPTY)))
def test_decode__cut_anywhere__is_misshapen(cut: int) -> None:
    assert lens.decode(EMPTY, 1, 1).items == ((0, 0, 0),)
    with pytest.raises(lens.Misshapen):
        lens.decode(EMPTY[:cut], 1, 1)


@pytest.mark.parametrize(("item", "pool"), [(1, lens.NO_POOL), (2**32 - 1, lens.NO_POOL), (0, 0)])
def test_decode__an_nft_of_nobody_or_in_no_pool__is_misshapen(item: int, pool: int) -> None:
    def answer(item: int, pool: int) -> bytes:
        fields = list(lens.NFT.unpack(bytes(lens.NFT.size)))
        fields[0], fields[4] = item, pool
        return b"\0\0\0\1" + EMPTY[4:18] + lens.NFT.pack(*fields) + EMPTY[18:]

    assert len(lens.decode(answer(0, lens.NO_POOL), 1, 1).nfts) == lens.NFT.size
    with pytest.raises(lens.Misshapen):
        lens.decode(answer(item, pool), 1, 1)
