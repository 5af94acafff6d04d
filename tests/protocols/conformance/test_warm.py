"""Every adapter, read again with what it read last time sent ahead, over the chain's own client."""

from collections.abc import Callable

import pytest
from world.actors import market30
from world.anvil import Anvil
from world.world import World

from chain.calls import ReadFailed, Reads, gather
from chain.client import ChainSpec, Client, connect
from chain.endpoint import Path
from chain.prefetch import Foresight
from chain.types import Address, BlockRef
from protocols.aave_v3 import AaveV3
from protocols.types import Position, Reading
from protocols.uniswap_v3 import UniswapV3
from tests.protocols.aave_v3 import crowd
from tests.protocols.conformance.judge import Outcome
from tests.protocols.conformance.staging import Staged
from tests.protocols.uniswap_v3 import setting

REVERTING = "0x60006000fd"


def connected(world: World[Anvil], path: Path | None = None) -> Client:
    multicall3 = Address(world.book["multicall3"]["address"])
    spec = ChainSpec("world", world.node.chain_id, (world.node.url,), multicall3=multicall3)
    return connect(spec, path=path)


def posts(client: Client, memory: Foresight, program: Reads[Reading]) -> tuple[Outcome, int]:
    """Return what a run at the head gives, and how many POSTs it took beside the head's."""
    snapshot = client.snapshot(client.head())
    try:
        return snapshot.run(memory.ahead("it", program)), snapshot.stats.posts
    except ReadFailed as failure:
        return failure, snapshot.stats.posts


@pytest.mark.parametrize("path", [Path.OVERRIDE, Path.MULTICALL3], ids=lambda p: p.name.lower())
def test_ahead__second_run__is_the_same_reading_in_one_post(staged: Staged, path: Path) -> None:
    memory = Foresight()
    with connected(staged.world, path) as client:
        cold, first = posts(client, memory, staged.program())
        memory = Foresight.load(memory.dump())
        warm, second = posts(client, memory, staged.program())
    assert cold == warm == staged.truth
    assert second <= first
    if path is Path.OVERRIDE:
        assert second == 1


def test_ahead__a_contract_refuses_since__is_read_as_without_memory(staged: Staged) -> None:
    node = staged.world.node
    learned = Foresight()
    with connected(staged.world) as client:
        posts(client, learned, staged.program())
    for plant in staged.stage.plants:
        with node.rollback(), connected(staged.world) as client:
            node.set_code(plant.address, REVERTING)
            node.mine()
            at = client.head()
            cold, rounds = posts(client, Foresight(), staged.program(at))
            warm, fewer = posts(client, Foresight.load(learned.dump()), staged.program(at))
        assert str(warm) == str(cold)
        assert fewer <= rounds


Start = Callable[[BlockRef], Reads[Reading]]


def learn(world: World[Anvil], start: Start) -> Foresight:
    """Read once, and return what was remembered of it."""
    memory = Foresight()
    with connected(world) as client:
        posts(client, memory, start(client.head()))
    return memory


def compared(world: World[Anvil], memory: Foresight, start: Start) -> Reading:
    """Read at the head without the memory and with it; return the common result."""
    with connected(world) as client:
        cold, _ = posts(client, Foresight(), start(client.head()))
        warm, _ = posts(client, memory, start(client.head()))
        again, third = posts(client, memory, start(client.head()))
    assert isinstance(warm, Reading)
    assert warm == cold == again
    assert third == 1
    return warm


def aave(world: World[Anvil], name: str) -> Start:
    market, owners = crowd.market_of(world, name), [Address(world.book.whale)]
    return lambda at: AaveV3().read(market, owners, at)


def test_ahead__reserve_listed_since__is_read(world: World[Anvil]) -> None:
    memory = learn(world, aave(world, "aave-3.0"))
    added = market30.extend(world, 10).reserves[-1].asset
    reading = compared(world, memory, aave(world, "aave-3.0"))
    (position,) = (p for p in reading.positions if isinstance(p, Position))
    assert added in {leg.token.address for leg in position.legs}


def test_ahead__pool_replaced_since__is_read_from_the_new_one(world: World[Anvil]) -> None:
    start = aave(world, "aave-3.0")
    memory = learn(world, start)
    provider = world.contract(
        "aave-3.0/PoolAddressesProvider", world.book["aave-3.0"]["pool_addresses_provider"]
    )
    elsewhere = world.book["aave-3.6"]["pool"]
    provider.send(world.book.admin, "setAddress", b"POOL".ljust(32, b"\0"), elsewhere)
    (position,) = compared(world, memory, start).positions
    assert isinstance(position, Position)
    assert position.version != "rev 1"


def test_ahead__position_minted_since__is_read(world: World[Anvil]) -> None:
    (alice,) = setting.users(1, world)

    def start(at: BlockRef) -> Reads[Reading]:
        return UniswapV3().read(setting.market(world), [alice], at)

    def mint(name: str) -> None:
        spacing = setting.SPACING[int(name.split("/")[2])]
        tick = setting.tick_of(world, name) // spacing * spacing
        setting.mint(world, name, alice, tick - spacing, tick + spacing, (10**15, 10**15))

    mint("WETH/USDC/500")
    memory = learn(world, start)
    mint("WETH/USDC/3000")
    assert len(compared(world, memory, start).positions) == 2


def test_ahead__together_with_others__is_one_post(staged: Staged) -> None:
    memory = Foresight()
    with connected(staged.world) as client:
        for _ in range(2):
            snapshot = client.snapshot(client.head())
            programs = [staged.program(snapshot.at), staged.program(snapshot.at)]
            assert snapshot.run(memory.ahead("it", gather(programs))) == [staged.truth] * 2
    assert snapshot.stats.posts == 1
