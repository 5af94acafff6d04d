"""Have contestants read the same things in turns, so that whatever else the machine does hits all.

At each size every contestant gets a process that stays: all warm up, then all read, round after
round, each round begun by another. Beside each of ours its own requests are replayed, in the same
rounds. Then POSTs and bytes are counted in a run of their own.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.contestants import Contestant
from bench.delay import Delay
from bench.environments import Environment
from bench.reader import Failed, Reader
from bench.scene import EACH, Scene

MANY = 100_000
"""Cells from which a peer is measured once, without a warm-up, which it would take long for."""

ENOUGH_S = 10.0
"""Time a contestant has read for at one size after which it has no further turn."""


@dataclass(frozen=True)
class Size:
    """How much is read, and how far away the node is."""

    task: str
    accounts: int
    reserves: int
    latency_ms: int = 0

    @property
    def cells(self) -> int:
        return self.accounts * self.reserves

    @property
    def near(self) -> Size:
        """The same without latency."""
        return replace(self, latency_ms=0)

    def __str__(self) -> str:
        far = f", {self.latency_ms} ms" if self.latency_ms else ""
        if self.task == "uniswap":
            return f"uniswap v3, {self.accounts} positions of one owner{far}"
        if self.task == "owners":
            return (
                f"uniswap v3, {EACH * self.accounts:,} positions of {self.accounts:,} owners{far}"
            )
        return f"{self.task} {self.accounts:,} × {self.reserves}{far}"


@dataclass(frozen=True)
class Result:
    """What one contestant needed for one size: medians."""

    name: str
    version: str
    wall_ms: float
    cpu_ms: float
    peak_mb: float
    digest: str
    cells: str
    resident_mb: float = 0.0
    posts: int | None = None
    up_mb: float | None = None
    down_mb: float | None = None
    floor_ms: float | None = None


@dataclass
class Measured:
    """One size: results in the order of the contestants, and why there are no others."""

    results: list[Result] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)


Chosen = Sequence[tuple[Contestant, Environment]]


def measure(
    chosen: Chosen,
    scene: Scene,
    size: Size,
    runs: int,
    progress: Callable[[str], None] = lambda text: None,
) -> Measured:
    """Return medians over `runs` rounds; a contestant that fails is a fault and no more."""
    found = Measured()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        readers: dict[str, Reader] = {}
        versions: dict[str, str] = {}
        started: list[Reader] = []
        for contestant, environment in chosen:  # all at once: starting is not timed
            url = scene.url
            if size.latency_ms:
                url = stack.enter_context(Delay(scene.url, size.latency_ms / 1000)).url
            work = _work(contestant, scene, size, url=url)
            started.append(stack.enter_context(Reader(contestant, environment, work)))
        for number, (contestant, environment) in enumerate(chosen):
            progress(f"{contestant.name} warms up")
            replay = None
            try:
                versions[contestant.name] = started[number].ready()
                if contestant.replayed and not size.latency_ms:
                    record = folder / f"{number}.json"
                    replay = _replay(stack, contestant, environment, scene, size, record)
            except Failed as failure:
                found.faults[contestant.name] = str(failure)
                continue
            readers[contestant.name] = started[number]
            if replay is not None:
                readers[_floor(contestant.name)] = replay
        _rounds(readers, chosen, size, runs, found, progress)
        for name, version in versions.items():
            if name in readers:
                _end(name, version, readers, found)
    if not size.latency_ms:
        found.results = [_counted(chosen, scene, size, r, found, progress) for r in found.results]
    return found


def _floor(name: str) -> str:
    return f"{name}, replayed"


def _rounds(
    readers: dict[str, Reader],
    chosen: Chosen,
    size: Size,
    runs: int,
    found: Measured,
    progress: Callable[[str], None],
) -> None:
    once = {c.name for c, _ in chosen if _slow(c, size)}
    for turn in range(runs):
        names = list(readers)
        start = turn * len(names) // max(runs, 1)
        for name in names[start:] + names[:start]:
            spent = sum(readers[name].walls)
            if turn and (name.removesuffix(_floor("")) in once or spent > ENOUGH_S):
                continue
            progress(f"round {turn + 1} of {runs}: {name}")
            try:
                readers[name].go()
            except Failed as failure:
                found.faults[name] = str(failure)
                del readers[name]


def _end(name: str, version: str, readers: dict[str, Reader], found: Measured) -> None:
    reader, floor = readers[name], readers.get(_floor(name))
    try:
        told = reader.end()
    except Failed as failure:
        found.faults[name] = str(failure)
        return
    result = Result(
        name=name,
        version=version,
        wall_ms=1e3 * statistics.median(reader.walls),
        cpu_ms=1e3 * statistics.median(reader.cpus),
        peak_mb=told["peak"] / 1e6,
        resident_mb=told["resident"] / 1e6,
        digest=told["digest"],
        cells=told["cells"],
        floor_ms=1e3 * statistics.median(floor.walls) if floor else None,
    )
    if found.results and result.cells != found.results[0].cells:
        found.faults[name] = f"read other words than {found.results[0].name}"
        return
    found.results.append(result)


def _slow(contestant: Contestant, size: Size) -> bool:
    return contestant.patient or (size.cells >= MANY and not contestant.brief)


def _work(contestant: Contestant, scene: Scene, size: Size, **more: Any) -> dict[str, Any]:
    return {
        **scene.about,
        "accounts": scene.accounts[: size.accounts],
        "task": size.task,
        "warm": 0 if _slow(contestant, size) else 1,
        "record": None,
        "mark": None,
        "options": {},
        **more,
    }


def _replay(
    stack: ExitStack,
    contestant: Contestant,
    environment: Environment,
    scene: Scene,
    size: Size,
    record: Path,
) -> Reader:
    """Note what a warm reader of ours sends, and return what sends just that."""
    noted = _work(contestant, scene, size, url=scene.url, record=str(record), warm=1)
    with Reader(contestant, environment, noted) as reader:
        reader.ready()
        reader.go()
        reader.end()
    options = {"requests": str(record)}
    again = _work(contestant, scene, size, url=scene.url, options=options)
    bare = replace(contestant, script="run_floor.py", environ={})
    floor = stack.enter_context(Reader(bare, environment, again))
    floor.ready()
    return floor


def _counted(
    chosen: Chosen,
    scene: Scene,
    size: Size,
    result: Result,
    found: Measured,
    progress: Callable[[str], None],
) -> Result:
    contestant, environment = next((c, e) for c, e in chosen if c.name == result.name)
    if contestant.patient:
        return result
    progress(f"counting {contestant.name}")
    with Delay(scene.url) as proxy:
        work = _work(contestant, scene, size, url=proxy.url, mark=f"{proxy.url}/mark")
        try:
            with Reader(contestant, environment, work) as reader:
                reader.ready()
                reader.go()
        except Failed as failure:
            found.faults[f"{contestant.name}, counted"] = str(failure)
            return result
        return replace(
            result,
            posts=proxy.posts,
            up_mb=proxy.bytes_up / 1e6,
            down_mb=proxy.bytes_down / 1e6,
        )
