"""A small portfolio on the world, watched by real processes of the program."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from world.actors import feeds
from world.anvil import Anvil
from world.world import World

from bench.watched import Crowd, config_text
from tests.support.proxy import Proxy

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[3]
FALL = -0.08
"""Takes the watched loan from 1.6 to 1.472; the rule fires below 1.5."""
RULES = """
[monitor]
poll = "1s"
discover_every = "1h"

[web]
bind = "127.0.0.1:{port}"

[channels.hook]
webhook = "{hook}"
secret = "env:HOOK_SECRET"

[[alert]]
id = "hf"
expr = "health_factor"
match = {{ protocol = "morpho-blue" }}
levels = [{{ severity = "critical", fire_below = 1.5, clear_above = 1.55 }}]
for = "0"
on_stale = {{ after = "90s", severity = "critical" }}
notify = {{ critical = ["hook"] }}
"""
SECRET = "test-secret-" + "x" * 32


class Receiver:
    """Takes webhooks and keeps them."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status = 200
        self.pings = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not body:
                    receiver.pings += 1
                elif receiver.status == 200:
                    attempt = int(self.headers["Underkeel-Attempt"])
                    receiver.got.append({**json.loads(body), "attempt": attempt})
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def states(self, rule: str = "hf") -> list[str]:
        """Return what was told of a rule, each message once, in the order of arrival."""
        ids = {m["id"]: m for m in self.got if m["rule"] == rule}
        return [m["state"] for m in ids.values()]

    def twice(self) -> int:
        """Return how many deliveries repeat one that arrived before."""
        return len(self.got) - len({m["id"] for m in self.got})

    def unsaid(self) -> int:
        """Return how many of those do not say that they are a later attempt."""
        return self.twice() - len([m for m in self.got if m["attempt"] > 1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class Process:
    """One run of the program."""

    popen: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    clocks: Path = Path()

    def __post_init__(self) -> None:
        def read() -> None:
            assert self.popen.stderr is not None
            with self.popen.stderr as said:
                for line in said:
                    self.lines.append(line.rstrip())

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()

    def says(self, text: str, since: int = 0) -> bool:
        return any(text in line for line in self.lines[since:])

    def wait_for(self, text: str, seconds: float = 90.0) -> None:
        """Wait until a line of its log holds a text."""
        until(lambda: self.says(text) or self._ended(), seconds, lambda: "\n".join(self.lines))
        assert self.says(text), "\n".join(self.lines)

    def _ended(self) -> bool:
        return self.popen.poll() is not None

    def end(self, sign: signal.Signals = signal.SIGTERM) -> float:
        """Send a signal, wait for the end, and return how many seconds that took."""
        began = time.monotonic()
        self.popen.send_signal(sign)
        self.popen.wait(30)
        self._reader.join(5)
        return time.monotonic() - began

    def kill(self) -> None:
        if not self._ended():
            self.end(signal.SIGKILL)
        self._reader.join(5)

    def advance(self, wall: float, steady: float) -> None:
        """Put its clocks ahead, whole or not at all."""
        new = self.clocks.with_suffix(".new")
        new.write_text(f"{wall} {steady}")
        new.replace(self.clocks)


@dataclass
class Place:
    """A config, a database, a receiver, and a proxy in front of the node."""

    world: World[Anvil]
    crowd: Crowd
    folder: Path
    receiver: Receiver
    proxy: Proxy
    processes: list[Process] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "underkeel.toml"

    @property
    def database(self) -> Path:
        return self.folder / "state" / "dry-run.sqlite"

    def write(self, extra: str = "") -> None:
        rules = RULES.format(port=0, hook=self.receiver.url)
        text = config_text(
            self.crowd, self.proxy.url, ws=self.world.node.ws_url, extra=rules + extra
        )
        self.config.write_text(text)

    def start(
        self,
        *args: str,
        await_: str = "the service runs",
        takes_over: bool = False,
        keep: bool = False,
    ) -> Process:
        """Start the service and wait until it says so; with `keep` its stdout can be read."""
        clocks = self.folder / f"clocks-{len(self.processes)}"
        command = [sys.executable, "-m", "tests.e2e.monitor.entry", "--config", str(self.config)]
        env = {
            **os.environ,
            "UNDERKEEL_STATE_DIR": str(self.folder / "state"),
            "UNDERKEEL_CACHE_DIR": str(self.folder / "cache"),
            "HOOK_SECRET": SECRET,
            "TEST_CLOCKS": str(clocks),
            # Where its disk is full it would leave halves of compiled modules for others to read.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "contracts")]),
        }
        popen = subprocess.Popen(
            [*command, "run", *args], env=env, cwd=self.folder, text=True,
            stdout=subprocess.PIPE if keep else subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        process = Process(popen, clocks=clocks)
        self.processes.append(process)
        if takes_over:
            seen = ("standing by", "the service runs")
            until(lambda: any(map(process.says, seen)), 90, self.log)
            process.advance(0, 60)  # the other's silence has lasted long enough
        if await_:
            process.wait_for(await_)
        return process

    @property
    def pages(self) -> str:
        """Return the line that says where the newest process serves its pages."""
        (process, *_) = reversed(self.processes)
        return next(line for line in process.lines if "pages at" in line)

    def fall(self) -> int:
        """Let the price fall in a block of its own; return its number."""
        feeds.crash(self.world, "ETH / USD", FALL)
        return int(self.world.node.block()["number"], 16)

    def rise(self) -> None:
        feeds.crash(self.world, "ETH / USD", 1 / (1 + FALL) - 1)

    def mine(self) -> int:
        return int(self.world.node.mine()["number"], 16)

    def query(self, sql: str) -> list[Any]:
        """Read the database as it is now."""
        db = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)
        try:
            return db.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            db.close()

    def read_to(self, block: int, seconds: float = 90.0) -> None:
        """Wait until the chain is stored up to a block."""
        query = f"select 1 from chain_states where status = 'ok' and block_number >= {block}"
        until(lambda: bool(self.query(query)), seconds, self.log)

    def told(self, *states: str, rule: str = "hf", seconds: float = 90.0) -> None:
        """Wait until exactly these messages of a rule have arrived."""
        until(
            lambda: len(self.receiver.states(rule)) >= len(states),
            seconds,
            lambda: f"{self.receiver.states(rule)} and not {states}\n{self.log()}",
        )
        found = self.receiver.states(rule)
        assert found == list(states), f"{found} and not {states}\n{self.log()}"

    def settled(self) -> None:
        """Wait until every receipt is written."""
        open_ = "select 1 from notifications where status in ('waiting', 'sending')"
        until(lambda: not self.query(open_), 90, self.log)

    def state(self, rule: str = "hf") -> set[str]:
        """Return the states of a rule's alerts that are not ok."""
        rows = self.query(f"select state from alerts where rule = '{rule}' and state != 'ok'")
        return {row[0] for row in rows}

    def log(self) -> str:
        return "\n--\n".join("\n".join(p.lines[-30:]) for p in self.processes)


def until(
    true: Callable[[], object], seconds: float = 90.0, why: Callable[[], str] = lambda: ""
) -> None:
    """Wait until something is true; fail with what `why` says."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"it did not happen in {seconds:.0f} s\n{why()}"
        time.sleep(0.01)


@contextmanager
def opened(world: World[Anvil], crowd: Crowd, folder: Path) -> Iterator[Place]:
    """Give a place, and end all of its processes."""
    receiver = Receiver()
    with Proxy(world.node.url) as proxy:
        place = Place(world, crowd, folder, receiver, proxy)
        place.write()
        try:
            yield place
        finally:
            for process in place.processes:
                process.popen.send_signal(signal.SIGCONT)
                process.kill()
            receiver.close()
