"""Every adapter says the same by every read path, word for word, whatever the contracts answer.

Single calls made by other code (tests/support/referee.py) are the truth. On anvil and, without
anvil, on py-evm; its state is anvil's, because it cannot act for accounts without keys.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import cycle, islice

import pytest
from world.anvil import Anvil
from world.node import Node
from world.world import World, actor

import protocols
from chain.calls import ReadFailed, Run
from chain.endpoint import Path
from chain.types import Address, checksum
from protocols.adapter import Adapter
from protocols.registry import ADAPTERS, BY_NAME
from protocols.types import Position, Reading, Unreadable
from tests.protocols.conformance.nasty import NASTY
from tests.protocols.conformance.people import Peopled, peopled
from tests.protocols.conformance.readers import READERS, UNKNOWN

pytestmark = pytest.mark.world

PATHS = {"anvil": tuple(Path), "tester": tuple(path for path in Path if path != Path.OVERRIDE)}
EACH = 2
"""Ugly answers that each contract is made to give, a different pair for each."""
every_reader = pytest.mark.parametrize("name", READERS)
every_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)


@pytest.fixture(scope="module")
def on_anvil(anvil: World[Anvil]) -> Iterator[Peopled]:
    with peopled(anvil) as people:
        yield people


@pytest.fixture(scope="module")
def on_tester(anvil: World[Anvil], on_anvil: Peopled) -> Iterator[Peopled]:
    # Here, because py-evm takes seconds to import; it is slow, too.
    from world.tester import copied

    with copied(anvil) as world:
        for stage in on_anvil.stages.values():
            if stage.renumber is not None:
                stage.renumber(world)
        yield Peopled(world, on_anvil.stages, on_anvil.people).one()


@pytest.fixture(params=PATHS)
def crowd(request: pytest.FixtureRequest) -> Peopled:
    found: Peopled = request.getfixturevalue(f"on_{request.param}")
    return found


def same(crowd: Peopled, adapter: Adapter) -> Reading | None:
    """Demand of every path the referee's reading, and its answer to every read."""
    truth, words = crowd.truth(adapter)
    for path in PATHS[crowd.kind]:
        told, heard = crowd.told(adapter, path)
        for read, result in heard.items():
            if not isinstance(read, Run):  # what a lens says is seen in the reading
                # After a lens other things may be asked than without.
                truly = words[read] if read in words else crowd.word(read)
                assert result == truly, (path, read)
        assert str(told) == str(truth), path
    return truth if isinstance(truth, Reading) else None


@contextmanager
def planted(node: Node, codes: Mapping[Address, str]) -> Iterator[None]:
    """Put code where contracts were, for a while."""
    taken = node.rpc.request("evm_snapshot")
    for where, code in codes.items():
        node.rpc.request("anvil_setCode", where, code)
    node.rpc.request("evm_mine")
    try:
        yield
    finally:
        node.rpc.request("evm_revert", taken)


@every_adapter
def test_read__random_accounts__every_path_gives_the_same_words(
    crowd: Peopled, adapter: Adapter
) -> None:
    reading = same(crowd, adapter)
    assert reading is not None
    owners = {p.owner for p in reading.positions if isinstance(p, Position) and not p.unknown}
    assert owners & set(crowd.people[adapter.name]) - set(crowd.stages[adapter.name].accounts)


@every_adapter
def test_read__contracts_that_misbehave__every_path_gives_the_same_words(
    on_anvil: Peopled, adapter: Adapter
) -> None:
    crowd, ugly = on_anvil.one(), cycle(NASTY.items())
    for plant in crowd.stages[adapter.name].plants:
        for how, code in islice(ugly, EACH):
            with planted(crowd.world.node, {plant.address: code}):
                try:
                    same(crowd, adapter)
                except AssertionError as error:
                    raise AssertionError(f"{plant.label} {how}: {error}") from error


def test_read__a_wallet_of_ugly_tokens__every_path_gives_the_same_words(crowd: Peopled) -> None:
    tokens = {checksum(actor(how)): code for how, code in NASTY.items()}
    sound = crowd.stages["wallet"].market.params["tokens"]
    with planted(crowd.world.node, tokens):
        crowd = crowd.listing((*tokens, *sound))
        reading = same(crowd, BY_NAME["wallet"])
        assert all(as_the_adapter(crowd, "wallet"))
    assert reading is not None
    for position in reading.positions:
        assert isinstance(position, Position)
        assert len(position.unknown) >= len(NASTY) // 2


def test_readers__every_bulk_reader_there_is__is_compared() -> None:
    rooms = {adapter.name: adapter.name.replace("-", "_") for adapter in ADAPTERS}
    bulky = {name for name, room in rooms.items() if find_spec(f"{protocols.__name__}.{room}.bulk")}
    assert bulky == set(READERS)


def as_the_adapter(crowd: Peopled, name: str) -> list[object]:
    """Demand of every path what the adapter says by single calls; return it by account."""
    reader, market, accounts = READERS[name], crowd.stages[name].market, crowd.people[name]
    truth, _ = crowd.truth(BY_NAME[name])
    said: dict[Path, list[object]] = {}
    for path in PATHS[crowd.kind]:
        with crowd.client(path) as client:
            snapshot = client.snapshot(client.head())
            try:
                found = snapshot.bulk(reader.read(market, accounts, snapshot.at))
                said[path] = [reader.said(found, row) for row in range(len(accounts))]
            except ReadFailed as failure:
                said[path] = [failure.cause]
    first, *others = said.values()
    assert all(other == first for other in others), said
    if isinstance(truth, Reading):
        lost = {p.owner for p in truth.positions if isinstance(p, Unreadable)}
        known: dict[Address, list[Position]] = {account: [] for account in accounts}
        for position in truth.positions:
            if isinstance(position, Position):
                known[position.owner].append(position)
        assert first == [UNKNOWN if a in lost else reader.meant(known[a]) for a in accounts]
    return first


@every_reader
def test_bulk__random_accounts__is_what_the_adapter_says(crowd: Peopled, name: str) -> None:
    said = as_the_adapter(crowd, name)
    assert UNKNOWN not in said
    assert any(said)


@every_reader
def test_bulk__contracts_that_misbehave__is_what_the_adapter_says(
    on_anvil: Peopled, name: str
) -> None:
    ugly = cycle(NASTY.items())
    for plant in on_anvil.stages[name].plants:
        how, code = next(islice(ugly, 4, None))
        with planted(on_anvil.world.node, {plant.address: code}):
            try:
                as_the_adapter(on_anvil, name)
            except AssertionError as error:
                raise AssertionError(f"{plant.label} {how}: {error}") from error
