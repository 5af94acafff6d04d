"""From the block that crosses a threshold to the webhook received: `python -m bench.latency`.

A local chain mines a block each `--block` seconds. `underkeel run`, a process of its own as users
start it, watches 50 wallets with 40 positions each. The price falls step by step; at each, one loan
crosses the threshold of another rule (one rule crossed again and again would be held back: what
flaps is told less). A crossing is timed from the moment its block could first be asked for until
the webhook's last byte was read here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.watched import WATCHED_HEALTH, config_text, open_crowd

if TYPE_CHECKING:
    from world.anvil import Anvil
    from world.world import World

ROOT: Final = Path(__file__).resolve().parents[1]
STEP: Final = 0.98
"""Of the price, at each crossing: the health of the watched loan falls from 1.6 to 1.07."""
PATIENCE_S: Final = 30.0
RULES: Final = """
[monitor]
poll = "1s"

[channels.hook]
webhook = "{url}"
secret = "env:BENCH_SECRET"
"""
RULE: Final = """
[[alert]]
id = "step-{number}"
expr = "health_factor"
match = {{ wallet = "w00" }}
levels = [{{ severity = "critical", fire_below = {below:.4f} }}]
for = "0"
notify = {{ critical = ["hook"] }}
"""


@dataclass
class Hook:
    """Notes when each webhook of the rule arrived."""

    arrived: list[tuple[float, str]] = field(default_factory=list)
    bell: threading.Event = field(default_factory=threading.Event)

    def take(self, message: dict[str, Any]) -> None:
        if message["rule"].startswith("step-"):
            self.arrived.append((time.monotonic(), message["rule"]))
            self.bell.set()


@contextlib.contextmanager
def listening(hook: Hook) -> Iterator[str]:
    """Serve the hook; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def mining(world: World[Anvil], block_s: int) -> Iterator[None]:
    """Mine a block each so many seconds."""
    world.node.automine(False)
    world.node.rpc.request("evm_setIntervalMining", block_s)
    try:
        yield
    finally:
        world.node.rpc.request("evm_setIntervalMining", 0)
        world.node.automine(True)


@contextlib.contextmanager
def serving(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service until the end of the block."""
    env = {
        **os.environ,
        "UNDERKEEL_STATE_DIR": str(config.parent / "state"),
        "UNDERKEEL_CACHE_DIR": str(config.parent / "cache"),
        "BENCH_SECRET": "bench-secret-" + "x" * 32,
    }
    log = (config.parent / "log").open("wb")
    command = [sys.executable, "-m", "underkeel", "--config", str(config), "run"]
    process = subprocess.Popen(command, env=env, cwd=ROOT, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        log.close()


def rules(url: str, crossings: int) -> str:
    """Return a channel, and a rule for each crossing: half a step above where it ends."""
    each = (WATCHED_HEALTH * STEP ** (n + 0.5) for n in range(crossings))
    return RULES.format(url=url) + "".join(
        RULE.format(number=n, below=below) for n, below in enumerate(each)
    )


def cross(world: World[Anvil], hook: Hook) -> float | None:
    """Let the price fall in one block; return the seconds from its coming to the webhook."""
    from world.actors import feeds

    hook.bell.clear()
    known = len(hook.arrived)
    answer = round(feeds.price(world, "ETH / USD") * STEP)
    live = feeds.aggregator(world, "ETH / USD")
    round_id = live.call("latestRound") + 1
    tx = live.tx(world.book.oracle, "submit", round_id, answer, gas=1_000_000)
    hash_ = world.node.rpc.request("eth_sendTransaction", tx.params())
    while world.node.rpc.request("eth_getTransactionReceipt", hash_) is None:
        time.sleep(0.002)
    came = time.monotonic()
    while len(hook.arrived) == known:
        if not hook.bell.wait(PATIENCE_S):
            return None
    return hook.arrived[known][0] - came


def settle(config: Path, seconds: float) -> None:
    """Wait until everything was read and judged once."""
    import sqlite3

    until = time.monotonic() + seconds
    database = config.parent / "state" / "dry-run.sqlite"
    while time.monotonic() < until:
        with contextlib.suppress(sqlite3.OperationalError):
            db = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)
            rows = db.execute("select body from chain_states where status = 'ok'").fetchall()
            db.close()
            if rows and json.loads(rows[0][0])["cycles"] >= 3:
                return
        time.sleep(0.2)
    raise SystemExit("the service did not come to rest: " + (config.parent / "log").read_text())


def measure(wallets: int, block_s: int, crossings: int) -> dict[str, Any]:
    """Return what was measured."""
    from world.world import start

    hook, times = Hook(), []
    with start(clock="wall") as world, listening(hook) as url, tempfile.TemporaryDirectory() as f:
        crowd = open_crowd(world, wallets)
        config = Path(f) / "underkeel.toml"
        text = config_text(crowd, world.node.url, ws=world.node.ws_url, extra=rules(url, crossings))
        config.write_text(text)
        with mining(world, block_s), serving(config):
            settle(config, 120)
            for n in range(crossings):
                took = cross(world, hook)
                print(f"{n + 1:3} {'lost' if took is None else f'{took:.2f} s'}", file=sys.stderr)
                times.append(took)
        sys.stderr.write((config.parent / "log").read_text())
    known = [t for t in times if t is not None]
    return {
        "wallets": wallets,
        "positions": wallets * 40,
        "block_s": block_s,
        "crossings": crossings,
        "lost": crossings - len(known),
        "median_s": round(statistics.median(known), 3) if known else None,
        "worst_s": round(max(known), 3) if known else None,
        "limit_s": block_s + 1,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--wallets", type=int, default=50)
    parser.add_argument("--block", type=int, default=2, help="seconds between blocks")
    parser.add_argument("--crossings", type=int, default=20)
    asked = parser.parse_args()
    found = measure(asked.wallets, asked.block, asked.crossings)
    print(json.dumps(found, indent=2))
    late = found["lost"] or found["worst_s"] > found["limit_s"]
    raise SystemExit(1 if late else 0)


if __name__ == "__main__":
    main()
