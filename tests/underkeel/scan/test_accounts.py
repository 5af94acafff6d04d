"""Accounts come from logs, once; what was read is remembered and doubted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chain.errors import BlockUnknown
from chain.types import Address, BlockRef
from tests.protocols.prices.build import AT
from underkeel.discovery import REREAD_BLOCKS
from underkeel.scan.accounts import BORROW, Ledger, Sources, find

ASKED = Sources((Address("0x" + "11" * 20),), ("0xaa",))


def block(number: int, salt: int = 0) -> BlockRef:
    return BlockRef(AT.chain_id, number, f"0x{number + salt:064x}", f"0x{0:064x}", 1)


@dataclass(frozen=True)
class Event:
    topics: tuple[str, ...]


def event(account: int) -> Event:
    return Event(("0xaa", f"0x{1:064x}", f"0x{account:064x}"))


@dataclass
class Chain:
    """Logs by block; `asked` keeps the ranges."""

    logs_at: dict[int, list[Event]]
    salt: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)

    def block(self, which: int, /) -> BlockRef:
        if which > 10**6:
            raise BlockUnknown("node", -1, "no such block")
        return block(which, self.salt)

    def logs(
        self,
        addresses: Sequence[Address],
        topics: Sequence[str | Sequence[str] | None],
        first: int,
        last: int,
    ) -> Iterator[Event]:
        assert (tuple(addresses), topics) == (ASKED.addresses, [["0xaa"]])
        self.asked.append((first, last))
        for number in sorted(self.logs_at):
            if first <= number <= last:
                yield from self.logs_at[number]


def search(chain: Chain, head: int, folder: Path, asked: Sources = ASKED) -> list[int]:
    told: list[tuple[str, int, int]] = []
    found = find(chain, asked, chain.block(head), 5, folder, lambda *a: told.append(a))
    if told:
        assert told[-1][1] == told[-1][2]
    return [int.from_bytes(found[i : i + 20], "big") for i in range(0, len(found), 20)]


def test_find__first_time__reads_all_once_and_leaves_out_nobody_and_zero(tmp_path: Path) -> None:
    short = Event(("0xaa",))
    chain = Chain({7: [event(3), event(0), short], 300_000: [event(2), event(3)]})
    assert search(chain, 400_000, tmp_path) == [3, 2]
    assert chain.asked == [(5, 250_004), (250_005, 400_000)]


def test_find__again__reads_only_what_is_not_settled(tmp_path: Path) -> None:
    chain = Chain({7: [event(3)], 990: [event(4)]})
    assert search(chain, 1000, tmp_path) == [3, 4]
    chain.logs_at[995] = [event(5)]
    chain.asked.clear()
    assert search(chain, 1010, tmp_path) == [3, 4, 5]
    assert chain.asked == [(1000 - REREAD_BLOCKS + 1, 1010)]


@pytest.mark.parametrize("change", ["reorganised", "shorter", "other contracts", "damaged"])
def test_find__what_is_remembered_does_not_hold__reads_all_again(
    change: str, tmp_path: Path
) -> None:
    search(Chain({7: [event(3)]}), 1000, tmp_path)
    chain, head, asked = Chain({8: [event(9)]}), 1001, ASKED
    if change == "reorganised":
        chain.salt = 1
    elif change == "shorter":
        head = 500
    elif change == "other contracts":
        asked = Sources(ASKED.addresses, ("0xaa", "0xbb"))
        chain = Other({8: [event(9)]})
    else:
        for path in (tmp_path / "accounts").iterdir():
            path.write_text('{"block": 936, "hash": 7, "accounts": "00"}')
    assert search(chain, head, tmp_path, asked) == [9]
    assert chain.asked == [(5, head)]


class Other(Chain):
    def logs(self, *args: object) -> Iterator[Event]:
        self.asked.append((args[2], args[3]))  # type: ignore[arg-type]
        yield from (e for found in self.logs_at.values() for e in found)


def test_find__remembered_block_cannot_be_asked_for__reads_all_again(tmp_path: Path) -> None:
    chain = Chain({7: [event(3)]})
    ledger = Ledger.open(tmp_path, AT.chain_id, ASKED)
    ledger.block, ledger.hash, ledger.accounts = 2 * 10**6, "0x", {bytes(19) + b"\1": None}
    ledger.save()
    head = BlockRef(AT.chain_id, 3 * 10**6, "0x" + "22" * 32, "0x" + "21" * 32, 1)
    with pytest.raises(BlockUnknown):  # the search starts over, and meets blocks of no hash
        find(chain, ASKED, head, 5, tmp_path, lambda *_: None)
    assert chain.asked[0][0] == 5


def test_ledger__folder_that_cannot_be_written__is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "accounts").write_text("a file in the way")
    assert search(Chain({7: [event(3)]}), 1000, tmp_path) == [3]


def test_sources__key__tells_questions_apart() -> None:
    assert ASKED.key != Sources(ASKED.addresses, ("0xab",)).key
    assert BORROW.startswith("Borrow(")


def test_ledger__folder_that_strangers_can_write__is_not_believed(tmp_path: Path) -> None:
    """A planted ledger that claims the whole chain was searched would hide every account."""
    folder = tmp_path / "cache"
    assert search(Chain({7: [event(3)]}), 1000, folder) == [3]
    chain = Chain({7: [event(4)]})
    (folder / "accounts").chmod(0o777)
    assert search(chain, 1000, folder) == [4]
    (folder / "accounts").chmod(0o700)
