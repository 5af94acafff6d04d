"""How fast blocks come, as a watcher learns it."""

import pytest

from underkeel.monitor.watcher import BLOCK_S, Rhythm


def test_rhythm__nothing_is_known__the_first_interval_is_believed_at_once() -> None:
    rhythm = Rhythm()
    rhythm.arrived(10, 100.0)
    assert rhythm.block_s == BLOCK_S
    rhythm.arrived(14, 108.0)
    assert rhythm.block_s == 2.0
    rhythm.arrived(15, 114.0)
    assert rhythm.block_s == 3.0


def test_rhythm__known_network__is_left_slowly_and_faster_for_many_blocks() -> None:
    one, many = Rhythm(12.0, guessed=False), Rhythm(12.0, guessed=False)
    for rhythm, blocks in ((one, 1), (many, 8)):
        rhythm.arrived(1, 0.0)
        rhythm.arrived(1 + blocks, 4.0 * blocks)
    assert one.block_s == 10.0
    assert 4.0 < many.block_s < 5.0


@pytest.mark.parametrize(("number", "at"), [(5, 9.0), (4, 9.0)], ids=["same", "lower"])
def test_rhythm__no_new_block__says_nothing(number: int, at: float) -> None:
    rhythm = Rhythm()
    rhythm.arrived(5, 1.0)
    rhythm.arrived(number, at)
    assert (rhythm.block_s, rhythm.guessed) == (BLOCK_S, True)


def test_rhythm__a_chain_that_stood_still__leaves_little_more_time_than_before() -> None:
    for rhythm, most in ((Rhythm(2.0, guessed=False), 3.5), (Rhythm(), 48.0)):
        rhythm.arrived(1, 0.0)
        rhythm.arrived(2, 3_600.0)
        assert rhythm.block_s == most


def test_rhythm__lies_about_heads__the_truth_is_learned_within_blocks() -> None:
    rhythm = Rhythm(12.0, guessed=False)
    rhythm.arrived(1, 0.0)
    rhythm.arrived(2**63 - 1, 12.0)
    assert rhythm.block_s == pytest.approx(0.01)
    rhythm.arrived(2, 24.0)
    for number in range(3, 33):
        rhythm.arrived(number, 12.0 * number)
    assert 11.9 < rhythm.block_s < 12.1
