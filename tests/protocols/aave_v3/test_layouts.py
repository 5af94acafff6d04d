"""Layouts are found by what contracts say; words that leave a doubt are never amounts."""

from dataclasses import replace

import numpy as np
import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from world.anvil import Anvil
from world.world import World

from chain.bulk import Chunk, Chunks
from chain.types import ZERO_ADDRESS, Address, checksum
from protocols.aave_v3 import slots
from protocols.aave_v3.columns import Kind
from protocols.aave_v3.layouts import NAMESPACED, WIDTHS, Layout, Layouts, search
from protocols.aave_v3.lens import Misshapen
from protocols.aave_v3.slots import SOLIDITY, VYPER, Implementation, Job
from protocols.aave_v3.sources import HOLDERS, OTHERS, Held, Source, integer
from tests.chain.helpers import address
from tests.protocols.aave_v3.test_bulk import client

CODE = Implementation(address(0x77), b"\x01" * 32)
BARE = Implementation(ZERO_ADDRESS, bytes(32))
LOOKED = (Job(address(1), 0, 64), Job(address(1), NAMESPACED))


def test_search__packed_words__narrow_the_widths() -> None:
    witnesses = [(5, {(0, 52): (9 << 128) + 5, (0, 3): 1}), (7, {(0, 52): (1 << 120) + 7})]
    assert search(LOOKED, witnesses) == Layout(52, SOLIDITY, (120,))
    assert search(LOOKED, witnesses[:1]) == Layout(52, SOLIDITY, (120, 128))
    assert search(LOOKED, [(5, {(1, 0): 5})]) == Layout(NAMESPACED, SOLIDITY, WIDTHS)


def test_search__nothing_or_too_much__says_why() -> None:
    assert search(LOOKED, []) == "nobody is known to hold any"
    assert search(LOOKED, [(5, {(0, 1): 6})]) == "no mapping holds what it says"
    assert search(LOOKED, [(5, {(0, 1): 5}), (6, {(0, 2): 6})]) == "no mapping holds what it says"
    twice = [(1, {(0, 1): 1, (0, 2): 1})]
    assert search(LOOKED, twice) == "several mappings hold what it says"
    assert search(LOOKED, [*twice, (2, {(0, 2): 2, (0, 1): 9})]) == Layout(2, SOLIDITY, WIDTHS)


def test_layouts__of_another_proxy__are_those_of_the_same_code() -> None:
    layouts, layout = Layouts(), Layout(52, SOLIDITY, (128,))
    layouts.learn(address(1), Kind.SUPPLY, CODE, layout)
    layouts.learn(address(2), Kind.WALLET, BARE, layout)
    assert layouts.alike(CODE, Kind.SUPPLY) == layout
    assert layouts.alike(CODE, Kind.DEBT) is None
    assert layouts.alike(replace(CODE, code_hash=bytes(32)), Kind.SUPPLY) is None
    assert layouts.alike(BARE, Kind.WALLET) is None  # names no code, so is like nothing
    layouts.forget(address(1), Kind.SUPPLY)
    layouts.forget(address(1), Kind.SUPPLY)
    assert layouts.alike(CODE, Kind.SUPPLY) is None
    assert layouts.of(address(1), Kind.SUPPLY) is None


def held(words: list[tuple[int, int, int]]) -> Held:
    """Build words of (source, row, word)."""
    limbs = [[w >> 64 * i & (1 << 64) - 1 for i in range(4)] for _, _, w in words]
    return Held(
        np.array([row for _, row, _ in words], np.int64),
        np.array([source for source, _, _ in words], np.int64),
        np.array(limbs, np.uint64).reshape(-1, 4),
    )


def source(*widths: int) -> Source:
    layout = Layout(0, SOLIDITY, widths) if widths else None
    return Source(address(9), Kind.SUPPLY, 0, layout=layout)


@given(st.integers(0, 2**256 - 1), st.sets(st.sampled_from(WIDTHS), min_size=1))
def test_settle__any_word__is_certain_only_where_all_widths_agree(
    word: int, widths: set[int]
) -> None:
    one = held([(0, 0, word)])
    one.settle([source(*sorted(widths))])
    values = {word % (1 << width) for width in widths}
    assert bool(one.doubted[0]) is (len(values) > 1 or min(values) >> 128 > 0)
    if not one.doubted[0]:
        assert {int(one.amounts[0, 1]) << 64 | int(one.amounts[0, 0])} == values


def test_settle__no_layout__is_nothing() -> None:
    one = held([(0, 0, 1 << 255)])
    one.settle([source()])
    assert not one.amounts.any()
    assert not one.doubted.any()


def test_draw__every_source__some_who_hold_and_some_who_do_not() -> None:
    masks = np.ones((100, 3), np.bool_)
    masks[50:, 1] = False
    words = [(0, row, row + 1) for row in range(60)] + [(1, row, 7 << 130) for row in range(3)]
    one = held(words)
    one.settle([source(128), source(128), source(128)])

    def drawn_with(seed: int) -> list[tuple[int, int, int]]:
        number, rows, found = one.draw(masks, np.random.default_rng(seed))
        return list(zip(number.tolist(), rows.tolist(), map(integer, found), strict=True))

    drawn = drawn_with(1)
    of = [[(row, word) for s, row, word in drawn if s == i] for i in range(3)]
    holders = [row for row, word in of[0] if word]
    assert len(set(holders)) == len(holders) == HOLDERS
    assert all(word == row + 1 for row, word in of[0] if word)
    assert all(row >= 60 for row, word in of[0] if not word)
    assert len([1 for _, word in of[1] if word == 7 << 130]) == OTHERS
    assert all(3 <= row < 50 for row, word in of[1] if not word)
    assert 1 <= len(of[2]) <= OTHERS
    assert drawn_with(1) == drawn
    assert drawn_with(2) != drawn


