"""What a lens could not read is never a zero: whole accounts, reserves, e-modes, prices, cells."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chain.bulk import Answers, Chunk, Chunks, NoLens, Step
from chain.calls import Ok, Read, ReadFailed, Result, Reverted, Unknown
from chain.types import ZERO_ADDRESS, Address
from protocols.aave_v3 import contracts as c
from protocols.aave_v3 import lens, plain
from protocols.aave_v3.bulk import read_columns
from protocols.aave_v3.columns import Columns, Kind
from protocols.aave_v3.gathering import GONE, Cell, Gathering
from protocols.aave_v3.lens import Misshapen, Run
from protocols.aave_v3.market import Broken, Listed, Pool, market
from protocols.aave_v3.prices import Base
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import EMode, Quote, Reserve
from protocols.types import Token
from tests.chain.helpers import address, word
from tests.support.aave_columns import AT, reserves

POOL, ORACLE = address(1), address(2)
OWNERS = np.frombuffer(b"".join(bytes(19) + bytes([i]) for i in range(100)), np.uint8)


def pool(revision: int = 11) -> Pool:
    base = Base(ZERO_ADDRESS, 10**8, ZERO_ADDRESS)
    return Pool(POOL, ORACLE, Rules(revision), (), base, True, (), ())


def listed(count: int, *, stable: bool = False, **change: Any) -> tuple[Listed, ...]:
    made = []
    for i, one in enumerate(reserves(count)):
        reserve: Reserve = replace(one, **change)
        token = Token(reserve.asset, reserve.symbol, reserve.decimals)
        stable_token = address(0xD00 + i) if stable else ZERO_ADDRESS
        made.append(
            Listed(reserve, token, address(0xB00 + i), stable_token, address(0xC00 + i), None, ())
        )
    return tuple(made)


def run(
    rows: Sequence[tuple[int, int, int]], entries: Sequence[tuple[int, int, int, int, int]]
) -> Run:
    """Build a run of (status, e-mode, configuration) and (account, place, kind, status, amount)."""
    table = np.array([entry[:4] for entry in entries], np.uint32).reshape(-1, 4)
    limbs = [[w >> 64 * i & (1 << 64) - 1 for i in range(4)] for _, _, w in rows]
    return Run(
        pool=POOL,
        oracle=ORACLE,
        reserves=(),
        first=0,
        done=len(rows),
        status=np.array([r[0] for r in rows], np.uint8),
        emode=np.array([r[1] for r in rows], np.uint8),
        configuration=np.array(limbs, np.uint64).reshape(-1, 4),
        account=table[:, 0].astype(np.uint32),
        reserve=table[:, 1].astype(np.uint16),
        kind=table[:, 2].astype(np.uint8),
        failed=table[:, 3].astype(np.uint8),
        hi=np.array([e[4] >> 64 for e in entries], np.uint64),
        lo=np.array([e[4] & (1 << 64) - 1 for e in entries], np.uint64),
    )


def gathering(count: int, known: tuple[Listed, ...]) -> Gathering:
    return Gathering(OWNERS.reshape(-1, 20)[:count], known)


def finished(
    found: Gathering, broken: Sequence[Broken] = (), emodes: Any = None, revision: int = 11
) -> Columns:
    return found.columns(AT, pool(revision), broken, emodes or {}, health_only=False)


IN_ORDER = np.arange(3, dtype=np.uint16)


def test_take__an_account_whose_flags_failed__is_missing_with_all_its_amounts() -> None:
    found = gathering(2, listed(2))
    entries = [(0, 0, 0, 0, 5), (1, 0, 0, 0, 7)]
    assert found.take(run([(1, 0, 0), (0, 0, 2)], entries), Rules(11), IN_ORDER) == []
    columns = finished(found)
    assert list(columns.unknown) == [0]
    assert columns.account.tolist() == [1]


def test_take__cells_that_failed__are_given_back_and_amounts_of_no_reserve_left_out() -> None:
    found = gathering(1, listed(2))
    entries = [(0, 0, 0, 1, 0), (0, 1, 0, 0, 9), (0, 2, 0, 0, 4)]
    places = np.array([1, 0, GONE], np.uint16)
    cells = found.take(run([(0, 0, 0)], entries), Rules(11), places)
    assert cells == [Cell(0, 1, Kind.SUPPLY)]
    assert finished(found).reserve.tolist() == [0]


@pytest.mark.parametrize(
    ("revision", "stable", "kept"), [(4, True, 1), (4, False, 0), (5, True, 0)]
)
def test_take__stable_debt__counts_only_where_the_release_has_it(
    revision: int, stable: bool, kept: int
) -> None:
    found = gathering(1, listed(1, stable=stable))
    found.take(run([(0, 0, 1)], [(0, 0, Kind.STABLE, 0, 5)]), Rules(revision), IN_ORDER)
    assert len(finished(found, revision=revision).account) == kept


def test_columns__entries_out_of_order__are_sorted() -> None:
    found = gathering(2, listed(3))
    found.amount(Cell(1, 2, Kind.SUPPLY), 1)
    found.amount(Cell(0, 1, Kind.DEBT), 2)
    found.amount(Cell(0, 1, Kind.SUPPLY), 3)
    columns = finished(found)
    assert columns.account.tolist() == [0, 0, 1]
    assert list(columns.amounts()) == [3, 2, 1]


def test_columns__a_reserve_that_could_not_be_read__spoils_who_has_its_flags() -> None:
    found = gathering(3, listed(2))
    for row, word_ in enumerate((1 << 4, 3, 0)):
        found.flags(row, word_, 0)
    columns = finished(found, [Broken(address(9), "T9: no data")])
    assert list(columns.unknown) == [0]
    assert any("T9: no data" in note for note in columns.notes)


def test_columns__an_unknown_e_mode__spoils_who_is_in_it() -> None:
    found = gathering(3, listed(1))
    for row, category in enumerate((1, 2, 0)):
        found.flags(row, 3, category)
    columns = finished(found, emodes={1: EMode(1, 9000, 10_100, 1), 2: Unknown("reverted")})
    assert columns.unknown == {1: "e-mode 2: reverted"}
    assert set(columns.emodes) == {1}


def test_columns__no_price__spoils_who_is_flagged_unless_an_e_mode_has_its_own() -> None:
    found = gathering(3, listed(1, quote=None))
    for row, (flags, category) in enumerate(((2, 0), (2, 1), (0, 0))):
        found.flags(row, flags, category)
    own = EMode(1, 9000, 10_100, 1, Quote("x", 1, 8))
    assert list(finished(found, emodes={1: own}).unknown) == [0]


def test_amount__over_128_bits__is_unread() -> None:
    found = gathering(1, listed(1))
    found.flags(0, 2, 0)
    found.amount(Cell(0, 0, Kind.SUPPLY), 1 << 128)
    assert finished(found).unknown == {0: "T0: an amount over 128 bits"}


def _answer(program: Any, say: Any) -> int:
    """Run a reader of reads; return how many it asked."""
    asked = 0
    try:
        batch: Sequence[Read] = next(program)
        while True:
            asked += len(batch)
            batch = program.send([say(read) for read in batch])
    except StopIteration:
        return asked


def test_cells__a_token_that_fails_for_a_sample__is_not_asked_for_everybody() -> None:
    found = gathering(100, listed(1))
    cells = [Cell(row, 0, Kind.SUPPLY) for row in range(100)]
    asked = _answer(plain.cells(found, cells), lambda _: Reverted(b""))
    assert asked == plain.SAMPLE
    assert len(found.unread) == 100


def test_cells__a_token_that_answers_some__is_asked_for_everybody() -> None:
    found = gathering(100, listed(1))
    cells = [Cell(row, 0, kind) for row in range(100) for kind in (Kind.SUPPLY, Kind.DISCOUNT)]
    refused = c.GET_DISCOUNT_PERCENT.selector

    def say(read: Any) -> Result:
        return Reverted(b"") if read.data[:4] == refused else Ok(word(read.data[-1]))

    assert _answer(plain.cells(found, cells), say) == 200
    assert not found.unread  # who grants no discount says so by reverting
    assert list(finished(found).amounts()) == list(range(1, 100))


def test_accounts__flags_that_fail__leave_the_account_missing_and_read_the_others() -> None:
    found = gathering(2, listed(1))

    def say(read: Any) -> Result:
        return Unknown("gone") if read.data[-1] == 0 else Ok(word(1))

    reading = plain.accounts(pool(), found, [0, 1], health_only=False, wallet=False)
    _answer(reading, say)
    columns = finished(found)
    assert set(columns.unknown) == {0}
    assert "gone" in columns.unknown[0]
    assert columns.account.tolist() == [1, 1]


@pytest.mark.parametrize(
    "data", [b"", bytes(46), bytes(47), bytes(40) + b"\0\0\0\1" + bytes(3) + bytes(34)]
)
def test_decode__a_size_that_does_not_fit__is_misshapen(data: bytes) -> None:
    with pytest.raises(Misshapen):
        lens.decode(Chunk(0, 1, 1, data))


def _amounts(account: int, status: int) -> bytes:
    """Return a run over one account, with one amount."""
    head = bytes(40) + (1).to_bytes(4, "big") + bytes(3)
    return head + bytes(34) + account.to_bytes(4, "big") + bytes(3) + bytes([status]) + bytes(16)


@pytest.mark.parametrize(("account", "status"), [(1, 0), (2**32 - 1, 0), (0, 6), (0, 255)])
def test_decode__an_amount_that_was_not_asked_for__is_misshapen(account: int, status: int) -> None:
    assert lens.decode(Chunk(0, 1, 1, _amounts(0, 3))).failed.tolist() == [3]
    with pytest.raises(Misshapen):
        lens.decode(Chunk(0, 1, 1, _amounts(account, status)))


def test_decode__a_reserve_of_unknown_status__is_misshapen() -> None:
    def listing(status: int) -> bytes:
        return bytes(44) + b"\0\1\0" + bytes([status]) + bytes(lens._RESERVE.size - 1)

    assert lens.decode(Chunk(0, 0, 0, listing(1))).reserves[0].status == 1
    with pytest.raises(Misshapen):
        lens.decode(Chunk(0, 0, 0, listing(6)))


def test_take__an_amount_of_a_reserve_that_is_not_listed__is_misshapen() -> None:
    found = gathering(1, listed(1))
    one = replace(lens.decode(Chunk(0, 1, 1, _amounts(0, 0))), reserve=np.array([1], np.uint16))
    with pytest.raises(Misshapen):
        found.take(one, pool().rules, np.zeros(1, np.uint16))


def test_packed__addresses_and_bytes__are_the_same() -> None:
    owners: list[Address] = [address(i) for i in range(100)]
    assert lens.packed(owners) == lens.packed(OWNERS.reshape(-1, 20))


def test_market_results__anything_unanswered__is_asked_for() -> None:
    whole = replace(run([], []), reserves=(ROW,), facts=(word(1),) * 8)
    assert lens.market_results(whole) is not None
    assert lens.market_results(replace(whole, reserves=())) is None
    assert lens.market_results(replace(whole, facts=(word(1),) * 7)) is None
    for i in range(8):
        facts = [None if i == j else word(1) for j in range(8)]
        assert lens.market_results(replace(whole, facts=tuple(facts))) is None
    nobody = (word(1), word(1), word(0), *(word(1),) * 4, None)
    results = lens.market_results(replace(whole, facts=nobody))
    assert results is not None
    assert market(results).assets == (ROW.asset,)


ROW = lens.Row(0, 0, 0, address(9), 0, 0, 0, 0, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS, ZERO_ADDRESS,
               None, False)  # fmt: skip


@pytest.mark.parametrize(
    "answer", [NoLens("none"), Chunks((), ((0, 1, "too little gas"),), 1), Chunks(())]
)
def test_read_columns__no_pool__is_a_failure_with_its_cause(answer: NoLens | Chunks) -> None:
    program = read_columns(address(7), [address(8)], AT)
    assert next(program).lens is not None
    step: Step = program.send(Answers((), answer))
    with pytest.raises(ReadFailed, match="no endpoint"):
        program.send(Answers([Unknown("no endpoint")] * len(step.reads), None))
