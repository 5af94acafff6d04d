"""What was read last time is read ahead, and changes nothing but the number of rounds."""

from collections.abc import Sequence
from typing import TypeVar

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain import prefetch
from chain.calls import (
    NOT_AN_ADDRESS,
    TOO_FEW_WORDS,
    Call,
    Code,
    NativeBalance,
    NoCode,
    Ok,
    Pointer,
    Read,
    ReadFailed,
    Reads,
    Result,
    Reverted,
    Storage,
    Unknown,
)
from chain.prefetch import Foresight, foreseen
from chain.types import Address
from tests.chain.helpers import address

T = TypeVar("T")


def slot(number: int) -> Read:
    return Storage(address(1), number)


class Chain:
    """Answers a slot with what the table says; everything else is a zero."""

    def __init__(self, table: dict[int, Result] | None = None, fail_first: Sequence[int] = ()):
        self.table = table or {}
        self.sulking = set(fail_first)
        """Slots that fail when asked for the first time."""
        self.batches: list[list[Read]] = []

    def run(self, program: Reads[T]) -> T:
        try:
            batch = next(program)
            while True:
                self.batches.append(list(batch))
                found = {read: self.answer(read) for read in dict.fromkeys(batch)}
                batch = program.send([found[read] for read in batch])
        except StopIteration as stop:
            value: T = stop.value
            return value

    def answer(self, read: Read) -> Result:
        assert isinstance(read, Storage)
        if read.slot in self.sulking:
            self.sulking.remove(read.slot)
            return Unknown("not now")
        return self.table.get(read.slot, Ok(bytes(32)))


def follow(first: Sequence[int], rounds: int) -> Reads[list[Result]]:
    """Read slots, then the slots that the answers name, and return every answer."""
    told: list[Result] = []
    batch = [slot(n) for n in first]
    for _ in range(rounds):
        answers = yield batch
        told += answers
        batch = [slot(int.from_bytes(a.data, "big")) for a in answers if isinstance(a, Ok)]
    return told


def names(*pairs: tuple[int, int]) -> dict[int, Result]:
    return {at: Ok(value.to_bytes(32, "big")) for at, value in pairs}


CHAIN = names((1, 2), (2, 3), (3, 4))


def test_ahead__second_run__is_one_round_with_the_same_answers() -> None:
    memory = Foresight()
    cold, warm = Chain(CHAIN), Chain(CHAIN)
    truth = cold.run(memory.ahead("a", follow([1], 4)))
    assert len(cold.batches) == 4
    assert memory.changed
    memory.changed = False
    assert warm.run(memory.ahead("a", follow([1], 4))) == truth
    assert [set(batch) for batch in warm.batches] == [{slot(n) for n in (1, 2, 3, 4)}]
    assert not memory.changed


def test_ahead__other_name__is_cold() -> None:
    memory, chain = Foresight(), Chain(CHAIN)
    chain.run(memory.ahead("a", follow([1], 2)))
    chain.run(memory.ahead("b", follow([1], 2)))
    assert len(chain.batches) == 4


def test_ahead__chain_changed__reads_the_new_and_forgets_the_old() -> None:
    memory = Foresight()
    Chain(CHAIN).run(memory.ahead("a", follow([1], 3)))
    moved = Chain(names((1, 7), (7, 8)))
    assert moved.run(memory.ahead("a", follow([1], 3))) == [
        moved.answer(slot(n)) for n in (1, 7, 8)
    ]
    assert [len(batch) for batch in moved.batches] == [3, 1, 1]
    again = Chain(moved.table)
    again.run(memory.ahead("a", follow([1], 3)))
    assert [set(batch) for batch in again.batches] == [{slot(1), slot(7), slot(8)}]


def test_ahead__foreseen_read_failed__is_asked_again_only_if_wanted() -> None:
    memory = Foresight()
    Chain(CHAIN).run(memory.ahead("a", follow([1], 3)))
    wanted = Chain(CHAIN, fail_first=[2])
    assert wanted.run(memory.ahead("a", follow([1], 3))) == list(CHAIN.values())
    assert [set(batch) for batch in wanted.batches[1:]] == [{slot(2)}]
    unwanted = Chain(names((1, 9)), fail_first=[2, 3])
    unwanted.run(memory.ahead("a", follow([1], 2)))
    assert [set(batch) for batch in unwanted.batches[1:]] == [{slot(9)}]