def test_draw__nobody_without_a_word__asks_of_those_with_one_alone() -> None:
    one = held([(0, row, 1) for row in range(3)])
    one.settle([source(128)])
    number, rows, words = one.draw(np.ones((3, 1), np.bool_), np.random.default_rng(1))
    assert sorted(rows.tolist()) == [0, 1, 2]
    assert number.tolist() == [0] * 3
    assert words.any(axis=1).all()


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 56,
        b"\1" + b"\0" * 56,
        b"\0" * 53 + b"\0\0\0\1",
        b"\0" * 53 + b"\0\0\0\1" + b"\0\1" + b"\0" * 38,
        b"\0" * 53 + b"\0\0\0\1" + b"\0" * 4 + b"\0\0\0\5" + b"\0" * 32,
    ],
)
def test_decode__another_shape__is_refused(data: bytes) -> None:
    with pytest.raises(Misshapen):
        slots.decode(Chunks((Chunk(0, 1, 1, data),), (), 1), 1)


def test_decode__some_accounts_not_learned__is_refused() -> None:
    with pytest.raises(Misshapen, match="gone"):
        slots.decode(Chunks((), ((0, 1, "gone"),), 1), 1)
    with pytest.raises(Misshapen, match="no run"):
        slots.decode(Chunks((), (), 0), 1)
    told = [b"\0" + bytes([i]) * 52 + b"\0\0\0\0" for i in range(2)]
    chunks = tuple(Chunk(i, 1, 1, text) for i, text in enumerate(told))
    with pytest.raises(Misshapen, match="implementations"):
        slots.decode(Chunks(chunks, (), 2), 1)


@pytest.fixture
def storage(world: World[Anvil]) -> tuple[World[Anvil], dict[tuple[int, ...], int]]:
    """Plant words of mappings at two addresses, one of which names an implementation."""
    dice = np.random.default_rng(3)
    words: dict[tuple[int, ...], int] = {}
    for contract in range(2):
        for account in range(7):
            for slot, order in ((4, SOLIDITY), (5, SOLIDITY), (7, SOLIDITY), (4, VYPER)):
                if dice.random() < 0.6:
                    words[contract, account, slot, order] = int(dice.integers(1, 2**63)) << 190 | 1
    for (contract, account, slot, order), word in words.items():
        parts = [int(holder(account), 16).to_bytes(32, "big"), slot.to_bytes(32, "big")]
        key = keccak(b"".join(parts if order == SOLIDITY else reversed(parts)))
        world.node.set_storage(target(contract), int.from_bytes(key, "big"), word)
    named = int.from_bytes(keccak(text="org.zeppelinos.proxy.implementation"), "big")
    world.node.set_storage(target(0), named, int(target(2), 16) + (1 << 200))
    world.node.set_code(target(2), "0xfe")
    world.node.mine()
    return world, words


def holder(number: int) -> Address:
    return checksum("0x" + keccak(text=f"holder {number}")[-20:].hex())


def target(number: int) -> Address:
    return checksum("0x" + keccak(text=f"target {number}")[-20:].hex())


def test_lens__jobs_and_masks_of_all_kinds__are_the_planted_words(
    storage: tuple[World[Anvil], dict[tuple[int, ...], int]],
) -> None:
    world, words = storage
    jobs = [
        *(Job(target(n), 3, 5) for n in range(2)),
        *(Job(target(n), 4, 1, VYPER) for n in range(2)),
        *(Job(target(0), 7) for _ in range(7)),
    ]
    masks = np.random.default_rng(5).random((7, len(jobs))) < 0.7
    masks[:, [1, 3, 4, 5]] = True
    accounts = np.array([list(bytes.fromhex(holder(n)[2:])) for n in range(7)], np.uint8)
    expected = {
        (j, slot - job.slot, account): word
        for j, job in enumerate(jobs)
        for (contract, account, slot, order), word in words.items()
        if job.contract == target(contract) and order == job.order
        if job.slot <= slot < job.slot + job.slots and masks[account, j]
    }
    with client(world) as chain:
        snapshot = chain.snapshot(chain.head())
        answer = snapshot.lens(slots.lens("test", jobs, accounts, masks))
    assert isinstance(answer, Chunks)
    found = slots.decode(answer, len(jobs))
    assert {
        (int(j), int(p), int(a)): sum(int(x) << 64 * i for i, x in enumerate(w))
        for j, p, a, w in zip(found.job, found.place, found.account, found.word, strict=True)
    } == expected
    assert len(expected) == len(found.job)
    for job, named in zip(jobs, found.implementations, strict=True):
        if job.contract == target(0):
            assert named == Implementation(target(2), keccak(b"\xfe"))
        else:
            assert not named
