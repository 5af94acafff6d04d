"""Questions about many accounts: the lens and ordinary reads agree; unknown is not zero."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain import grid
from chain.abi import Function
from chain.bulk import Answers, Chunk, Chunks, NoLens, Step
from chain.calls import Call, NativeBalance, NoCode, Ok, Read, Result, Reverted, Unknown
from chain.grid import NATIVE, Grid, Hole, Misshapen, Question, ask, question
from chain.types import Address
from tests.support.fake_chain import address

BALANCE = Function("balanceOf(address)(uint256)")
ALLOWANCE = Function("allowance(address,address)(uint256)")
CONVERT = Function("convertToAssets(uint256)(uint256)")
COIN, VAULT, SPENDER = address(1), address(2), address(3)
PEOPLE = [address(0x100 + i) for i in range(40)]
QUESTIONS = (
    NATIVE,
    question(BALANCE, COIN, Hole.ACCOUNT),
    question(ALLOWANCE, COIN, Hole.ACCOUNT, SPENDER),
    question(BALANCE, VAULT, Hole.ACCOUNT),
    question(CONVERT, VAULT, Hole.ANSWER, after=3),
)
DUD = Reverted(b"\1")


def holds(who: Address, number: int) -> int:
    """Return what an account would answer; most of it zero."""
    dice = int(who, 16) * 7 + number * 5
    return 0 if dice % 3 else 2 ** (dice % 256)


def truth(read: Read) -> Result:
    """Answer as the chain does."""
    if isinstance(read, NativeBalance):
        return Ok(holds(read.account, 0).to_bytes(32, "big"))
    assert isinstance(read, Call)
    if read.data[:4] == CONVERT.selector:
        shares = int.from_bytes(read.data[4:], "big")
        return Ok((shares // 2).to_bytes(32, "big"))
    number = {COIN: 1, VAULT: 3}[read.target] + (read.data[:4] == ALLOWANCE.selector)  # type: ignore[index]
    return Ok(holds(Address("0x" + read.data[16:36].hex()), number).to_bytes(32, "big"))


def entry(row: int, number: int, status: int, word: int = 0) -> bytes:
    """Return what the lens writes of an answer."""

    def half(upper: int, value: int) -> bytes:
        head = row.to_bytes(4, "big") + number.to_bytes(2, "big") + bytes([status, upper])
        return head + value.to_bytes(16, "big")

    return (half(1, word >> 128) if word >> 128 else b"") + half(0, word % 2**128)


def chunk(first: int, asked: int, entries: Sequence[bytes], done: int | None = None) -> Chunk:
    data = b"".join(entries)
    count = (len(data) // 24).to_bytes(4, "big")
    return Chunk(first, asked, asked if done is None else done, count + data)


def run(
    lens: Callable[[bytes], Any],
    people: Sequence[Address] = PEOPLE,
    answer: Callable[[Read], Result] = truth,
    **kwargs: Any,
) -> tuple[Grid, list[int]]:
    """Drive a reader; return its answers, and how many ordinary reads each round had."""
    program, rounds = ask(people, QUESTIONS, **kwargs), []
    step: Step = next(program)
    try:
        while True:
            rounds.append(len(step.reads))
            found = lens(step.lens.head + step.lens.accounts) if step.lens else None
            step = program.send(Answers([answer(read) for read in step.reads], found))
    except StopIteration as stop:
        return stop.value[0], rounds


def none(_: bytes) -> NoLens:
    return NoLens("none here")


def written(people: Sequence[Address], failing: dict[tuple[int, int], int] | None = None) -> Any:
    """Return what the lens answers of people, some cells failing with a status."""
    entries, failing = [], failing or {}
    for row, who in enumerate(people):
        for number in range(4):
            if (row, number) in failing:
                entries.append(entry(row, number, failing[row, number]))
            elif word := holds(who, number):
                entries.append(entry(row, number, 0, word))
                if number == 3 and (row, 4) in failing:
                    entries.append(entry(row, 4, failing[row, 4]))
                elif number == 3 and word > 1:
                    entries.append(entry(row, 4, 0, word // 2))
    return lambda _: Chunks((chunk(0, len(people), entries),), (), len(people))


def same(one: Grid, other: Grid) -> None:
    for name in ("accounts", "account", "question", "words"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert (one.unread, one.missing) == (other.unread, other.missing)


def test_ask__no_lens__is_every_answer_by_ordinary_reads() -> None:
    found, rounds = run(none)
    holders = sum(holds(who, 3) > 0 for who in PEOPLE)
    assert rounds == [0, 4 * len(PEOPLE), holders]
    for row, who in enumerate(PEOPLE):
        results = found.results(row)
        assert results[:4] == [Ok(holds(who, n).to_bytes(32, "big")) for n in range(4)]
        assert results[4] == Ok((holds(who, 3) // 2).to_bytes(32, "big"))
    assert (len(found), found.address(2)) == (len(PEOPLE), PEOPLE[2])


def test_ask__a_lens__is_the_same_without_ordinary_reads() -> None:
    plain, _ = run(none)
    packed = np.frombuffer(bytes.fromhex("".join(p[2:] for p in PEOPLE)), np.uint8).reshape(-1, 20)
    found, rounds = run(written(PEOPLE), packed)  # type: ignore[arg-type]
    assert rounds == [0]
    same(found, plain)


def test_ask__runs_of_any_size__are_put_together() -> None:
    plain, _ = run(none)
    head = written(PEOPLE[:15])(b"").chunks[0]
    tail = written(PEOPLE[15:])(b"").chunks[0]
    chunks = (head, Chunk(15, tail.asked, tail.done, tail.data))
    same(run(lambda _: Chunks(chunks, (), len(PEOPLE)))[0], plain)


@given(st.dictionaries(st.tuples(st.integers(0, 39), st.integers(0, 4)), st.sampled_from([1, 3, 4]),
                       max_size=30))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_ask__cells_that_the_lens_could_not_read__are_read_by_themselves(
    failing: dict[tuple[int, int], int],
) -> None:
    plain, _ = run(none)
    same(run(written(PEOPLE, failing))[0], plain)


@pytest.mark.parametrize("bad", [DUD, NoCode(), Unknown("timeout"), Ok(b""), Ok(bytes(31))])
def test_ask__an_answer_that_is_no_word__is_unread_with_what_depends_on_it(bad: Result) -> None:
    def answer(read: Read) -> Result:
        return bad if isinstance(read, Call) and read.target == VAULT else truth(read)

    failing = {(row, 3): 1 for row in range(5)}
    found, rounds = run(written(PEOPLE[:5], failing), PEOPLE[:5], answer)
    plain, _ = run(none, PEOPLE[:5], answer)
    same(found, plain)
    assert rounds == [0, 5]
    assert found.unread == {(row, 3): bad for row in range(5)}
    assert found.results(0)[3:] == [bad, bad]
    assert isinstance(found.results(0)[1], Ok)


def test_ask__a_question_that_always_fails__is_tried_on_a_sample_only() -> None:
    failing = {(row, 1): 1 for row in range(40)}
    found, rounds = run(written(PEOPLE, failing), answer=lambda _: DUD)
    assert rounds == [0, grid.SAMPLE]
    assert found.unread[0, 1] == DUD
    assert found.unread[39, 1] == Unknown("reverted")


def test_ask__accounts_that_the_lens_missed__are_read_by_themselves() -> None:
    plain, _ = run(none)
    first = written(PEOPLE[:30])(b"").chunks
    found, _ = run(lambda _: Chunks(first, ((30, 10, "too large"),), 40))
    same(found, plain)


def test_ask__too_many_missed__are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "ALONE", 3)
    found, _ = run(lambda _: Chunks((), ((0, 40, "too large"),), 40))
    assert found.missing == dict.fromkeys(range(3, 40), "too large")
    assert found.results(5) == [Unknown("too large")] * 5
    assert all(isinstance(result, Ok) for result in found.results(2))


def test_ask__reads_beside__travel_in_the_first_round() -> None:
    program = ask(PEOPLE, QUESTIONS, beside=[NativeBalance(COIN)])
    assert next(program).reads == [NativeBalance(COIN)]
    with pytest.raises(StopIteration) as stop:
        program.send(Answers([DUD], written(PEOPLE)(b"")))
    assert stop.value.value[1] == [DUD]


@pytest.mark.parametrize("data", [b"", b"\0\0\0\1", b"\0\0\0\0\0"])
def test_ask__an_answer_of_another_shape__is_refused(data: bytes) -> None:
    with pytest.raises(Misshapen):
        run(lambda _: Chunks((Chunk(0, 40, 40, data),), (), 40))


@pytest.mark.parametrize(
    "entries",
    [
        [entry(40, 1, 0, 5)],
        [entry(2**32 - 1, 1, 0, 5)],
        [entry(0, 5, 0, 5)],
        [entry(0, 5, 1)],
        [entry(0, 1, 2)],
        [entry(0, 1, 255)],
        [entry(0, 4, 1)],
        [entry(0, 1, 0, 2**200)[:24]],
        [entry(0, 1, 0, 2**200)[:24], entry(0, 2, 0, 5)],
        [entry(0, 1, 0, 2**200)[:24], entry(0, 1, 1, 5)],
        [entry(0, 1, 0, 2**200)[:24] * 2, entry(0, 1, 0, 5)],
        [entry(0, 1, 0, 5)[:7] + b"\7" + entry(0, 1, 0, 5)[8:]],
    ],
)
def test_ask__an_answer_to_what_was_not_asked__is_refused(entries: list[bytes]) -> None:
    with pytest.raises(Misshapen):
        run(lambda _: Chunks((chunk(0, 40, entries),), (), 40))


def test_question__what_is_none__is_refused() -> None:
    with pytest.raises(ValueError, match="not a question"):
        question(Function("owner(address)(address)"), COIN, Hole.ACCOUNT)
    with pytest.raises(ValueError, match="not a question"):
        question(CONVERT, VAULT, Hole.ANSWER)
    with pytest.raises(ValueError, match="more than a word"):
        question(Function("f(address,bytes)(uint256)"), COIN, Hole.ACCOUNT, b"\1")
    with pytest.raises(ValueError, match="not enough values"):
        question(BALANCE, COIN, PEOPLE[0])


def test_question__as_a_read__is_the_functions_own_call() -> None:
    assert QUESTIONS[2].read(PEOPLE[0]) == ALLOWANCE.at(COIN, PEOPLE[0], SPENDER)
    assert QUESTIONS[4].read(PEOPLE[0], 77) == CONVERT.at(VAULT, 77)
    assert Question().read(PEOPLE[0]) == NativeBalance(PEOPLE[0])
