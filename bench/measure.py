"""Run one contestant on one piece of work, bounded in time, and read what it prints."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.contestants import Contestant
from bench.delay import Delay
from bench.environments import Environment
from bench.scene import Scene

PATIENCE_S = 240


class Failed(Exception):
    """A contestant gave no result; says why."""


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

    def __str__(self) -> str:
        far = f", {self.latency_ms} ms" if self.latency_ms else ""
        if self.task == "uniswap":
            return f"uniswap v3, {self.accounts} positions of one owner{far}"
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
    posts: int = 0
    up_mb: float = 0.0
    down_mb: float = 0.0
    floor_ms: float | None = None


def measure(
    contestant: Contestant, environment: Environment, scene: Scene, size: Size, runs: int
) -> Result:
    """Return medians over `runs`, and bytes and POSTs of one more run; raises `Failed`."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "requests.json"
        work = {
            **scene.about,
            "accounts": scene.accounts[: size.accounts],
            "task": size.task,
            "runs": runs,
            "warm": 1,
            "record": None,
            "mark": None,
            "options": dict(contestant.options),
        }
        with Delay(scene.url, size.latency_ms / 1000) as proxy:
            timed = {**work, "url": proxy.url if size.latency_ms else scene.url}
            told = _ran(contestant, environment, timed, Path(folder))
        if size.latency_ms:
            return _result(contestant, told)
        with Delay(scene.url) as proxy:
            counted = {**work, "url": proxy.url, "runs": 1, "mark": f"{proxy.url}/mark"}
            _ran(contestant, environment, counted, Path(folder))
        result = replace(
            _result(contestant, told),
            posts=proxy.posts,
            up_mb=proxy.bytes_up / 1e6,
            down_mb=proxy.bytes_down / 1e6,
        )
        if not contestant.ours:
            return result
        _ran(contestant, environment, {**work, "url": scene.url, "runs": 1,
                                       "record": str(record)}, Path(folder))  # fmt: skip
        floor = replace(contestant, script="run_floor.py", environ={})
        again = {**work, "url": scene.url, "options": {"requests": str(record)}}
        sent = _ran(floor, environment, again, Path(folder))
        return replace(result, floor_ms=1e3 * statistics.median(sent["walls"]))


def _result(contestant: Contestant, told: Mapping[str, Any]) -> Result:
    return Result(
        name=contestant.name,
        version=told["version"],
        wall_ms=1e3 * statistics.median(told["walls"]),
        cpu_ms=1e3 * statistics.median(told["cpus"]),
        peak_mb=told["peak"] / 1e6,
        digest=told["digest"],
        cells=told["cells"],
    )


def _ran(
    contestant: Contestant, environment: Environment, work: Mapping[str, Any], folder: Path
) -> Any:
    path = folder / "work.json"
    path.write_text(json.dumps(work))
    command = [*environment.command, str(environment.folder / contestant.script), str(path)]
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    process = subprocess.Popen(
        command,
        cwd=environment.folder,
        env={**inherited, **contestant.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise Failed(f"no result within {PATIENCE_S} s") from None
    finally:
        _end(process)
    if process.returncode:
        said = err.strip().splitlines() or ["nothing"]
        raise Failed(f"ended with {process.returncode}: {' / '.join(said[-3:])[-300:]}")
    return json.loads(out.strip().splitlines()[-1])


def _end(process: subprocess.Popen[str]) -> None:
    """End what we started and what that started: its own session, by its id."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
