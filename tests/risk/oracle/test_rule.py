"""The rule of a feed, learned from rounds that a known rule made."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.prices.state import Round
from risk.oracle.rule import learn
from tests.risk.oracle.feeds import P, played


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([1_200, 3_600, 14_400]),
    st.sampled_from([0.0025, 0.005, 0.01]),
    st.integers(0, 10_000),
)
def test_learn__feed_of_a_known_rule__finds_it(
    heartbeat_s: int, deviation: float, seed: int
) -> None:
    rounds = played(heartbeat_s=heartbeat_s, deviation=deviation, days=12, seed=seed)[-500:]
    found = learn(rounds)
    if found.heartbeat_s is not None:
        assert found.heartbeat_s == pytest.approx(heartbeat_s, rel=0.02)
    else:
        assert found.by_heartbeat == 0
        silences = np.diff([r.updated_at for r in rounds])
        assert (silences >= heartbeat_s).sum() < max(4, 0.03 * len(rounds))
    if found.by_deviation >= 20:
        assert found.deviation_bps == pytest.approx(deviation * 1e4, rel=0.1)
        assert found.explained_frac is not None
        assert found.explained_frac > 0.85


def test_learn__calm_market__knows_the_heartbeat_and_a_floor_of_the_deviation() -> None:
    rounds = played(heartbeat_s=3_600, deviation=0.01, days=10, seed=1, sigma_daily=0.0005)
    found = learn(rounds)
    assert found.heartbeat_s == 3_600
    assert found.deviation_bps is None
    assert found.quiet_bps is not None
    assert 0 < found.quiet_bps < 20
    assert "before the heartbeat are too few" in found.causes[0]
    assert found.explained_frac == 1


def test_learn__wild_market__knows_the_deviation_and_no_heartbeat() -> None:
    rounds = played(heartbeat_s=86_400, deviation=0.005, days=6, seed=2, sigma_daily=0.08)
    found = learn(rounds)
    assert found.heartbeat_s is None
    assert found.deviation_bps == pytest.approx(50, rel=0.1)
    assert found.longest_s is not None
    assert found.longest_s < 86_400
    assert "no silence recurs" in found.causes[0]


def test_learn__an_outage__is_overdue_and_no_heartbeat() -> None:
    rounds = played(heartbeat_s=3_600, deviation=0.005, days=10, seed=3, sigma_daily=0.02)
    cut = len(rounds) // 2
    rounds = rounds[:cut] + [replace(r, updated_at=r.updated_at + 30_000) for r in rounds[cut:]]
    found = learn(rounds)
    assert found.heartbeat_s == 3_600
    assert found.overdue == 1


@pytest.mark.parametrize("count", [0, 1, 15])
def test_learn__too_few_rounds__is_not_known(count: int) -> None:
    found = learn(played(heartbeat_s=3_600, deviation=0.005, days=5, seed=1)[:count])
    assert (found.heartbeat_s, found.deviation_bps, found.explained_frac) == (None, None, None)
    assert "too few to learn from" in found.causes[0]


def test_learn__a_new_phase_or_a_hole__is_no_silence() -> None:
    rounds = played(heartbeat_s=3_600, deviation=0.005, days=10, seed=4)
    jumped = [
        r if i < 100 else Round(r.id + 7, r.answer, r.updated_at) for i, r in enumerate(rounds)
    ]
    phased = [
        r if i < 100 else Round(r.id + P, r.answer, r.updated_at) for i, r in enumerate(rounds)
    ]
    assert learn(jumped).updates == len(rounds) - 2 == learn(phased).updates


def test_learn__answer_repeated_often__is_no_deviation_of_zero() -> None:
    rounds = [Round(P + n, 100, 1_000 + 60 * n + 13 * (n * n % 7)) for n in range(1, 80)]
    found = learn(rounds)
    assert found.deviation_bps is None


def test_learn__some_updates_of_other_making__change_nothing() -> None:
    rounds = played(
        heartbeat_s=86_400, deviation=0.02, days=200, seed=6, sigma_daily=0.012, tick_s=60
    )
    before = learn(rounds)
    assert (before.heartbeat_s, before.by_deviation > 8) == (86_400, True)
    moved, extra = [], 0
    for i, r in enumerate(rounds):
        moved.append(Round(r.id + extra, r.answer, r.updated_at))
        if i in (50, 60, 70):  # said again within minutes
            extra += 1
            moved.append(Round(r.id + extra, r.answer, r.updated_at + 200))
    after = learn(moved)
    assert after.heartbeat_s == 86_400
    assert after.deviation_bps == pytest.approx(200, rel=0.05)
