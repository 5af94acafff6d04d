"""The service of the demo: `underkeel run` in a process of its own, as an owner starts it.

It ends with the demo: by a signal where the demo can still say so, and else by a watcher that sees
the demo's end of a pipe close.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from underkeel.errors import AppError
from underkeel.steer.child import end_all
from underkeel.steer.propose import FOLDER

START_S: Final = 60
STOP_S: Final = 8
LOOK_S: Final = 0.05
PAGES: Final = "pages at "
RUNS: Final = "the service runs"
WATCHER: Final = 'read -r _ && exit; kill "$1" 2>/dev/null; sleep 8; kill -9 "$1" 2>/dev/null'


class NoService(AppError):
    """The demo's service did not come up, or ended too early; the message is its own."""


@dataclass(frozen=True, slots=True)
class Service:
    """The running process."""

    process: "subprocess.Popen[bytes]"
    watcher: "subprocess.Popen[bytes]"
    state: Path
    """Its folder of state."""
    log: Path
    """Where it says what it does."""

    def lines(self) -> list[str]:
        """Return what it said so far."""
        return self.log.read_text("utf-8", "replace").splitlines()

    @property
    def url(self) -> str:
        """Where its pages are; empty as long as they are not."""
        found = [line.partition(PAGES)[2].strip() for line in self.lines() if PAGES in line]
        return found[-1] if found else ""

    def await_up(self) -> None:
        """Wait until it runs; raises `NoService`."""
        until = time.monotonic() + START_S
        while not any(RUNS in line for line in self.lines()):
            self.check()
            if time.monotonic() > until:
                raise NoService(f"the service did not come up: {self._last()}")
            time.sleep(LOOK_S)

    def check(self) -> None:
        """Raise `NoService` if it has ended."""
        if self.process.poll() is not None:
            raise NoService(f"the service has ended: {self._last()}")

    def _last(self) -> str:
        return " | ".join(self.lines()[-5:])

    def detach(self) -> int:
        """Let it outlive this program; return its process id."""
        self.watcher.communicate(b"done\n", timeout=5)
        self.process.returncode = 0  # Popen complains about a child it loses sight of
        return self.process.pid

    def end(self) -> None:
        """End it, and what it has begun; nothing happens after `detach`."""
        if self.watcher.returncode is not None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            end_all(self.state / FOLDER, 2)  # else it would wait for what acts
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        end_all(self.state / FOLDER, 2)
        with contextlib.suppress(BrokenPipeError):
            self.watcher.communicate(b"done\n", timeout=5)


@contextmanager
def serving(config: Path, environ: Mapping[str, str], state: Path) -> Iterator[Service]:
    """Start the service and wait until it runs; raises `NoService`."""
    log = config.parent / "service.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "underkeel", "--config", str(config), "run"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,  # Ctrl-C is the demo's: it ends things in their order
            env={**os.environ, **environ},
        )
    watcher = subprocess.Popen(
        ["sh", "-c", WATCHER, "sh", str(process.pid)], stdin=subprocess.PIPE, start_new_session=True
    )
    service = Service(process, watcher, state, log)
    try:
        service.await_up()
        yield service
    finally:
        service.end()
