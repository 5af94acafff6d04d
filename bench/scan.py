"""Scan a world market of injected borrowers by every engine: `python -m bench.scan [accounts]`."""

import csv
import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from world.actors import injected
from world.world import start

MARKET = "aave-3.6"
WAD = 10**18


def main(count: int) -> None:
    """Time the command as a user runs it, start-up included, and compare rows and set."""
    with start() as world, tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        owners = injected.inject(world, MARKET, count)
        print(f"{count:,} borrowers injected in {time.perf_counter() - began:.1f} s")
        head = {"blockHash": world.node.block()["hash"]}
        healths = injected.healths(world, MARKET, owners, head)
        broken = {owner for owner, health in healths.items() if health < WAD}
        root = world.book[MARKET]["pool_addresses_provider"]
        config = Path(folder) / "underkeel.toml"
        config.write_text(
            f"version = 1\n[chains.local]\nchain_id = {world.node.chain_id}\n"
            f'rpc = ["{world.node.url}"]\n[[chains.local.markets]]\nadapter = "aave-v3"\n'
            f'name = "big"\npool_addresses_provider = "{root}"\n'
        )
        tables = set()
        for what, args in (
            ("local, first time", []),
            ("local, accounts known", []),
            ("processes", ["--engine", "processes", "--shard", str(count // 4 + 1)]),
            ("dask", ["--engine", "dask", "--shard", str(count // 4 + 1)]),
        ):
            began = time.perf_counter()
            text = run(config, Path(folder), "--format", "csv", *args)
            took = time.perf_counter() - began
            tables.add(text)
            rows = list(csv.DictReader(io.StringIO(text)))
            found = {row["account"] for row in rows if row["status"] == "liquidatable"}
            same = (found & set(owners)) == broken
            print(f"{what}: {took:.1f} s, {len(rows):,} rows, the pool's own set: {same}")
        print(f"the same bytes from every engine: {len(tables) == 1}")


def run(config: Path, cache: Path, *args: str) -> str:
    """Run the command; return its stdout."""
    command = [sys.executable, "-m", "underkeel", "scan", "big", "--config", str(config), *args]
    environment = {**os.environ, "UNDERKEEL_CACHE_DIR": str(cache)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