def test_ahead__own_read_failed_in_company__is_asked_again_alone() -> None:
    memory = Foresight()
    Chain(CHAIN).run(memory.ahead("a", follow([1], 2)))
    chain = Chain(CHAIN, fail_first=[1])
    assert chain.run(memory.ahead("a", follow([1], 2))) == list(CHAIN.values())[:2]
    assert [set(batch) for batch in chain.batches[1:]] == [{slot(1)}]


def test_ahead__own_read_failed_without_company__is_told() -> None:
    memory, chain = Foresight(), Chain(CHAIN, fail_first=[1])
    assert chain.run(memory.ahead("a", follow([1], 1))) == [Unknown("not now")]
    assert len(chain.batches) == 1


@pytest.mark.parametrize("said", [TOO_FEW_WORDS, NOT_AN_ADDRESS, NoCode(), Reverted(b"")])
def test_ahead__what_the_block_holds__is_not_asked_again(said: Result) -> None:
    table: dict[int, Result] = {**names((1, 2)), 2: said}
    memory, chain = Foresight({"a": {slot(2): 0, slot(9): 0}}), Chain(table)
    assert chain.run(memory.ahead("a", follow([1], 2))) == list(table.values())
    assert len(chain.batches) == 1
    assert set(memory.runs["a"]) == {slot(1), slot(2)}


def test_ahead__run_cut_short_by_failures__forgets_only_when_it_lasts() -> None:
    memory = Foresight()
    Chain(CHAIN).run(memory.ahead("a", follow([1], 3)))
    broken: dict[int, Result] = {**CHAIN, 2: Unknown("down")}
    for missed in range(1, prefetch.PATIENCE):
        Chain(broken).run(memory.ahead("a", follow([1], 3)))
        assert memory.runs["a"] == {slot(1): 0, slot(2): 0, slot(3): missed}
    Chain(broken).run(memory.ahead("a", follow([1], 3)))
    assert set(memory.runs["a"]) == {slot(1), slot(2)}


def test_ahead__program_raises__memory_stays() -> None:
    def angry() -> Reads[None]:
        yield [slot(5)]
        raise ReadFailed("no")

    memory = Foresight({"a": {slot(1): 0}})
    with pytest.raises(ReadFailed):
        Chain().run(memory.ahead("a", angry()))
    assert memory == Foresight({"a": {slot(1): 0}})


def test_ahead__abandoned__closes_the_program() -> None:
    closed = []

    def patient() -> Reads[None]:
        try:
            yield [slot(5)]
        finally:
            closed.append(True)

    memory = Foresight()
    run = memory.ahead("a", patient())
    next(run)
    run.close()
    assert closed == [True]
    assert memory == Foresight()


def test_ahead__program_asks_nothing__is_answered() -> None:
    def silent(batches: int) -> Reads[int]:
        told = 0
        for _ in range(batches):
            told += (yield []) == []
        return told

    memory, chain = Foresight(), Chain()
    assert chain.run(memory.ahead("a", silent(0))) == 0
    assert chain.run(memory.ahead("a", silent(2))) == 2
    assert chain.batches == []
    assert memory == Foresight()


def test_ahead__many_runs__keeps_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "MOST_RUNS", 2)
    memory = Foresight()
    for name in ("a", "b", "a", "c"):
        Chain().run(memory.ahead(name, follow([1], 1)))
    assert list(memory.runs) == ["a", "c"]


def test_ahead__too_many_reads__remembers_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "MOST_READS", 2)
    memory = Foresight({"a": {slot(1): 0}})
    Chain().run(memory.ahead("a", follow([1, 2, 3], 1)))
    assert memory.runs == {}
    assert memory.changed


small = st.integers(0, 7)
results = st.one_of(
    small.map(lambda n: Ok(n.to_bytes(32, "big"))),
    st.just(NoCode()),
    st.just(Reverted(b"no")),
    st.just(Unknown("lasting")),
)


