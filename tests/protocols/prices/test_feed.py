"""What a feed's answers mean."""

import pytest

from chain.calls import NoCode, Ok, Pointer, Result, Reverted, Unknown
from protocols.prices import feed
from tests.protocols.prices.build import AT, NO, NOW, address, feed_results, latest, text, words


def test_facts__sound_feed__has_answer_age_and_label() -> None:
    facts = feed.facts(feed_results(latest(3000_00000000)), AT)
    assert facts == feed.Feed(
        answer=3000_00000000,
        decimals=8,
        round_id=(2 << 64) + 7,
        updated_at=NOW - 60,
        heartbeat_s=feed.HEARTBEAT_S,
        label="ETH / USD",
        problems=(),
    )


@pytest.mark.parametrize("answer", [0, -1, -(2**255)])
def test_facts__answer_not_positive__is_no_price(answer: int) -> None:
    facts = feed.facts(feed_results(latest(answer)), AT)
    assert facts.answer is None
    assert facts.cause == f"the feed answers {answer}"


def test_facts__incomplete_round__is_no_price() -> None:
    facts = feed.facts(feed_results(latest(5, updated=0)), AT)
    assert (facts.answer, facts.cause) == (None, "the feed's latest round is not complete")


def test_facts__computed_price_without_rounds__has_no_age_and_no_complaint() -> None:
    facts = feed.facts(feed_results(words(0, 5, 0, 0, 0)), AT)
    assert (facts.answer, facts.updated_at, facts.problems) == (5, None, ())


def test_facts__phase_boundary__is_no_price() -> None:
    facts = feed.facts(feed_results(latest(5, round_id=3 << 64)), AT)
    assert (facts.answer, facts.cause) == (None, "no round yet in the feed's new phase")


def test_facts__answered_in_older_round__is_a_problem() -> None:
    facts = feed.facts(feed_results(latest(5, answered_in=(2 << 64) + 6)), AT)
    assert facts.answer == 5
    assert len(facts.problems) == 1
    assert "answered in an older round" in facts.problems[0]


@pytest.mark.parametrize(
    ("heartbeat", "age", "stale"),
    [
        (None, feed.HEARTBEAT_S, False),
        (None, feed.HEARTBEAT_S + 1, True),
        (3600, 3600, False),
        (3600, 3601, True),
    ],
)
def test_facts__age_against_heartbeat__is_stale_beyond_it(
    heartbeat: int | None, age: int, stale: bool
) -> None:
    facts = feed.facts(feed_results(latest(5, updated=NOW - age)), AT, heartbeat)
    assert any("stale" in problem for problem in facts.problems) is stale
    assert facts.answer == 5


def test_facts__updated_after_the_block__is_a_problem() -> None:
    facts = feed.facts(feed_results(latest(5, updated=NOW + 9)), AT)
    assert facts.problems == ("updated 9 s after the block it was read at",)


@pytest.mark.parametrize("bad", [Unknown("timeout"), NoCode(), NO, Ok(b""), Ok(b"\0" * 159)])
def test_facts__latest_unreadable__is_no_price_with_a_cause(bad: Result) -> None:
    facts = feed.facts(feed_results(bad), AT)
    assert facts.answer is None
    assert facts.cause.startswith("latestRoundData: ")


@pytest.mark.parametrize("bad", [Unknown("timeout"), NoCode(), NO, words(256)])
def test_facts__decimals_unreadable__is_no_price_with_a_cause(bad: Result) -> None:
    facts = feed.facts(feed_results(latest(5), bad), AT)
    assert (facts.answer, facts.decimals) == (None, None)
    assert facts.cause.startswith("decimals: ")


def test_facts__capped_adapter__takes_the_age_of_the_oldest_feed_behind_it() -> None:
    results: list[Result] = [
        NO,
        words(8),
        text("Capped wstETH"),
        latest(1),
        NO,
        latest(1, updated=5),
        NO,
    ]
    facts = feed.facts(results, AT)
    assert (facts.answer, facts.updated_at, facts.label) == (None, 5, "Capped wstETH")
    assert any("stale" in problem for problem in facts.problems)


def test_facts__feed_behind_adapter_not_learned__is_a_problem() -> None:
    results: list[Result] = [
        NO,
        words(8),
        text("Capped"),
        Unknown("timeout"),
        NO,
        Ok(b"\1"),
        NO,
        NO,
    ]
    problems = feed.facts(results, AT).problems
    assert problems[0] == "age unknown: timeout"
    assert problems[1].startswith("age unknown: latestRoundData: answered 1 bytes")


@pytest.mark.parametrize("bad", [Unknown("timeout"), NoCode(), Ok(b"\1")])
def test_facts__age_not_learned__is_a_problem(bad: Result) -> None:
    (problem,) = feed.facts(feed_results(bad), AT).problems
    assert problem.startswith("age unknown: ")


def test_reads__of_a_pointer__are_all_through_it() -> None:
    pointer = Pointer(feed.DECIMALS.at(address(1)))
    reads = feed.reads(pointer)
    assert len(reads) == feed.READS
    assert {read.target for read in reads[:3]} == {pointer}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("answer", "started", "problem"),
    [
        (0, NOW - feed.GRACE_S - 1, None),
        (0, NOW - feed.GRACE_S, "within the grace period"),
        (0, NOW, "came back 0 s ago"),
        (1, NOW - 10**6, "is down since"),
        (2, NOW - 10**6, "is down since"),
        (0, 0, "no round yet"),
    ],
)
def test_sequencer_problems__by_state_and_time(
    answer: int, started: int, problem: str | None
) -> None:
    problems = feed.sequencer_problems([words(1, answer, started, started, 1)], AT)
    if problem is None:
        assert problems == ()
    else:
        assert problem in problems[0]


@pytest.mark.parametrize("bad", [Unknown("timeout"), NoCode(), Reverted(b""), Ok(b"")])
def test_sequencer_problems__unreadable__is_unknown_never_well(bad: Result) -> None:
    (problem,) = feed.sequencer_problems([bad], AT)
    assert problem.startswith("sequencer state unknown: ")
