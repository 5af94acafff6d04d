"""A feed's rule applied to prices."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from risk.oracle.replay import Behaviour, replay
from risk.oracle.rule import learn
from tests.risk.oracle.feeds import played


def by_hand(log: list[float], step: int, rule: Behaviour, gap: float, age: float) -> list[float]:
    """Play one path without latency, as the rule is said in words."""
    said, out = gap, []
    for now in log:
        age += step
        ratio = np.exp(now) / np.exp(said)
        if abs(ratio - 1) >= rule.deviation_frac or age >= rule.heartbeat_s:
            said, age = now, 0
        out.append(said)
    return out


@given(
    st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=40),
    st.floats(0.001, 0.05),
    st.integers(1, 20),
    st.floats(-0.02, 0.02),
    st.integers(0, 600),
)
def test_replay__against_the_rule_in_words__agrees(
    moves: list[float], deviation: float, beats: int, gap: float, age: int
) -> None:
    log = np.cumsum(moves)
    rule = Behaviour(deviation, beats * 60.0)
    found = replay(log[None, :], 60, rule, gap_log=gap, age_s=age)[0]
    expected = by_hand(log.tolist(), 60, rule, gap, age)
    assert np.allclose(found, expected, atol=1e-12)


def test_replay__every_path__is_within_the_deviation_of_the_market() -> None:
    log = np.cumsum(np.random.default_rng(0).normal(0, 0.004, (500, 100)), axis=1)
    found = replay(log, 60, Behaviour(0.01, float("inf")))
    assert np.all(np.abs(np.exp(log - found) - 1) < 0.01)
    assert np.any(found != log)


def test_replay__no_deviation_known__follows_every_move() -> None:
    log = np.cumsum(np.random.default_rng(0).normal(0, 0.004, (5, 50)), axis=1)
    assert np.array_equal(replay(log, 60, Behaviour(0.0, 3_600.0)), log)


def test_replay__latency__lands_later_with_the_price_of_its_trigger() -> None:
    log = np.array([[0.0, 0.5, 0.9, 1.5, 1.5, 1.5, 1.5]])
    found = replay(log, 60, Behaviour(0.1, float("inf"), 90))
    assert found[0].tolist() == [0, 0, 0, 0.5, 0.5, 0.5, 1.5]


def test_replay__learned_rule_on_its_own_feed__speaks_as_often() -> None:
    made = {"heartbeat_s": 3_600, "deviation": 0.005, "days": 10.0, "seed": 5, "jitter_s": 0}
    rounds = played(**made)  # type: ignore[arg-type]
    rng = np.random.default_rng(5)
    steps = int(10 * 86_400 / 12)
    log = np.cumsum(rng.normal(0, 0.04 * (12 / 86_400) ** 0.5, steps))
    said = replay(log[None, :] - log[0], 12, Behaviour.of(learn(rounds)))
    times = int((np.diff(said[0]) != 0).sum())
    assert abs(times / (len(rounds) - 1) - 1) < 0.05
