"""A feed's past, across its phases."""

from collections.abc import Sequence
from typing import TypeVar

import pytest

from chain.calls import NoCode, Pointer, Read, ReadFailed, Reads, Result, Unknown
from protocols.prices import rounds
from protocols.prices.feed import LATEST
from protocols.prices.rounds import Extent, read_extent, read_ids, read_rounds
from protocols.prices.state import Round
from tests.protocols.prices.build import NO, NOW, address, latest, words
from tests.support.referee import drive

FEED = address(0xF)
P = 1 << 64
T = TypeVar("T")


def read(count: int, answers: dict[Read, Result]) -> tuple[Round, ...]:
    """Run the program on a dictionary; the rest reverts."""
    asked = 0

    def answer(batch: Sequence[Read]) -> Sequence[Result]:
        nonlocal asked
        asked += 1
        return [answers.get(read, NO) for read in batch]

    found = drive(read_rounds(FEED, count), answer)
    assert asked <= 3
    return found


def history(*phases: list[int]) -> dict[Read, Result]:
    """Return a proxy's answers, one list of answers per phase."""
    answers: dict[Read, Result] = {
        LATEST.at(FEED): latest(5, round_id=len(phases) * P + len(phases[-1])),
        rounds.PHASE.at(FEED): words(len(phases)),
    }
    for phase, given in enumerate(phases, 1):
        last = rounds.LAST_ROUND.at(Pointer(rounds.AGGREGATOR.at(FEED, phase)))
        answers[last] = words(len(given))
        answers[rounds.GET_ROUND.at(FEED, phase * P)] = words(phase * P, 0, 0, 0, 0)
        for n, answer in enumerate(given, 1):
            id_ = phase * P + n
            time = NOW if answer else 0
            answers[rounds.GET_ROUND.at(FEED, id_)] = words(id_, answer, time, time, id_)
    return answers


def test_read_rounds__inside_one_phase__newest_first() -> None:
    found = read(2, history([1], [11, 12, 13]))
    assert found == (Round(2 * P + 3, 13, NOW), Round(2 * P + 2, 12, NOW))
    assert found[0].phase == 2


def test_read_rounds__over_the_boundary__goes_on_in_the_phase_before() -> None:
    found = read(6, history([1, 2], [], [31], [41, 42]))
    assert [r.answer for r in found] == [42, 41, 31, 2, 1]


def test_read_rounds__rounds_without_an_answer__are_left_out() -> None:
    answers = history([1, 0, 3], [11, 0, -13, 14])
    del answers[rounds.GET_ROUND.at(FEED, P + 1)]
    assert [r.answer for r in read(9, answers)] == [14, 11, 3]


def test_read_rounds__feed_without_phases__has_only_its_own() -> None:
    answers: dict[Read, Result] = {LATEST.at(FEED): latest(5, round_id=2)}
    answers |= {rounds.GET_ROUND.at(FEED, n): words(n, n, NOW, NOW, n) for n in (1, 2)}
    assert [r.id for r in read(5, answers)] == [2, 1]


@pytest.mark.parametrize(
    "where",
    [
        LATEST.at(FEED),
        rounds.PHASE.at(FEED),
        rounds.GET_ROUND.at(FEED, 2 * P + 1),
        rounds.GET_ROUND.at(FEED, P + 1),
        rounds.LAST_ROUND.at(Pointer(rounds.AGGREGATOR.at(FEED, 1))),
    ],
)
@pytest.mark.parametrize("bad", [Unknown("down"), NoCode()])
def test_read_rounds__an_answer_not_learned__fails(where: Read, bad: Result) -> None:
    with pytest.raises(ReadFailed):
        read(5, history([1], [11]) | {where: bad})


def test_read_rounds__phase_contradicts_the_round__fails() -> None:
    with pytest.raises(ReadFailed, match="is not the phase of round"):
        read(5, history([1], [11]) | {rounds.PHASE.at(FEED): words(3)})


def asked(program: Reads[T], answers: dict[Read, Result]) -> T:
    """Run a program on a dictionary; the rest reverts."""
    return drive(program, lambda batch: [answers.get(read, NO) for read in batch])


def test_read_extent__three_phases__the_last_round_of_each() -> None:
    found = asked(read_extent(FEED), history([1, 2], [], [31, 32, 33]))
    assert found == Extent(3 * P + 3, ((3, 3), (2, 0), (1, 2)))


def test_read_extent__feed_without_phases__is_phase_zero() -> None:
    assert asked(read_extent(FEED), {LATEST.at(FEED): latest(5, round_id=7)}) == Extent(
        7, ((0, 7),)
    )


def test_read_extent__aggregator_gone__its_phase_has_no_rounds() -> None:
    gone = rounds.LAST_ROUND.at(Pointer(rounds.AGGREGATOR.at(FEED, 1)))
    found = asked(read_extent(FEED), history([1, 2], [3]) | {gone: NoCode()})
    assert found.lasts == ((2, 1), (1, 0))


def test_read_extent__last_round_not_learned__fails() -> None:
    lost = rounds.LAST_ROUND.at(Pointer(rounds.AGGREGATOR.at(FEED, 1)))
    with pytest.raises(ReadFailed, match="down"):
        asked(read_extent(FEED), history([1, 2], [3]) | {lost: Unknown("down")})


def test_read_extent__phase_contradicts_the_round__fails() -> None:
    with pytest.raises(ReadFailed, match="is not the phase of round"):
        asked(read_extent(FEED), history([1], [2]) | {rounds.PHASE.at(FEED): words(1)})


def test_before__over_the_boundary__never_names_round_zero() -> None:
    extent = Extent(3 * P + 2, ((3, 2), (2, 0), (1, 3)))
    assert extent.before(3 * P + 2, 9) == (3 * P + 1, P + 3, P + 2, P + 1)
    assert extent.before(3 * P + 3, 3, 2) == (3 * P + 2, P + 2)
    assert extent.before(P + 2, 9) == (P + 1,)
    assert extent.before(3 * P + 3, 0) == ()


def test_read_ids__some_hold_nothing__are_left_out_in_order() -> None:
    answers = history([1, 0, 3])
    assert [r.answer for r in asked(read_ids(FEED, [P + 3, P + 2, P + 1]), answers)] == [3, 1]
    assert asked(read_ids(FEED, [P]), answers) == ()


def test_read_ids__one_not_learned__fails() -> None:
    answers = history([1, 2]) | {rounds.GET_ROUND.at(FEED, P + 1): Unknown("down")}
    with pytest.raises(ReadFailed, match="down"):
        asked(read_ids(FEED, [P + 2, P + 1]), answers)
