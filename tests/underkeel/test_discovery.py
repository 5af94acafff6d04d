"""Discovery by logs: what is found, remembered, forgotten, and what a failure says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chain.errors import AllEndpointsFailed, BlockUnknown, ChainError, LogsIncomplete
from chain.logs import Log
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols.adapter import Market
from protocols.morpho_blue.discovery import BORROW
from underkeel import discovery
from underkeel.cache import cache_folder
from underkeel.discovery import Memory, Search

MORPHO = Address("0xBBBBBbbBBb9cC5e90e3b3Af64bdAF62C37EEFFCb")
OWNER = Address("0x52908400098527886E0F7030069857D2E4169EE7")
OTHER = Address("0x2f39d218133AFaB8F2B819B1066c7E434Ad94E9e")


def block_hash(number: int, fork: int = 0) -> str:
    return f"0x{fork:02x}{number:062x}"


@dataclass
class Chain:
    """A chain that holds some Borrow logs: market number by block."""

    height: int
    borrows: dict[int, int] = field(default_factory=dict)
    fork: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)
    fails_from: int | None = None
    forgets_blocks: bool = False

    @property
    def head(self) -> BlockRef:
        return self.block(self.height)

    def block(self, which: int) -> BlockRef:
        if self.forgets_blocks:
            raise BlockUnknown("https://x", -32001, "no such block")
        return BlockRef(1, which, block_hash(which, self.fork), "0x" + "0" * 64, 1_700_000_000)

    def logs(
        self, addresses: Sequence[Address], topics: Sequence[Any], first: int, last: int
    ) -> Iterator[Log]:
        self.asked.append((first, last))
        if topics[0] != "0x" + BORROW.hex():
            return
        for number, market in sorted(self.borrows.items()):
            if first <= number <= last:
                yield Log(
                    addresses[0],
                    ("0x" + BORROW.hex(), f"0x{market:064x}", topics[2][0]),
                    b"",
                    number,
                    block_hash(number),
                    "0x",
                    0,
                )
            if self.fails_from is not None and self.fails_from <= number <= last:
                cause: ChainError = AllEndpointsFailed("x", ())
                raise LogsIncomplete(number, last, cause)


def market(**params: Any) -> Market:
    return Market("morpho-blue", "Morpho", MORPHO, {"market_ids": (), **params})


def search(chain: Chain, folder: Path, told: list[tuple[str, int, int]] | None = None) -> Search:
    progress = told if told is not None else []
    memory = Memory.open(folder, 1)
    return Search(chain, chain.head, memory, lambda *a: progress.append(a))


def ids(found: Market) -> list[int]:
    return [int(text, 16) for text in found.params["market_ids"]]


def test_search__second_time__reads_only_what_is_new(tmp_path: Path) -> None:
    chain = Chain(1_000, {10: 1, 500: 2})
    found, missed = search(chain, tmp_path).complete(market(), (OWNER,))
    assert (ids(found), missed) == ([1, 2], None)
    chain.height, chain.borrows[1_100] = 1_200, 3
    chain.asked.clear()
    found, missed = search(chain, tmp_path).complete(market(), (OWNER,))
    assert (sorted(ids(found)), missed) == ([1, 2, 3], None)
    assert {first for first, _ in chain.asked} == {1_000 - discovery.REREAD_BLOCKS + 1}


def test_search__row_that_wants_none__asks_nothing(tmp_path: Path) -> None:
    chain = Chain(1_000, {10: 1})
    found, missed = search(chain, tmp_path).complete(market(discover=False), (OWNER,))
    assert (ids(found), missed, chain.asked) == ([], None, [])


def test_search__row_says_where_to_begin__begins_there(tmp_path: Path) -> None:
    chain = Chain(1_000, {10: 1, 500: 2})
    found, _ = search(chain, tmp_path).complete(market(from_block=400), (OWNER,))
    assert ids(found) == [2]
    assert {first for first, _ in chain.asked} == {400}


def test_search__remembered_block_left_the_chain__reads_all_again(tmp_path: Path) -> None:
    chain = Chain(1_000, {10: 1})
    search(chain, tmp_path).complete(market(), (OWNER,))
    chain.fork, chain.borrows = 7, {20: 9}
    chain.asked.clear()
    found, _ = search(chain, tmp_path).complete(market(), (OWNER,))
    assert ids(found) == [9]
    assert chain.asked[0][0] == 0


def test_search__shorter_chain_than_remembered__reads_all_again(tmp_path: Path) -> None:
    chain = Chain(1_000, {10: 1})
    search(chain, tmp_path).complete(market(), (OWNER,))
    chain.height = 100
    chain.asked.clear()
    search(chain, tmp_path).complete(market(), (OWNER,))
    assert chain.asked[0] == (0, 100)


def test_search__another_account__is_searched_from_the_start(tmp_path: Path) -> None:
    chain = Chain(1_000, {10: 1})
    search(chain, tmp_path).complete(market(from_block=5), (OWNER,))
    chain.asked.clear()
    found, _ = search(chain, tmp_path).complete(market(from_block=5), (OWNER, OTHER))
    assert ids(found) == [1]
    assert {first for first, _ in chain.asked} == {5, 1_000 - discovery.REREAD_BLOCKS + 1}


def test_search__long_range__goes_in_windows_and_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "WINDOW_BLOCKS", 400)
    told: list[tuple[str, int, int]] = []
    found, _ = search(Chain(1_000, {1_000: 4}), tmp_path, told).complete(market(), (OWNER,))
    assert ids(found) == [4]
    assert [done for _, done, _ in told] == [400, 800, 1_001]


def test_search__fails_half_way__keeps_what_it_has_and_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "WINDOW_BLOCKS", 400)
    chain = Chain(1_000, {10: 1, 700: 2, 900: 3}, fails_from=700)
    found, missed = search(chain, tmp_path).complete(market(), (OWNER,))
    assert ids(found) == [1, 2]
    assert missed is not None
    assert missed.owner is None
    assert "not all of its market_ids could be found" in missed.cause
    chain.fails_from = None
    chain.asked.clear()
    found, missed = search(chain, tmp_path).complete(market(), (OWNER,))
    assert (sorted(ids(found)), missed) == ([1, 2, 3], None)
    assert chain.asked[0][0] == 400, "the first window need not be read again"


def test_search__blocks_cannot_be_named__found_but_not_remembered(tmp_path: Path) -> None:
    chain = Chain(1_000, {10: 1})
    one = search(chain, tmp_path)
    chain.forgets_blocks = True
    found, missed = one.complete(market(), (OWNER,))
    assert (ids(found), missed, one.memory.entries) == ([1], None, {})


def test_search__ids_given_or_nothing_to_find__asks_nothing(tmp_path: Path) -> None:
    chain = Chain(1_000)
    given = market(market_ids=("0x" + "11" * 32,))
    assert search(chain, tmp_path).complete(given, (OWNER,)) == (given, None)
    vault = Market("erc4626", "v", MORPHO, {})
    assert search(chain, tmp_path).complete(vault, (OWNER,)) == (vault, None)
    assert chain.asked == []


def test_search__what_logs_name__is_told_apart_from_what_the_owner_names(tmp_path: Path) -> None:
    found, _ = search(Chain(1_000, {10: 7}), tmp_path).complete(market(), (OWNER,))
    assert found.params["discovered"] == found.params["market_ids"] == (f"0x{7:064x}",)
    spenders = Market("wallet", "wallet", ZERO_ADDRESS, {"tokens": (), "spenders": (OTHER,)})
    filled, _ = search(Chain(1_000), tmp_path).complete(spenders, (OWNER,))
    assert (filled.params["spenders"], filled.params["discovered"]) == ((OTHER,), ())


def test_search__wallet__adds_to_the_given_spenders(tmp_path: Path) -> None:
    wallet = Market("wallet", "w", ZERO_ADDRESS, {"tokens": (MORPHO,), "spenders": (OTHER,)})
    found, missed = search(Chain(10), tmp_path).complete(wallet, (OWNER,))
    assert (found.params["spenders"], missed) == ((OTHER,), None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"morpho-blue:k": 5}',
        "[" * 100_000,
        '{"morpho-blue:k": {"block": 1, "hash": "0x", "found": [1]}}',
        '{"morpho-blue:k": {"block": 1, "hash": "0x", "found": ["zz"]}}',
        '{"wallet:k": {"block": 1, "hash": "0x", "found": ["0x' + "ab" * 32 + '"]}}',
        '{"wallet:k": {"block": -1, "hash": "0x", "found": []}}',
        '{"wallet:k": {"block": true, "hash": "0x", "found": []}}',
        '{"other:k": {"block": 1, "hash": "0x", "found": []}}',
    ],
)
def test_memory__damaged_file__is_as_if_empty(text: str, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "1.json"
    path.parent.mkdir()
    path.write_text(text)
    assert Memory.open(tmp_path, 1).entries == {}


def test_memory__cannot_be_written__is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    memory = Memory.open(tmp_path, 1)
    memory.entries["k"] = {"block": 1, "hash": "0x", "found": []}
    memory.save()
    assert Memory.open(tmp_path, 1).entries == {}


def test_memory__saved__read_back(tmp_path: Path) -> None:
    memory = Memory.open(tmp_path, 5)
    memory.entries["wallet:k"] = {"block": 1, "hash": "0x1", "found": ["0x" + "ab" * 20]}
    memory.save()
    assert Memory.open(tmp_path, 5).entries == memory.entries
    assert json.loads((tmp_path / "logs" / "5.json").read_text())


@pytest.mark.parametrize("place", ["logs/5.json", "logs", "."])
def test_memory__where_strangers_can_write__is_not_believed(place: str, tmp_path: Path) -> None:
    memory = Memory.open(tmp_path, 5)
    memory.entries["wallet:k"] = {"block": 1, "hash": "0x1", "found": []}
    memory.save()
    (tmp_path / place).chmod(0o777)
    assert Memory.open(tmp_path, 5).entries == {}


def test_cache_folder__variables__in_order() -> None:
    assert cache_folder({"UNDERKEEL_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert cache_folder({"XDG_CACHE_HOME": "/b"}) == Path("/b/underkeel")
    assert cache_folder({"HOME": "/h"}) == Path("/h/.cache/underkeel")
