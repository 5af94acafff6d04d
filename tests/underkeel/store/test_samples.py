"""Thinning, exactness, the newest values, and reading back, on both databases."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.types import BlockRef
from tests.fixtures_store import BEGIN, CHAINS, StoreClock
from underkeel.observe.types import Labels, Observation, labels
from underkeel.store import points
from underkeel.store.samples import CALM_A_DAY, LEAST_S, Sampler
from underkeel.store.store import Store

UP = 10**9
"""Later than all that is read."""


def seen(
    value: str | None, at: float = 0.0, *, metric: str = "health_factor", **names: str
) -> Observation:
    given_labels: Labels = labels(**({"chain": "ethereum", "position": "p"} | names))
    cause = "" if value is not None else "no price"
    number = None if value is None else Decimal(value)
    return Observation(metric, given_labels, number, cause, BEGIN + at, None)


def write(store: Store, sampler: Sampler, *observations: Observation) -> int:
    with store.writing() as db:
        return sampler.write(db, observations)


def read(store: Store, metric: str = "health_factor") -> list[tuple[float, Decimal | None]]:
    with store.reading() as db:
        (series,) = points.find(db, metric, {"chain": "ethereum"})
        return [(p.at - BEGIN, p.value) for p in points.points(db, series.id, 0, BEGIN + UP)]


def test_write__calm_values__one_row_per_spacing(store: Store) -> None:
    sampler = Sampler()
    for at in range(0, 60, 2):
        write(store, sampler, seen("1.5", at))
    assert [at for at, _ in read(store)] == [0, 16, 32, 48]


def test_write__unknown_after_known__is_written_and_back(store: Store) -> None:
    sampler = Sampler()
    write(store, sampler, *(seen(str(n), 0, position=str(n)) for n in range(400)))
    for at, value in ((16, "1"), (18, None), (20, None), (34, "1"), (36, "1")):
        write(store, sampler, seen(value, at, position="1"))
    with store.reading() as db:
        (series,) = points.find(db, "health_factor", {"position": "1"})
        found = points.points(db, series.id, 0, BEGIN + UP)
    # 400 series are spaced wider than 15 s; a change of state needs only those
    assert [(p.at - BEGIN, p.value, p.cause) for p in found] == [
        (0, Decimal(1), ""),
        (18, None, "no price"),
        (34, Decimal(1), ""),
    ]


def test_write__moves__are_written_until_their_budget_is_spent(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("underkeel.store.samples.SAVED_S", 20.0)
    sampler = Sampler()
    many = [str(n) for n in range(700)]
    write(store, sampler, *(seen("100", 0, position=n) for n in many))
    assert sampler.spacing_s == 700 * 86_400 / CALM_A_DAY
    rows = [
        write(store, sampler, *(seen(str(100 + 5 * k), 20 * k, position=n) for n in many))
        for k in (1, 2)
    ]
    # 20 s bring 231.5 rows of moves, and what is not used is not saved up for longer here
    assert rows == [232, 231]


def test_write__rolled_back__remembers_nothing(store: Store) -> None:
    sampler = Sampler()
    try:
        with store.writing() as db:
            sampler.write(db, [seen("1.5")])
            raise KeyError
    except KeyError:
        pass
    assert write(store, sampler, seen("1.5")) == 1
    assert read(store) == [(0, Decimal("1.5"))]


def test_write__after_a_restart__same_series_and_no_second_row(store: Store) -> None:
    write(store, Sampler(), seen("1.5"))
    write(store, Sampler(), seen("1.5"), seen("2", metric="equity_usd"))
    assert read(store) == [(0, Decimal("1.5"))]
    assert read(store, "equity_usd") == [(0, Decimal(2))]


def test_write__clock_jumps_back__goes_on(store: Store) -> None:
    sampler = Sampler()
    for at in (1000, 0, 5, 20):
        write(store, sampler, seen("1", at))
    assert [at for at, _ in read(store)] == [0, 20, 1000]


def test_write__labels_a_stranger_made_up__are_kept_as_far_as_can_be(store: Store) -> None:
    evil = ["\x00", "\ud800", "'; DROP TABLE samples; --", "x" * 10_000, "🌊\u202e"]
    for text in evil:
        assert write(store, Sampler(), seen("1", market=text)) == 1
    with store.reading() as db:
        found = [s.labels["market"] for s in points.find(db, "health_factor")]
    assert found == ["\x00", "\ufffd", *evil[2:]]


def test_latest__every_series__is_whole_in_spite_of_thinning(store: Store) -> None:
    sampler = Sampler()
    block = BlockRef(1, 7, "0x" + "ab" * 32, "0x" + "cd" * 32, int(BEGIN))
    write(store, sampler, seen("1.50"), seen("3", metric="debt_usd"))
    later = Observation("health_factor", seen("1").labels, Decimal("1.501"), "", BEGIN + 2, block)
    assert write(store, sampler, later) == 0
    write(store, Sampler(), seen(None, 4, metric="debt_usd"))  # by another process
    with store.reading() as db:
        found = {n.series.metric: (n.at - BEGIN, n.value) for n in points.latest(db, "ethereum")}
    assert found == {"health_factor": (2, Decimal("1.501")), "debt_usd": (4, None)}


def test_latest__a_day_without_a_value__is_dropped(store: Store) -> None:
    sampler = Sampler()
    write(store, sampler, seen("1"), seen("3", metric="debt_usd"))
    write(store, sampler, seen("1", 90_000))
    with store.reading() as db:
        assert [n.series.metric for n in points.latest(db, "ethereum")] == ["health_factor"]


@pytest.fixture(scope="module")
def memory() -> Iterator[Store]:
    opened = Store.open("sqlite://", mode="dry-run", chains=CHAINS)
    yield opened
    opened.close()


@given(st.integers(-(2**256), 2**256), st.integers(0, 77))
@settings(max_examples=50, deadline=None)
def test_points__any_number__is_exact(memory: Store, digits: int, places: int) -> None:
    value = Decimal(f"{digits}e-{places}")
    write(memory, Sampler(), seen(str(value)))
    assert read(memory) == [(0, value)]


def test_points__any_number__is_exact_on_both(store: Store) -> None:
    exact = ["0", "-0.1", str(2**256 - 1), "1e-18", "1.1000000000000000000000000000000001", "1e77"]
    for n, text in enumerate(exact):
        write(store, Sampler(), seen(text, n * 60))
    assert [value for _, value in read(store)] == [Decimal(text) for text in exact]


def test_points__limit__gives_the_newest(store: Store) -> None:
    sampler = Sampler()
    for at in range(0, 36_000, 600):
        write(store, sampler, seen(str(at), at))
    with store.reading() as db:
        (series,) = points.find(db, "health_factor")
        found = points.points(db, series.id, BEGIN + 1200, BEGIN + 30_000, limit=3)
    assert [p.at - BEGIN for p in found] == [28_200, 28_800, 29_400]


def test_grain_for__longer_times__coarser() -> None:
    assert points.grain_for(0, 86_400) == "raw"
    assert points.grain_for(0, 7 * 86_400) == "hourly"
    assert points.grain_for(0, 365 * 86_400) == "daily"


def test_clock__is_the_tests_own(store: Store, store_clock: StoreClock) -> None:
    store_clock.now += LEAST_S
    assert store.clock() == BEGIN + LEAST_S
