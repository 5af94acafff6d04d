"""The three engines give the same list, whatever happens to their workers."""

import sys
from pathlib import Path

import pytest

from tests.underkeel.scan.workers import MARKER, Killer, die, square, square_unless_killed
from underkeel.errors import AppError, UsageError
from underkeel.scan.engines import Dask, Engine, Local, Processes, WorkersLost, engine_of

NUMBERS = list(range(8))
SQUARES = [n * n for n in NUMBERS]


@pytest.mark.loopback
@pytest.mark.parametrize("engine", [Processes(2), Dask(2)], ids=["processes", "dask"])
def test_map__a_worker_is_killed__its_shards_are_done_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pid"
    monkeypatch.setenv(MARKER, str(path))
    killer = Killer(path)
    told: list[int] = []
    assert engine.map(square_unless_killed, NUMBERS, told.append) == SQUARES
    assert killer.killed is not None
    assert told == sorted(told)
    assert told[-1] == len(NUMBERS)


def test_map__local__keeps_order_and_tells() -> None:
    told: list[int] = []
    assert Local().map(square, NUMBERS, told.append) == SQUARES
    assert told == list(range(1, 9))
    assert Local().map(square, [], told.append) == []


def test_map__workers_that_always_die__are_given_up() -> None:
    with pytest.raises(WorkersLost, match="died 3 times in a row with 1 shards to do"):
        Processes(1).map(die, [1], lambda _: None)


def test_engine_of__names__are_the_engines() -> None:
    assert engine_of("local", 2, None) == Local()
    assert engine_of("processes", 3, None) == Processes(3)
    assert engine_of("dask", 2, "tcp://x:1") == Dask(2, "tcp://x:1")
    with pytest.raises(UsageError, match="'ray' is none of local, processes, dask"):
        engine_of("ray", 1, None)
    with pytest.raises(UsageError, match="--cluster is for --engine dask"):
        engine_of("local", 1, "tcp://x:1")


def test_engine_of__dask_not_installed__names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'underkeel\[cluster\]'"):
        engine_of("dask", 1, None)


@pytest.mark.loopback
def test_map__no_scheduler_at_the_address__says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        @staticmethod
        def Client(address: str, timeout: int) -> None:  # noqa: N802  (the library's name)
            raise OSError("Timed out trying to connect")

    monkeypatch.setitem(sys.modules, "distributed", Refusing)
    with pytest.raises(AppError, match="no Dask scheduler answers at tcp://127"):
        Dask(1, "tcp://127.0.0.1:1").map(square, [1], lambda _: None)


@pytest.mark.loopback
def test_map__a_cluster_of_the_owners__does_it_and_stays(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.dask.config.set({"temporary-directory": str(tmp_path)}),
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None
        ) as cluster,
    ):
        for _ in range(2):
            engine = engine_of("dask", 1, cluster.scheduler_address)
            assert engine.map(square, NUMBERS, lambda _: None) == SQUARES


def test_map__a_cluster_whose_workers_keep_dying__is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(Exception):
        pass

    class Dying:
        KilledWorker = Killed

        def __init__(self, *_: object, **__: object) -> None: ...
        def __enter__(self) -> "Dying":
            return self

        def __exit__(self, *_: object) -> None: ...
        def map(self, *_: object, **__: object) -> list[object]:
            return []

        @staticmethod
        def as_completed(*_: object, **__: object) -> None:
            raise Killed("4 workers died")

    Dying.Client = Dying  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distributed", Dying)
    with pytest.raises(WorkersLost, match="4 workers died"):
        Dask(1, "tcp://x:1").map(square, [1], lambda _: None)
