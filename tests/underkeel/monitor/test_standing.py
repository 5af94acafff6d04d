"""What is screened, what is judged at once, and what may wait."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from chain.types import BlockRef
from protocols.types import Position
from risk.types import Status
from tests.support.fake_chain import AT
from tests.underkeel.distance import scene
from underkeel.monitor.screen import Screened, moved, screen
from underkeel.monitor.standing import Standing
from underkeel.portfolio import RawReport

NEXT = BlockRef(1, AT.number + 1, "0x" + "33" * 32, AT.hash, AT.timestamp + 12)


class Clock:
    """Every look takes a tenth of a second."""

    def __init__(self, step: float = 0.1) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def lent(number: int, eth: int = 3000, at: BlockRef = AT, **more: Any) -> Position:
    return replace(scene.held(scene.loan(eth), name=f"1:p:r:o:{number}", **more), at=at)


def raw(*positions: Position, at: BlockRef = AT) -> RawReport:
    return RawReport(at, positions, (), (), (), scene.VALUATION)


def standing(clock: Clock | None = None, near: Fraction = Fraction(11, 10)) -> Standing:
    return Standing(near, refresh_s=1000.0, monotonic=clock or Clock(0.0))


def test_screen__a_loan__has_the_engine_s_own_health() -> None:
    seen = screen(lent(1))
    assert seen.sound
    assert seen.health == Fraction(129, 100)


@pytest.mark.parametrize("more", [{"unknown": ("the oracle",)}, {"verified": False}])
def test_screen__what_is_doubted__is_not_sound(more: dict[str, Any]) -> None:
    assert not screen(lent(1, **more)).sound


def test_screen__nothing_to_liquidate__has_no_health() -> None:
    seen = screen(scene.wallet((scene.USDC, 5)))
    assert (seen.health, seen.sound) == (None, True)


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (Screened(1000, 1000, True, ()), False),
        (Screened(1010, 1000, True, ()), False),
        (Screened(1011, 1000, True, ()), True),
        (Screened(989, 1000, True, ()), True),
        (Screened(1000, 1000, False, ()), True),
        (Screened(1000, 1000, True, ("leg",)), True),
        (Screened(None, 1000, True, ()), True),
    ],
)
def test_moved__by_one_percent_or_in_kind(now: Screened, verdict: bool) -> None:
    assert moved(Screened(1000, 1000, True, ()), now) is verdict
    assert moved(now, now) is False


def test_take__all_new__all_are_judged_whatever_it_costs() -> None:
    kept = standing(Clock())
    taken = kept.take(raw(*(lent(n) for n in range(20))), budget_s=0.0)
    assert len(taken.judged) == 20
    assert taken.worst == Fraction(129, 100)
    assert len(kept.assessments) == 20


def test_take__time_enough__everything_is_judged_each_time() -> None:
    kept = standing()
    kept.take(raw(lent(1), lent(2)), 1.0)
    taken = kept.take(raw(lent(1, at=NEXT), lent(2, at=NEXT), at=NEXT), 1.0)
    assert len(taken.judged) == 2
    assert {a.position.at for a in kept.assessments} == {NEXT}


def test_take__no_time__only_what_is_near_is_judged_and_the_rest_keeps_its_block() -> None:
    kept = standing(Clock())
    kept.take(raw(lent(1), lent(2, 2400)), 0.0)
    taken = kept.take(raw(lent(1, at=NEXT), lent(2, 2400, at=NEXT), at=NEXT), 0.0)
    assert taken.judged == ("1:p:r:o:2",)
    blocks = {a.position.id: a.position.at for a in kept.assessments}
    assert blocks == {"1:p:r:o:1": AT, "1:p:r:o:2": NEXT}
    assert kept.endangered() == {scene.OWNER}


def test_take__moved_and_no_time__waits_and_is_judged_first_next_time() -> None:
    kept = standing(Clock())
    kept.take(raw(lent(1), lent(2)), 0.0)
    fallen = raw(lent(1, 2700, at=NEXT), lent(2, at=NEXT), at=NEXT)
    first = kept.take(fallen, 0.0)
    assert (first.judged, first.waiting) == ((), 1)
    assert first.worst == Fraction(1161, 1000), "its health is known all the same"
    second = kept.take(fallen, 0.35)
    assert (second.judged, second.waiting) == (("1:p:r:o:1",), 0)


def test_take__an_old_judgement__is_made_anew_after_a_while() -> None:
    clock = Clock()
    kept = standing(clock)
    kept.take(raw(lent(1)), 0.0)
    clock.now += 1001
    assert kept.take(raw(lent(1, at=NEXT), at=NEXT), 0.3).judged == ("1:p:r:o:1",)


def test_take__doubted__is_judged_at_each_reading_and_unknown() -> None:
    kept = standing(Clock())
    for _ in range(2):
        assert kept.take(raw(lent(1, unknown=("the oracle",))), 0.0).judged == ("1:p:r:o:1",)
    assert [a.liquidation.status for a in kept.assessments] == [Status.UNKNOWN]


def test_take__no_longer_there__is_gone() -> None:
    kept = standing()
    kept.take(raw(lent(1), lent(2)), 0.0)
    assert kept.take(raw(lent(2)), 0.0).gone == ("1:p:r:o:1",)
    assert [a.position.id for a in kept.assessments] == ["1:p:r:o:2"]


def test_take__some_accounts_only__others_are_neither_gone_nor_new() -> None:
    kept = standing()
    kept.take(raw(lent(1)), 0.0)
    taken = kept.take(raw(at=NEXT), 0.0, accounts=())
    assert taken.gone == ()
    assert [a.position.at for a in kept.assessments] == [AT]


def test_forget__blocks_that_left_the_chain__what_they_said_is_judged_anew() -> None:
    kept = standing(Clock())
    kept.take(raw(lent(1)), 0.0)
    kept.take(raw(lent(1), lent(2, at=NEXT), at=NEXT), 0.0)
    kept.forget(AT.number)
    assert kept.take(raw(lent(1, at=NEXT), lent(2, at=NEXT), at=NEXT), 0.0).judged == ("1:p:r:o:2",)