@given(
    first=st.lists(small, min_size=1, max_size=4),
    rounds=st.integers(1, 5),
    table=st.dictionaries(small, results),
    expected=st.lists(small),
    sulking=st.lists(small, unique=True),
)
def test_foreseen__any_memory__answers_as_without_it(
    first: list[int], rounds: int, table: dict[int, Result], expected: list[int], sulking: list[int]
) -> None:
    ahead = [slot(n) for n in expected]
    cold, warm = Chain(table), Chain(table)
    assert warm.run(foreseen(follow(first, rounds), ahead)) == cold.run(follow(first, rounds))
    assert len(warm.batches) <= len(cold.batches) + 1
    # Reads that fail once fail no oftener in the company of others than they would alone.
    alone, company = Chain(table, sulking), Chain(table, sulking)
    truth = alone.run(follow(first, rounds))
    told = company.run(foreseen(follow(first, rounds), ahead))
    assert told.count(Unknown("not now")) <= truth.count(Unknown("not now"))


addresses = st.sampled_from([address(n) for n in (0, 1, 2**80, 2**160 - 1)])
literal = st.builds(Call, addresses, st.binary(max_size=40), st.none() | addresses)
calls = st.recursive(
    literal,
    lambda inner: st.builds(
        Call,
        st.builds(Pointer, inner, st.integers(0, 2047)),
        st.binary(max_size=4),
        st.none() | addresses,
    ),
    max_leaves=3,
)
reads = st.one_of(
    calls,
    st.builds(NativeBalance, addresses),
    st.builds(Code, addresses),
    st.builds(Storage, addresses, st.integers(0, 2**256 - 1)),
)
memories = st.dictionaries(
    st.text(max_size=3), st.dictionaries(reads, st.integers(0, 2), max_size=4), max_size=2
)


@settings(max_examples=50)
@given(memories)
def test_dump__any_memory__loads_the_same(runs: dict[str, dict[Read, int]]) -> None:
    assert Foresight.load(Foresight(runs).dump()) == Foresight(runs)


@settings(max_examples=50)
@given(memories, st.data())
def test_load__damaged__is_empty_or_a_memory(
    runs: dict[str, dict[Read, int]], data: st.DataObject
) -> None:
    whole = Foresight(runs).dump()
    at = data.draw(st.integers(0, len(whole) - 1))
    for broken in (whole[:at], whole[:at] + data.draw(st.binary(min_size=1)) + whole[at + 1 :]):
        found = Foresight.load(broken)
        assert Foresight.load(found.dump()) == found


WHO = address(5)
DEEP: list[object] = ["call", WHO, "", None]
for _ in range(9):
    DEEP = ["call", [*DEEP, 0], "", None]


@pytest.mark.parametrize(
    "entry",
    [
        [],
        [0],
        [0, "what", WHO],
        [-1, "code", WHO],
        [True, "code", WHO],
        [0, "code", "0x12"],
        [0, "code", 12],
        [0, "storage", WHO, "0x-1"],
        [0, "storage", WHO, "-0x1"],
        [0, "storage", WHO, hex(1 << 256)],
        [0, "call", WHO, "0", None],
        [0, "call", WHO, "00"],
        [0, "call", ["code", WHO, 0], "00", None],
        [0, "call", [], "00", None],
        [0, "call", WHO, "00", 7],
        [0, *DEEP],
    ],
    ids=str,
)
def test_load__entry_that_is_no_read__is_empty(entry: list[object]) -> None:
    text = orjson.dumps({"version": prefetch.VERSION, "runs": {"a": [entry]}})
    assert Foresight.load(text) == Foresight()


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"{}", b'{"version":0,"runs":{}}', b'{"version":1,"runs":[]}']
)
def test_load__other_document__is_empty(text: bytes) -> None:
    assert Foresight.load(text) == Foresight()


def test_load__address_in_lower_case__is_the_same_address() -> None:
    who = Address("0x52908400098527886E0F7030069857D2E4169EE7")
    text = Foresight({"a": {Code(who): 0}}).dump().replace(who.encode(), who.lower().encode())
    assert Foresight.load(text).runs == {"a": {Code(who): 0}}
