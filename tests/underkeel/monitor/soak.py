"""Six hours of a chain and more in minutes: `python -m tests.underkeel.monitor.soak`.

Twenty thousand blocks, two seconds of chain time each, are mined as fast as the service follows.
The price wanders and crosses thresholds, blocks are reorganised, endpoints fail for a while. At
the end memory must be flat after warm-up and the database bounded; what was told must be every
crossing until the alert counts as one that flaps (it is then held longer by the wall's clock,
which is not compressed), in turns, and nothing twice.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "contracts"))

from world.actors import tokens
from world.world import actor, start

from bench.watched import open_crowd
from tests.e2e.monitor.place import Place, opened, until
from tests.support import faults

BLOCKS: Final = 20_000
SPAN_S: Final = 6 * 3600
WARM: Final = 0.25
"""Part of the run after which memory counts."""
LOOKS: Final = 60
AHEAD: Final = 100
"""Blocks that may be mined ahead of the service."""
HELD: Final = 5
"""Crossings after which an alert that comes back again and again is held."""
STEP: Final = 20
"""Blocks mined at once."""
BURST: Final = 40
"""Blocks between two moves of the price."""


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def size_mb(place: Place) -> float:
    """Return the size of the database with its log."""
    files = place.database.parent.glob(place.database.name + "*")
    return sum(f.stat().st_size for f in files) / 2**20


def soak(blocks: int, seed: int) -> dict[str, Any]:
    """Run it and return what was measured."""
    die = random.Random(seed)
    with start() as world, tempfile.TemporaryDirectory() as folder:
        crowd = open_crowd(world, wallets=2, markets=4)
        with opened(world, crowd, Path(folder)) as place:
            process = place.start()
            place.read_to(place.mine())
            step = -(-SPAN_S // blocks)
            began, mined, low, crossings = time.monotonic(), 0, False, 0
            begun_at = world.node.timestamp()
            looks: list[tuple[int, float, float]] = []
            with world.node.ticking(step):
                while mined < blocks:
                    mined += _some(place, die, min(BURST, blocks - mined))
                    if die.random() < 0.25:
                        place.rise() if low else place.fall()
                        low, crossings, mined = not low, crossings + 1, mined + 1
                        place.read_to(int(world.node.block()["number"], 16), 120)
                    if len(looks) < mined * LOOKS / blocks:
                        looks.append((mined, rss_mb(process.popen.pid), size_mb(place)))
                        said = f"{mined:6} blocks {looks[-1][1]:7.1f} MB {looks[-1][2]:7.1f} MB"
                        sys.stderr.write(said + "\n")
                place.read_to(place.mine(), 120)
            until(lambda: len(place.receiver.states()) >= min(crossings, HELD), 60, place.log)
            place.settled()
            told = place.receiver.states()
            in_turns = (["firing", "resolved"] * len(told))[: len(told)]
            chain_s = world.node.timestamp() - begun_at
            (body,) = place.query("select body from chain_states")
            rows = {t: place.query(f"select count(*) from {t}")[0][0]
                    for t in ("samples", "events", "alerts", "notifications")}  # fmt: skip
            return _verdict(place, looks, json.loads(body[0]), rows) | {
                "blocks": mined, "chain_hours": round(chain_s / 3600, 2), "crossings": crossings,
                "told": len(told), "in_turns": told == in_turns,
                "repeated": place.receiver.twice(),
                "minutes": round((time.monotonic() - began) / 60, 1),
            }  # fmt: skip


def _some(place: Place, die: random.Random, count: int) -> int:
    """Mine some blocks, now and then with a fault; return how many."""
    chance = die.random()
    if chance < 0.03:
        place.world.node.mine(3)
        tokens.mint(place.world, "USDC", actor("undone"), 5)  # an empty block would keep its hash
        place.read_to(int(place.world.node.block()["number"], 16), 120)
        place.world.node.reorg(2)
        place.world.node.mine()
    elif chance < 0.06:
        place.proxy.script.then(*[faults.dropped] * 3)
    for _ in range(0, count, STEP):
        place.world.node.mine(STEP)
        head = int(place.world.node.block()["number"], 16)
        _keep_up(place, head - AHEAD)
    return count


def _keep_up(place: Place, block: int) -> None:
    query = "select coalesce(max(block_number), 0) from chain_states"
    until(lambda: (place.query(query) or [(0,)])[0][0] >= block, 120, place.log)


def _verdict(
    place: Place, looks: list[tuple[int, float, float]], body: Any, rows: dict[str, int]
) -> dict[str, Any]:
    warm = [rss for n, rss, _ in looks if n >= looks[-1][0] * WARM]
    third = max(1, len(warm) // 3)
    first, last = sum(warm[:third]) / third, sum(warm[-third:]) / third
    return {
        "rss_after_warm_up_mb": round(first, 1),
        "rss_at_end_mb": round(last, 1),
        "growth_pct": round(100 * (last / first - 1), 1),
        "database_mb": round(size_mb(place), 1),
        "rows": rows,
        "cycles": body["cycles"],
        "reorgs": body["reorgs"],
        "deaths": sum(" died " in line for line in place.processes[-1].lines),
    }


def main() -> None:
    """Run the soak; end with 1 where something grew or was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.underkeel.monitor.soak")
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    found = soak(asked.blocks, asked.seed)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    flat = found["growth_pct"] < 5
    whole = found["in_turns"] and not found["repeated"] and not found["deaths"]
    whole = whole and (found["reorgs"] > 0 or asked.blocks < BLOCKS)
    raise SystemExit(0 if flat and whole and found["database_mb"] < 200 else 1)


if __name__ == "__main__":
    main()
