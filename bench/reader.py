"""A contestant's process: started, told to go, bounded in time, and ended by its own id.

Between its turns it is stopped: garbage that one collects in the background must not be paid for by
the next.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.contestants import Contestant
from bench.environments import Environment

PATIENCE_S = 120
"""For one turn, and for getting ready."""


class Failed(Exception):
    """A contestant gave no result; says why."""


class Reader:
    """One contestant at one piece of work."""

    def __init__(
        self, contestant: Contestant, environment: Environment, work: Mapping[str, Any]
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "work.json"
        path.write_text(json.dumps({**work, "options": {**contestant.options, **work["options"]}}))
        self._errors = Path(self._folder.name) / "stderr"
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [*environment.command, str(environment.folder / contestant.script), str(path)],
                cwd=environment.folder,
                env={**inherited, **contestant.environ},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self.walls: list[float] = []
        self.cpus: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what we started and what that started: its own session, by its id."""
        self._kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._folder.cleanup()

    def ready(self) -> str:
        """Wait until it has warmed up; return its version."""
        version = str(self._told()["version"])
        self._signal(signal.SIGSTOP)
        return version

    def go(self) -> None:
        """Have it read once, or a few times where that is short; its clocks are kept."""
        self._send("go")
        told = self._told()
        self._signal(signal.SIGSTOP)
        self.walls += told["walls"]
        self.cpus += told["cpus"]

    def end(self) -> dict[str, Any]:
        """Return its memory and what it has read."""
        self._send("end")
        return self._told()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._signal(signal.SIGCONT)
        with contextlib.suppress(OSError):  # it ended: what it said last tells why
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        late = threading.Event()

        def cut() -> None:
            late.set()
            self._kill()

        timer = threading.Timer(PATIENCE_S, cut)
        timer.start()
        try:
            for line in self._process.stdout:
                if line.startswith('{"bench":'):
                    told: dict[str, Any] = json.loads(line)["bench"]
                    return told
        finally:
            timer.cancel()
        if late.is_set():
            raise Failed(f"no result within {PATIENCE_S} s")
        said = self._errors.read_text(errors="replace").strip().splitlines() or ["nothing"]
        raise Failed(f"ended with {self._process.wait()}: {' / '.join(said[-3:])[-300:]}")

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
