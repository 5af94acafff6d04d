"""The lens says what ordinary reads say, to the last bit, whichever way it travels."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from world.actors import uniswap
from world.anvil import Anvil
from world.world import World, actor

from chain.calls import Ok, Read, Reads, Result, Run
from chain.client import ChainSpec, Client, connect
from chain.endpoint import Path
from chain.types import Address, checksum
from protocols.types import Position, Reading
from protocols.uniswap_v3 import UniswapV3
from tests.protocols.uniswap_v3 import setting

PATHS = (Path.OVERRIDE, Path.INITCODE, Path.MULTICALL3, Path.SINGLE)
POOLS = ("WETH/USDC/500", "WETH/USDC/3000", "USDC/USDT/100")
STRANGER = Address(actor("has no NFTs"))

PLANTED = {
    "reverts with a reason": "0x7f08c379a0" + "00" * 28 + "5f5260045ffd",
    "invalid opcode": "0xfe",
    "all ones": "0x5f195f5260205ff3",
    "all ones, for long": "0x5f195f525f196020525f196040525f196060526101805ff3",
    "31 bytes": "0x601f5ff3",
    "ten thousand bytes": "0x6127105ff3",
    "burns all gas": "0x5f5f1952",  # writes to the end of memory: an endless loop without the wait
    "no code": "0x",
}
"""Code put where a contract was."""


def client(world: World[Any], path: Path | None = None) -> Client:
    multicall3 = checksum(world.book["multicall3"]["address"])
    spec = ChainSpec("world", world.node.chain_id, (world.node.url,), multicall3=multicall3)
    return connect(spec, path=path)


def read(world: World[Any], owners: Sequence[Address], path: Path | None = None) -> Reading:
    with client(world, path) as chain:
        snapshot = chain.snapshot(chain.head())
        return snapshot.run(UniswapV3().read(setting.market(world), owners, snapshot.at))


@dataclass(frozen=True)
class Scene:
    """Owners of many NFTs."""

    world: World[Anvil]
    owners: tuple[Address, ...]

    def read(self, path: Path | None = None) -> Reading:
        return read(self.world, self.owners, path)


@pytest.fixture(scope="module")
def scene(anvil: World[Anvil]) -> Iterator[Scene]:
    rng = random.Random(5)
    with anvil.node.rollback():
        owners = setting.users(5, anvil)
        for name in POOLS:
            setting.provide(anvil, rng, name, owners, 14)
            setting.trade(anvil, rng, name, 3)
        held = [p for p in setting.read(anvil, owners).positions if isinstance(p, Position)]
        for position in held[:4]:
            state = setting.state_of(position)
            anvil.node.send(
                uniswap.decrease_tx(anvil, position.owner, state.token_id, state.liquidity)
            )
        anvil.node.send(
            uniswap.collect_tx(anvil, held[0].owner, setting.state_of(held[0]).token_id)
        )
        anvil.node.mine()
        yield Scene(anvil, (*owners, STRANGER))


def counted(program: Reads[Reading]) -> tuple[list[Sequence[Read]], Reads[Reading]]:
    """Note the batches of a program."""
    batches: list[Sequence[Read]] = []

    def noting() -> Reads[Reading]:
        results: Sequence[Result] | None = None
        try:
            while True:
                batch = next(program) if results is None else program.send(results)
                batches.append(batch)
                results = yield batch
        except StopIteration as stop:
            value: Reading = stop.value
            return value

    return batches, noting()


def test_read__every_path__is_the_same(scene: Scene) -> None:
    first, *others = (scene.read(path) for path in PATHS)
    assert len(first.positions) > 35
    assert [p for p in first.positions if not isinstance(p, Position) or p.unknown] == []
    for other in others:
        assert other == first


def test_read__with_a_lens__is_one_run_in_one_post(scene: Scene) -> None:
    with client(scene.world) as chain:
        snapshot = chain.snapshot(chain.head())
        program = UniswapV3().read(setting.market(scene.world), scene.owners, snapshot.at)
        batches, program = counted(program)
        assert snapshot.run(program) == scene.read(Path.SINGLE)
        assert snapshot.stats.posts == 1
    ((run,),) = batches
    assert isinstance(run, Run)


@pytest.mark.parametrize(
    ("where", "what"),
    [
        *(("pool", what) for what in PLANTED),
        *(("token", what) for what in ("all ones", "ten thousand bytes", "burns all gas")),
        ("factory", "all ones"),
        ("factory", "no code"),
    ],
)
def test_read__a_contract_that_misbehaves__is_told_alike_on_every_path(
    scene: Scene, where: str, what: str
) -> None:
    world = scene.world
    places = {
        "pool": checksum(setting.contract(world, POOLS[1]).address),
        "token": checksum(world.book.tokens["USDT"].address),
        "factory": world.book["uniswap-v3"]["factory"],
    }
    before = read(world, scene.owners)
    with world.node.rollback():
        world.node.set_code(places[where], PLANTED[what])
        world.node.mine()
        first, *others = (read(world, scene.owners, path) for path in PATHS)
    for other in others:
        assert other == first
    untouched = {
        p.id for p in before.positions
        if isinstance(p, Position) and where != "factory"
        and setting.state_of(p).pool != places["pool"]
        and all(leg.token.address != places["token"] for leg in p.legs)
    }  # fmt: skip
    found = {p.id for p in first.positions if isinstance(p, Position) and not p.unknown}
    assert untouched <= found
    assert first.positions != before.positions


def test_read__little_gas__is_read_in_several_runs(scene: Scene) -> None:
    whole = scene.read(Path.SINGLE)
    for gas in (4_000_000, 2_500_000, 900_000):
        with client(scene.world, Path.OVERRIDE) as chain:
            chain.pool.endpoints[0].limits.gas = gas
            snapshot = chain.snapshot(chain.head())
            program = UniswapV3().read(setting.market(scene.world), scene.owners, snapshot.at)
            batches, program = counted(program)
            assert snapshot.run(program) == whole
        assert len(batches) > 1


def test_read__more_nfts_than_one_page__are_all_found(world: World[Anvil]) -> None:
    owner = Address(actor("has many NFTs"))
    world.node.fund([owner])
    tick = setting.tick_of(world, POOLS[0]) // 10 * 10
    txs = [
        tx
        for n in range(67)
        for tx in setting.mint_txs(
            world, POOLS[0], owner, tick - 10 * n - 10, tick + 10, (10**12, 10**6)
        )
    ]
    setting.send(world, txs)
    owners = [STRANGER, owner]
    with client(world) as chain:
        snapshot = chain.snapshot(chain.head())
        program = UniswapV3().read(setting.market(world), owners, snapshot.at)
        batches, program = counted(program)
        found = snapshot.run(program)
    assert [len(batch) for batch in batches] == [1, 1]
    assert len(found.positions) == 67
    assert found == read(world, owners, Path.SINGLE) == read(world, owners, Path.MULTICALL3)


@pytest.mark.parametrize("lie", ["cut", "empty", "count", "done"])
def test_read__an_answer_that_is_no_answer__is_read_by_ordinary_reads(
    scene: Scene, lie: str
) -> None:
    def told(data: bytes) -> bytes:
        return {
            "cut": data[: len(data) // 2],
            "empty": b"",
            "count": data[:4] + b"\xff" * 8 + data[12:],
            "done": b"\xff" * 4 + data[4:],
        }[lie]

    whole = scene.read()
    with client(scene.world) as chain:
        snapshot = chain.snapshot(chain.head())
        program = UniswapV3().read(setting.market(scene.world), scene.owners, snapshot.at)

        def falsely() -> Reads[Reading]:
            batch = next(program)
            try:
                while True:
                    results = yield batch
                    batch = program.send([
                        Ok(told(result.data)) if isinstance(read, Run) and isinstance(result, Ok)
                        else result for read, result in zip(batch, results, strict=True)
                    ])  # fmt: skip
            except StopIteration as stop:
                value: Reading = stop.value
                return value

        assert snapshot.run(falsely()) == whole


def test_tester__in_process_evm__every_path_is_the_same(tester: Any) -> None:
    owner = Address(tester.book.accounts[6])
    a, b = uniswap.in_order(tester, "WETH", "USDC")
    tick = uniswap.sqrt_price_and_tick(tester, a, b, 500)[1] // 10 * 10
    for width in (10, 500):
        uniswap.mint(tester, owner, a, b, 500, tick - width, tick + width, 10**16, 10**10)
    found = [read(tester, [owner, STRANGER], path) for path in (*PATHS[:2], Path.SINGLE)]
    assert len(found[0].positions) == 2
    assert found[0] == found[1] == found[2]
