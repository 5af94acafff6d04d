"""A feed weighed: each fact against it is said, and nothing unknown is called sound."""

from dataclasses import replace
from typing import Any

import pytest

from chain.types import BlockRef
from protocols.prices.state import Round, Sequencer, SequencerState, Upkeep
from risk.oracle.trust import judge
from risk.oracle.types import FeedGap, FeedTrust, MarketGap, NextKind, Verdict
from tests.protocols.prices.build import address
from tests.risk.oracle.feeds import P, played

ROUNDS = played(heartbeat_s=3_600, deviation=0.005, days=10, seed=1)
LAST = ROUNDS[-1]
AT = BlockRef(1, 5, "0x" + "1" * 64, "0x" + "2" * 64, LAST.updated_at + 600)
SOUND = Upkeep(
    feed=address(1),
    label="ETH / USD",
    decimals=8,
    round_id=LAST.id,
    answer=LAST.answer,
    updated_at=LAST.updated_at,
    phase=1,
    owner=address(2),
    aggregator=address(3),
    aggregator_owner=address(4),
    aggregator_kind="x",
    proposed=None,
    access=None,
    minimum=1,
    maximum=10**20,
)
MARKET = MarketGap(address(9), "twap(0x9, 1800)", "USDC", 0.001, 0.002, 1e6, 0.0005)


def weigh(upkeep: Upkeep = SOUND, **facts: Any) -> FeedTrust:
    """Judge a feed that is sound but for the given facts."""
    rounds = facts.pop("rounds", ROUNDS)
    at = facts.pop("at", AT)
    return judge(upkeep, rounds, at, **({"market": MARKET} | facts))


def test_judge__nothing_against_it__is_sound_with_its_evidence() -> None:
    found = weigh()
    assert (found.verdict, found.problems, found.unknown) == (Verdict.SOUND, (), ())
    assert found.age_s == 600
    assert found.rule.heartbeat_s == 3_600
    assert found.next.kind is NextKind.HEARTBEAT
    assert found.next.in_s == 3_000
    assert found.next.price_raw == pytest.approx(LAST.answer * 1.002, abs=1)


DOWN = Sequencer(SequencerState.DOWN, 5, "the sequencer is down since 5")


def test_judge__pool_off_and_another_token_agrees__is_sound() -> None:
    off = replace(MARKET, mean_frac=-0.25)
    assert weigh(market=off).verdict is Verdict.DOUBTFUL
    assert "or the price of USDC is" in weigh(market=off).problems[0]
    assert weigh(market=replace(off, least_elsewhere=0.001)).verdict is Verdict.SOUND
    assert weigh(market=replace(off, least_elsewhere=0.2)).verdict is Verdict.DOUBTFUL


@pytest.mark.parametrize(
    ("upkeep", "facts", "problem"),
    [
        (replace(SOUND, answer=0), {}, "answers 0"),
        (replace(SOUND, updated_at=AT.timestamp + 5), {}, "updated 5 s after the block"),
        (replace(SOUND, updated_at=AT.timestamp - 3_720), {}, "stale: 3720 s old"),
        (SOUND, {"promised_s": 300}, "it speaks at least every 300 s"),
        (replace(SOUND, minimum=LAST.answer), {}, "the least it may"),
        (replace(SOUND, minimum=LAST.answer * 6 // 10), {}, "cannot answer below 60%"),
        (replace(SOUND, maximum=LAST.answer), {}, "the most it may"),
        (replace(SOUND, proposed=address(8)), {}, "has proposed another aggregator"),
        (SOUND, {"sequencer": DOWN}, "the sequencer is down since 5"),
        (SOUND, {"market": replace(MARKET, mean_frac=-0.05)}, "twap(0x9, 1800) is -5.0% off"),
        (SOUND, {"others": [FeedGap("feed(0x7)", "", 0.03)]}, "feed(0x7) is +3.0% off"),
    ],
)
def test_judge__one_fact_against_it__is_doubtful_and_says_it(
    upkeep: Upkeep, facts: dict[str, Any], problem: str
) -> None:
    found = weigh(upkeep, **facts)
    assert found.verdict is Verdict.DOUBTFUL
    assert len(found.problems) == 1
    assert problem in found.problems[0]


def test_judge__aggregator_replaced_lately__is_said() -> None:
    cut = len(ROUNDS) - 40
    phased = [
        r if i < cut else Round(r.id + P, r.answer, r.updated_at) for i, r in enumerate(ROUNDS)
    ]
    (problem,) = weigh(rounds=phased).problems
    assert "was replaced about" in problem


def test_judge__outage_in_its_past__is_said() -> None:
    cut = len(ROUNDS) // 2
    late = [
        replace(r, updated_at=r.updated_at - (9_999 if i < cut else 0))
        for i, r in enumerate(ROUNDS)
    ]
    assert "beyond its heartbeat once" in weigh(rounds=late).problems[0]


@pytest.mark.parametrize(
    ("upkeep", "facts", "cause"),
    [
        (replace(SOUND, updated_at=None), {}, "it tells no time"),
        (SOUND, {"rounds": []}, "too few to learn from"),
        (replace(SOUND, unknown=("owner: down",)), {}, "owner: down"),
        (SOUND, {"unread": ["rounds: down"]}, "rounds: down"),
        (SOUND, {"sequencer": Sequencer(SequencerState.UNKNOWN, None, "no idea")}, "no idea"),
        (replace(SOUND, answer=None, unknown=("latestRoundData: x",)), {}, "latestRoundData: x"),
    ],
)
def test_judge__something_not_known__is_unknown_and_never_sound(
    upkeep: Upkeep, facts: dict[str, Any], cause: str
) -> None:
    found = weigh(upkeep, **facts)
    assert found.verdict is Verdict.UNKNOWN
    assert any(cause in text for text in found.unknown)


def test_judge__no_pool__is_said_but_does_not_forbid_sound() -> None:
    found = weigh(market=None)
    assert found.verdict is Verdict.SOUND
    assert "no deep enough pool" in found.unknown[0]
    assert found.next.price_raw is None


def test_judge__thin_pool__has_no_opinion() -> None:
    thin = replace(MARKET, depth_usd=500, mean_frac=0.5, spot_frac=0.5)
    found = weigh(market=thin)
    assert found.verdict is Verdict.SOUND
    assert found.next.kind is NextKind.HEARTBEAT


def test_foresee__market_past_the_deviation__update_is_due_at_the_markets_price() -> None:
    found = weigh(market=replace(MARKET, spot_frac=-0.007)).next
    assert (found.kind, found.in_s) == (NextKind.DEVIATION, 0)
    assert found.price_raw == pytest.approx(LAST.answer * 0.993, abs=1)
    assert "past its deviation of 0.50%" in found.why


def test_foresee__heartbeat_passed__is_overdue() -> None:
    found = weigh(replace(SOUND, updated_at=AT.timestamp - 3_610)).next
    assert (found.kind, found.in_s) == (NextKind.OVERDUE, 0)


def test_foresee__nothing_learned__is_unknown_unless_promised() -> None:
    assert weigh(rounds=[]).next.kind is NextKind.UNKNOWN
    found = weigh(rounds=[], promised_s=3_600).next
    assert (found.kind, found.in_s) == (NextKind.HEARTBEAT, 3_000)
    assert "its deviation is not known" in found.why
