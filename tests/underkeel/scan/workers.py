"""Work for engines: functions that workers in other processes can import by name."""

import os
import threading
import time
from pathlib import Path
from signal import SIGKILL

from protocols.aave_v3.columns import Columns
from underkeel.scan.shards import Failure, Shard, read_shard

MARKER = "UNDERKEEL_TEST_PID_FILE"


def square(number: int) -> int:
    return number * number


def square_unless_killed(number: int) -> int:
    """Square; the worker that gets 3 first says who it is and waits to be killed."""
    if number == 3:
        wait_once()
    return number * number


def die(number: int) -> int:
    os.kill(os.getpid(), SIGKILL)
    return number


def read_unless_killed(shard: Shard) -> Columns | Failure:
    """Read a shard; the first worker of all is killed after reading, before it can answer."""
    found = read_shard(shard)
    wait_once()
    return found


def wait_once() -> None:
    """Write this process's id where nobody has, and wait for the end."""
    try:
        with Path(os.environ[MARKER]).open("x") as file:
            file.write(f"{os.getpid()}\n")
    except FileExistsError:
        return
    time.sleep(120)


class Killer:
    """Kills the process that says who it is; `killed` is its id afterwards."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.killed: int | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for _ in range(6_000):
            if self.path.exists() and (text := self.path.read_text()).endswith("\n"):
                os.kill(int(text), SIGKILL)
                self.killed = int(text)
                return
            time.sleep(0.01)
