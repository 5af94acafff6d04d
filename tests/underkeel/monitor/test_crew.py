"""Threads that die or hang are told of, started again, and counted."""

import threading
import time
from collections.abc import Callable

import pytest

from underkeel.monitor.crew import AGAIN_S, HANG_S, Crew, Vitals


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def waiting(stop: threading.Event, vitals: Vitals) -> None:
    stop.wait()


def test_crew__all_well__nothing_is_told_and_all_ends() -> None:
    crew = Crew()
    crew.add("one", waiting)
    crew.add("two", waiting)
    crew.start()
    assert crew.look() == []
    assert crew.dead() == []
    assert crew.stop(5.0) == []
    assert crew.dead() == ["one", "two"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_crew__a_thread_that_raises__is_told_and_started_again_after_a_pause() -> None:
    clock, starts = Clock(), []

    def work(stop: threading.Event, vitals: Vitals) -> None:
        starts.append(1)
        if len(starts) < 3:
            raise RuntimeError("no luck")
        stop.wait()

    crew = Crew(clock)
    member = crew.add("worker", work)
    crew.start()
    until(lambda: not member.alive)
    assert crew.look() == ["worker died (RuntimeError: no luck); it is started again"]
    assert crew.dead() == ["worker"]
    crew.look()
    assert len(starts) == 1, "not before the pause is over"
    clock.now += AGAIN_S
    crew.look()
    until(lambda: len(starts) == 2 and not member.alive)
    assert crew.look() != []
    clock.now += AGAIN_S
    crew.look()
    assert len(starts) == 2, "the second pause is longer"
    clock.now += AGAIN_S
    crew.look()
    until(lambda: len(starts) == 3)
    assert member.alive
    assert member.deaths == 2
    assert crew.stop(5.0) == []


def test_crew__a_thread_that_ends_by_itself__counts_as_dead() -> None:
    crew = Crew()
    member = crew.add("short", lambda _stop, _vitals: None)
    crew.start()
    until(lambda: not member.alive)
    assert crew.look() == ["short died (it ended by itself); it is started again"]


def test_crew__a_thread_that_hangs__another_one_works_and_the_old_one_finds_its_event_set() -> None:
    clock, gate = Clock(), threading.Event()
    seen: list[bool] = []
    starts: list[int] = []

    def work(stop: threading.Event, vitals: Vitals) -> None:
        starts.append(1)
        if len(starts) == 1:
            gate.wait()  # deaf to everything
            seen.append(stop.is_set())
        else:
            stop.wait()

    crew = Crew(clock)
    member = crew.add("deaf", work)
    crew.start()
    until(lambda: len(starts) == 1)
    clock.now += HANG_S + 1
    assert crew.look() == [f"deaf died (no sign of life for {HANG_S:.0f} s); it is started again"]
    clock.now += AGAIN_S
    crew.look()
    until(lambda: len(starts) == 2)
    assert member.alive
    gate.set()
    until(lambda: seen == [True])
    assert member.alive, "the old one's end is not the new one's"
    assert crew.stop(5.0) == []


def test_crew__a_thread_that_does_not_end__is_named() -> None:
    gate = threading.Event()
    crew = Crew()

    def deaf(stop: threading.Event, vitals: Vitals) -> None:
        gate.wait()

    crew.add("stubborn", deaf)
    crew.start()
    assert crew.stop(0.05) == ["stubborn"]
    gate.set()


def test_crew__signs_of_life__keep_a_slow_thread_alive() -> None:
    clock = Clock()
    vital: list[Vitals] = []

    def work(stop: threading.Event, vitals: Vitals) -> None:
        vital.append(vitals)
        stop.wait()

    crew = Crew(clock)
    crew.add("slow", work)
    crew.start()
    until(lambda: bool(vital))
    clock.now += HANG_S
    vital[0].beat()
    clock.now += HANG_S - 1
    assert crew.look() == []
    crew.stop(5.0)
