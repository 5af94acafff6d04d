"""Reading from storage says what functions say, or says that it was not believed."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak
from world.actors import aave, feeds, tokens
from world.actors.crowd import random_accounts
from world.anvil import Anvil
from world.world import World

from chain.bulk import Answers, Bulk, NoLens, Step
from chain.endpoint import Path
from chain.types import Address, checksum
from protocols.aave_v3.bulk import read_columns
from protocols.aave_v3.columns import Columns, Kind, Way
from protocols.aave_v3.layouts import Layouts
from tests.protocols.aave_v3.test_bulk import (
    PLANTED,
    SIZE,
    STRANGER,
    Crowd,
    client,
    same,
    same_but_prices,
)

MARKETS = ("aave-3.0", "aave-3.6")
IMPLEMENTATION = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC
MODES: tuple[dict[str, Any], ...] = (
    {},
    {"wallet": True},
    {"health_only": True},
    {"health_only": True, "sources": False},
)


def scaled_balance(slot: int, tail: str) -> str:
    """Return code that answers everything with the low 128 bits at a mapping's slot, then `tail`.

    `tail` finds the account under the amount, and leaves one number.
    """
    load = (
        f"600435 80 600052 60{slot:02x}602052 60406000 20 54 6fffffffffffffffffffffffffffffffff 16"
    )
    return "0x" + (load + tail + "600052 60206000 f3").replace(" ", "")


LIES = "90 6003 16 15 15 01"
"""One more than it holds, for three accounts of four."""
TRUE = "90 50"


@pytest.fixture(scope="module", params=MARKETS)
def crowd(request: pytest.FixtureRequest, anvil: World[Anvil]) -> Iterator[Crowd]:
    with anvil.node.rollback():
        users = random_accounts(anvil, 17, SIZE, request.param)
        anvil.node.travel(20 * 86_400)
        feeds.refresh_feeds(anvil)
        tokens.mint(anvil, "USDC", users[3], 123_456)
        anvil.node.mine()
        yield Crowd(anvil, request.param, (*map(Address, users), STRANGER))


def a_token(crowd: Crowd, symbol: str = "USDC") -> Address:
    return checksum(crowd.world.book[crowd.name]["tokens"][symbol]["a_token"])


def by_function(columns: Columns) -> set[Way]:
    return {way for way in columns.ways if way.cause}


def put(crowd: Crowd, contract: Address, slot: int, owner: Address, word: int) -> None:
    """Write a word of a mapping."""
    key = keccak(bytes.fromhex(owner[2:]).rjust(32, b"\0") + slot.to_bytes(32, "big"))
    crowd.world.node.set_storage(contract, int.from_bytes(key, "big"), word)


@pytest.mark.parametrize("mode", MODES)
def test_storage__of_an_honest_market__is_the_same_cold_and_warm(
    crowd: Crowd, mode: dict[str, Any]
) -> None:
    layouts = Layouts()
    public = crowd.columns(**mode)
    for _ in range(2):
        found = crowd.columns(**mode, storage=layouts)
        same(public, found)
        assert by_function(found) == set()
        assert {way.kind for way in found.ways} == (
            {Kind.SUPPLY, Kind.DEBT, Kind.WALLET} if "wallet" in mode else {Kind.SUPPLY, Kind.DEBT}
        )
    assert public.ways == ()


def test_storage__warm__is_two_rounds_more_than_the_first(crowd: Crowd) -> None:
    layouts = Layouts()
    with crowd.client() as chain:
        rounds = []
        for _ in range(3):
            snapshot = chain.snapshot(chain.head())
            steps: list[Step] = []
            program = read_columns(
                crowd.root, crowd.owners, snapshot.at, sources=False, storage=layouts
            )
            snapshot.bulk(noted(program, steps))
            rounds.append(len(steps))
    emodes = 1  # which categories are in use is only known when the flags are
    assert rounds[-1] <= 3 + emodes
    assert rounds[0] > rounds[-1]


def noted(program: Bulk[Columns], steps: list[Step]) -> Bulk[Columns]:
    """Run a reader, and note its steps: a slow node may get one in several requests."""
    step = next(program)
    try:
        while True:
            steps.append(step)
            step = program.send((yield step))
    except StopIteration as stop:
        columns: Columns = stop.value
        return columns


@pytest.mark.parametrize("path", [Path.INITCODE, Path.MULTICALL3, Path.SINGLE])
def test_storage__no_code_overrides__is_read_by_functions_and_says_so(
    crowd: Crowd, path: Path
) -> None:
    found = crowd.columns(path, storage=Layouts())
    same(crowd.columns(), found)
    assert found.ways
    assert by_function(found) == set(found.ways)


def test_storage__a_function_that_says_otherwise__is_believed_instead(crowd: Crowd) -> None:
    liar, layouts = a_token(crowd), Layouts()
    crowd.columns(storage=layouts)
    with crowd.world.node.rollback():
        crowd.world.node.set_code(liar, scaled_balance(52, LIES))
        crowd.world.node.mine()
        public = crowd.columns(sources=False)
        for memory in (layouts, Layouts(), layouts):
            found = crowd.columns(sources=False, storage=memory)
            same_but_prices(public, found)
            (way,) = by_function(found)
            assert (way.contract, way.kind) == (liar, Kind.SUPPLY)


def test_storage__a_proxy_with_another_layout__is_looked_for_again(crowd: Crowd) -> None:
    token, layouts = a_token(crowd), Layouts()
    crowd.columns(storage=layouts)
    other = checksum("0x" + keccak(text="another implementation")[-20:].hex())
    with crowd.world.node.rollback():
        crowd.world.node.set_code(other, scaled_balance(33, TRUE))
        crowd.world.node.set_storage(token, IMPLEMENTATION, int(other, 16))
        for number, owner in enumerate(crowd.owners):
            put(crowd, token, 33, owner, (1 << 200) + 10**6 + number)
        crowd.world.node.mine()
        public = crowd.columns(sources=False)
        first = crowd.columns(sources=False, storage=layouts)
        second = crowd.columns(sources=False, storage=layouts)
    same_but_prices(public, first)
    same_but_prices(public, second)
    (way,) = by_function(first)
    assert way == Way(token, Kind.SUPPLY, "its implementation is not the one that was looked at")
    assert by_function(second) == set()


@pytest.mark.parametrize("what", PLANTED)
def test_storage__a_token_that_misbehaves__is_as_if_read_by_functions(
    crowd: Crowd, what: str
) -> None:
    token, layouts = a_token(crowd), Layouts()
    crowd.columns(storage=layouts)
    with crowd.world.node.rollback():
        crowd.world.node.set_code(token, PLANTED[what])
        crowd.world.node.mine()
        public = crowd.columns(sources=False)
        for memory in (layouts, Layouts()):
            found = crowd.columns(sources=False, storage=memory)
            same(public, found)
            assert {way.contract for way in by_function(found)} == {token}


def test_storage__a_word_that_widths_differ_on__is_asked_by_function(crowd: Crowd) -> None:
    owner, token = crowd.owners[5], a_token(crowd)
    with crowd.world.node.rollback():
        put(crowd, token, 52, owner, (1 << 125) + 77)
        crowd.world.node.mine()
        same(crowd.columns(sources=False), crowd.columns(sources=False, storage=Layouts()))


def test_storage__only_some_wallets_hold__the_token_itself_is_the_witness(crowd: Crowd) -> None:
    layouts = Layouts()
    owners = (STRANGER,)
    with crowd.client() as chain:
        snapshot = chain.snapshot(chain.head())
        program = read_columns(
            crowd.root, owners, snapshot.at, wallet=True, sources=False, storage=layouts
        )
        found = snapshot.bulk(program)
    assert len(found.account) == 0
    assert {way.kind for way in found.ways if not way.cause} == {Kind.WALLET}
    causes = {way.cause for way in found.ways if way.cause}
    assert causes == {"nobody is known to hold any"}  # of aTokens, as he is the only account


@pytest.mark.parametrize("what", ["look", "read"])
def test_storage__of_an_endpoint_that_refuses_the_lens__is_read_by_functions(
    crowd: Crowd, what: str
) -> None:
    public = crowd.columns(sources=False)
    with crowd.client() as chain:
        snapshot = chain.snapshot(chain.head())
        honest = snapshot.lens
        refused = []

        def lens(asked: Any) -> Any:
            if (asked.program, asked.mode) == ("storage_lens", what):
                refused.append(asked.mode)
                return NoLens("refused")
            return honest(asked)

        snapshot.lens = lens  # type: ignore[method-assign,assignment]
        program = read_columns(
            crowd.root, crowd.owners, snapshot.at, sources=False, storage=Layouts()
        )
        found = snapshot.bulk(program)
    same(public, found)
    assert refused == [what]
    assert {way.cause for way in found.ways} == {"refused"}


@pytest.mark.parametrize("name", MARKETS)
def test_storage__in_process_evm__replaces_no_other_code_and_is_read_by_functions(
    tester: Any, name: str
) -> None:
    user = tester.book.accounts[6]
    tokens.mint(tester, "WETH", user, 10**19)
    aave.supply(tester, name, user, "WETH", 5.0)
    aave.borrow(tester, name, user, "USDC", 1000.0)
    root = checksum(tester.book[name]["pool_addresses_provider"])
    owners = [checksum(user), checksum(tester.book.whale), STRANGER]
    with client(tester, Path.OVERRIDE) as chain:
        snapshot = chain.snapshot(chain.head())
        public = snapshot.bulk(read_columns(root, owners, snapshot.at, sources=False))
        before = snapshot.stats.requests
        found = snapshot.bulk(
            read_columns(root, owners, snapshot.at, sources=False, storage=Layouts())
        )
        asked = snapshot.stats.requests - before
    same(public, found)
    assert by_function(found) == set(found.ways)
    assert asked < 3 * before + 40  # it gives up soon


def test_storage__tokens_that_nobody_holds__are_believed_as_others_of_the_same_code(
    crowd: Crowd,
) -> None:
    whole = crowd.columns()
    row = next(r for r in range(SIZE) if bin(whole.configuration_of(r)).count("1") > 1)
    few = (crowd.owners[row], STRANGER)
    with crowd.client() as chain:
        snapshot = chain.snapshot(chain.head())
        public = snapshot.bulk(read_columns(crowd.root, few, snapshot.at, sources=False))
        found = snapshot.bulk(
            read_columns(crowd.root, few, snapshot.at, sources=False, storage=Layouts())
        )
    same(public, found)
    held = {int(place) for place in found.reserve}
    assert len(held) < len(found.reserves)
    assert by_function(found) == set()


def test_storage__nobody_at_all__is_a_market_without_accounts(crowd: Crowd) -> None:
    with crowd.client() as chain:
        snapshot = chain.snapshot(chain.head())
        found = snapshot.bulk(read_columns(crowd.root, (), snapshot.at, storage=Layouts()))
    assert (len(found), found.ways) == (0, ())


def test_storage__code_that_must_not_be_replaced__is_read_by_functions(crowd: Crowd) -> None:
    """A market that lists one of the chain's own programs as an aToken."""
    owners = crowd.owners[:3]
    with crowd.client() as chain:
        snapshot = chain.snapshot(chain.head())
        run = read_columns(crowd.root, owners, snapshot.at, sources=False, storage=Layouts())
        asked = []
        step = next(run)
        try:
            while True:
                if step.lens is not None and step.lens.places:
                    asked.append(step.lens.places)
                found = snapshot.lens(step.lens) if step.lens else None
                if found is not None and step.lens is not None and step.lens.opening:
                    token = bytes.fromhex(a_token(crowd)[2:])
                    chunks = tuple(
                        replace(one, data=one.data.replace(token, bytes(19) + b"\2"))
                        for one in found.chunks  # type: ignore[union-attr]
                    )
                    found = replace(found, chunks=chunks)  # type: ignore[arg-type]
                step = run.send(Answers(snapshot.read(step.reads), found))
        except StopIteration as stop:
            columns = stop.value
    (way,) = by_function(columns)
    assert way.contract == "0x" + "0" * 39 + "2"
    assert way.cause == "code of ours cannot be put at its address"
    assert asked
    assert all(way.contract not in places for places in asked)
