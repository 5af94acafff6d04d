"""Chunk sizes: learned from what runs took, lowered by refusals, raised again with patience."""

from hypothesis import given
from hypothesis import strategies as st

from chain.chunks import BYTES, MOST, PROBE, SHARE, Chunker


def _run(
    chunker: Chunker,
    asked: int,
    *,
    done: int | None = None,
    room: int = 50_000_000,
    each: int = 200_000,
    first: int = 2_000_000,
    size: int = 500,
    seconds: float = 0.05,
) -> None:
    done = asked if done is None else done
    chunker.went(
        asked, done, gas_room=room, gas_first=first, gas=each * done, size=size * done,
        seconds=seconds,
    )  # fmt: skip


def test_plan__nothing_known__is_a_probe() -> None:
    assert Chunker().plan(10_000) == PROBE
    assert Chunker().plan(5) == 5


def test_went__gas_is_the_limit__fills_four_fifths_of_it() -> None:
    chunker = Chunker()
    _run(chunker, PROBE)
    assert chunker.size == int(SHARE * 50_000_000 / 200_000)


def test_went__bytes_are_the_limit__fills_four_fifths_of_them() -> None:
    chunker = Chunker()
    _run(chunker, PROBE, each=1_000, size=10_000)
    assert chunker.size == int(SHARE * BYTES / 10_000)


def test_went__time_is_the_limit__stays_well_under_what_nodes_give() -> None:
    chunker = Chunker()
    _run(chunker, PROBE, each=1, size=1, seconds=1.0)
    assert chunker.size == int(SHARE * 2 * PROBE)


def test_went__gas_ran_short__asks_for_no_more_than_came() -> None:
    chunker = Chunker()
    _run(chunker, 100, done=7, each=100)
    assert chunker.size == 7


def test_went__one_dear_run__is_forgotten_slowly() -> None:
    chunker = Chunker()
    _run(chunker, 50, each=1_000_000)
    dear = chunker.size
    _run(chunker, 50)
    assert dear < chunker.size < int(SHARE * 250)


def test_failed__a_refusal__halves_and_four_good_runs_grow_by_half() -> None:
    chunker = Chunker()
    _run(chunker, 100)
    chunker.failed(100)
    assert (chunker.size, chunker.ceiling) == (50, 50)
    for _ in range(4):
        assert chunker.size == 50
        _run(chunker, 50)
    assert chunker.size == 76


def test_failed__over_and_over__stays_at_one() -> None:
    chunker = Chunker()
    for _ in range(40):
        chunker.failed(chunker.plan(1000))
    assert chunker.plan(1000) == 1


def test_plan__long_for_a_short_round_trip__is_shared_out_over_two() -> None:
    chunker = Chunker()
    _run(chunker, PROBE, each=10_000, first=200_000, seconds=0.002)
    _run(chunker, 1_000, each=10_000, first=200_000, seconds=0.2)
    assert chunker.size > 1_000
    assert chunker.plan(1_000) == 500
    assert chunker.plan(90) == 90  # what every run does first would cost more than is won


def test_plan__long_round_trip__is_one_run() -> None:
    chunker = Chunker()
    _run(chunker, PROBE, each=10_000, seconds=0.1)
    _run(chunker, 1_000, each=10_000, seconds=0.13)
    assert chunker.plan(1_000) == 1_000


@given(
    runs=st.lists(
        st.tuples(st.integers(1, 3000), st.integers(1, 10**9), st.integers(1, 10**6),
                  st.floats(0, 10), st.booleans()),
        max_size=30,
    ),
    count=st.integers(1, 10**7),
)  # fmt: skip
def test_plan__whatever_happened__is_some_accounts_and_never_more_than_borne(
    runs: list[tuple[int, int, int, float, bool]], count: int
) -> None:
    chunker = Chunker()
    for asked, each, size, seconds, good in runs:
        if good:
            _run(chunker, asked, each=each, size=size, seconds=seconds)
        else:
            chunker.failed(asked)
    assert 1 <= chunker.plan(count) <= min(count, max(chunker.size, 1))
    assert 1 <= chunker.size <= MOST
