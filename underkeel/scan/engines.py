"""One `map` over shards, in this process, in others, or on a Dask cluster.

    results = ENGINES["processes"](workers).map(read, shards, done)

`work` is a function at the top level of a module, a pure function of its shard; what it returns is
put in the shards' order, so every engine gives the same list. A worker that dies loses nothing:
its shards are done again by another. A shard that kills three workers in a row is given up.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol, TypeVar

from underkeel.errors import AppError, UsageError

S = TypeVar("S")
R = TypeVar("R")

ATTEMPTS: Final = 3
"""How often workers may die without a single shard done in between."""
NAMES: Final = ("local", "processes", "dask")


class WorkersLost(AppError):
    """Workers kept dying."""


class Engine(Protocol):
    """Where shards are worked on."""

    def map(
        self, work: Callable[[S], R], shards: Sequence[S], done: Callable[[int], None]
    ) -> list[R]:
        """Return `work` of every shard in order; `done` is told how many are."""
        ...


@dataclass(frozen=True, slots=True)
class Local:
    """This process, one shard after the other."""

    def map(
        self, work: Callable[[S], R], shards: Sequence[S], done: Callable[[int], None]
    ) -> list[R]:
        """See `Engine.map`."""
        results = []
        for shard in shards:
            results.append(work(shard))
            done(len(results))
        return results


@dataclass(frozen=True, slots=True)
class Processes:
    """Processes of this machine, each with its own connections."""

    workers: int

    def map(
        self, work: Callable[[S], R], shards: Sequence[S], done: Callable[[int], None]
    ) -> list[R]:
        """See `Engine.map`."""
        results: dict[int, R] = {}
        losses = 0
        while len(results) < len(shards):
            before = len(results)
            try:
                self._round(work, shards, results, done)
            except BrokenProcessPool as error:
                losses = 1 if len(results) > before else losses + 1
                if losses == ATTEMPTS:
                    todo = len(shards) - len(results)
                    raise WorkersLost(
                        f"worker processes died {losses} times in a row with {todo} shards to do; "
                        "is memory short? try fewer --workers or a smaller --shard"
                    ) from error
        return [results[i] for i in range(len(shards))]

    def _round(
        self,
        work: Callable[[S], R],
        shards: Sequence[S],
        results: dict[int, R],
        done: Callable[[int], None],
    ) -> None:
        """Work on what is not done yet; keep what is done when a worker dies."""
        with ProcessPoolExecutor(self.workers, get_context("spawn")) as pool:
            todo: dict[Future[R], int] = {
                pool.submit(work, shard): i for i, shard in enumerate(shards) if i not in results
            }
            broken: BrokenProcessPool | None = None
            for future in as_completed(todo):
                try:
                    results[todo[future]] = future.result()
                except BrokenProcessPool as error:
                    broken = error
                else:
                    done(len(results))
            if broken is not None:
                raise broken


@dataclass(frozen=True, slots=True)
class Dask:
    """Workers of a Dask cluster, or of one started here for as long as the scan lasts."""

    workers: int
    address: str | None = None

    def map(
        self, work: Callable[[S], R], shards: Sequence[S], done: Callable[[int], None]
    ) -> list[R]:
        """See `Engine.map`."""
        distributed = _distributed()
        if self.address is not None:
            try:
                client = distributed.Client(self.address, timeout=10)
            except OSError as error:
                raise AppError(f"no Dask scheduler answers at {self.address}") from error
            with client:
                return self._on(distributed, client, work, shards, done)
        with (
            # Without a folder Dask leaves one in the system's.
            TemporaryDirectory(prefix="underkeel-", ignore_cleanup_errors=True) as folder,
            distributed.dask.config.set({"temporary-directory": folder}),
            # Without an address the dashboard would take port 8787, on every interface.
            distributed.LocalCluster(
                n_workers=self.workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            return self._on(distributed, client, work, shards, done)

    def _on(
        self,
        distributed: Any,
        client: Any,
        work: Callable[[S], R],
        shards: Sequence[S],
        done: Callable[[int], None],
    ) -> list[R]:
        futures = client.map(work, shards, pure=False, retries=ATTEMPTS - 1)
        results: dict[str, R] = {}
        try:
            # a result is fetched as soon as it is there, so that no worker's death takes it along
            for future, result in distributed.as_completed(futures, with_results=True):
                results[future.key] = result
                done(len(results))
        except distributed.KilledWorker as error:
            raise WorkersLost(f"a shard's workers died again and again: {error}") from error
        return [results[future.key] for future in futures]


def engine_of(name: str, workers: int, cluster: str | None) -> Engine:
    """Return an engine by name; raises `UsageError` for what does not fit together."""
    if cluster is not None and name != "dask":
        raise UsageError("--cluster is for --engine dask")
    if name == "local":
        return Local()
    if name == "processes":
        return Processes(workers)
    if name == "dask":
        _distributed()
        return Dask(workers, cluster)
    raise UsageError(f"--engine {name!r} is none of {', '.join(NAMES)}")


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise UsageError(
            "--engine dask needs the extra: pip install 'underkeel[cluster]'"
        ) from None
    return distributed
