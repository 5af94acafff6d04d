"""Measure bulk reading beside installed peers, on a local node with a real Aave market.

    python -m bench [--quick] [--runs 15] [--only multicall underkeel] [--sizes "100 ms" uniswap]

Everyone reads the same words at the same block; a digest over them proves it. Prints medians and
ratios, and writes docs/benchmarks.md unless `--quick` or `--only` is given (then `--page FILE`).
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from bench.contestants import CONTESTANTS, Contestant
from bench.environments import Environment, Missing
from bench.measure import Measured, Size, measure
from bench.report import left_out, markdown, rows, table
from bench.scene import NFTS, Scene, staged
from bench.verdict import verdict

DOCS = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
QUICK = (Size("full", 10, 30), Size("full", 1_000, 30), Size("health", 1_000, 30))
GRID = (1, 10, 100, 1_000, 10_000)
AWAY = (0, 30, 100)


def _grid(reserves: int) -> tuple[Size, ...]:
    return tuple(Size("full", count, reserves, away) for count in GRID for away in AWAY)


FULL = (
    *_grid(30),
    *(Size("health", 1_000, 30, away) for away in AWAY),
    Size("health", 10_000, 30),
    *(Size("uniswap", NFTS, 30, away) for away in AWAY),
    *(Size("owners", 1_000, 30, away) for away in AWAY),
    *_grid(10),
)
Results = dict[Size, Measured]


def environments(chosen: Sequence[Contestant]) -> tuple[dict[str, Environment], dict[str, str]]:
    """Return how to run each contestant, and why some cannot be run."""
    found: dict[str, Environment] = {}
    missing: dict[str, str] = {}
    for contestant in chosen:
        print(f"preparing {contestant.name} …", file=sys.stderr)
        try:
            found[contestant.name] = contestant.environment()
        except Missing as error:
            missing[contestant.name] = str(error)
            print(f"MISSING: {contestant.name}: {error}", file=sys.stderr)
    return found, missing


def _wanted(size: Size, texts: Sequence[str] | None) -> bool:
    """Whether a size is asked for: by its whole name, or by a part where that is none's whole."""
    whole = {str(one) for one in FULL}
    return not texts or any(
        text == str(size) if text in whole else text in str(size) for text in texts
    )


def main() -> int:
    """Measure, print, write; return 1 if a contestant is missing, failed, or read otherwise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="three sizes only, three minutes")
    parser.add_argument("--runs", type=int, default=15, help="most rounds at each size")
    parser.add_argument("--only", nargs="+", help="contestants whose names contain one of these")
    parser.add_argument("--sizes", nargs="+", help="sizes whose names contain one of these")
    parser.add_argument("--page", type=Path, help="where to write the page")
    args = parser.parse_args()
    if not (args.quick or args.only or args.sizes or args.page):
        args.page = DOCS
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    sizes = [size for size in (QUICK if args.quick else FULL) if _wanted(size, args.sizes)]
    if not sizes:
        parser.error("no size is called so; they are " + ", ".join(str(s) for s in FULL))
    chosen = [c for c in CONTESTANTS if not args.only or any(o in c.name for o in args.only)]
    found, faults = environments(chosen)
    results: Results = {}
    began = time.monotonic()
    for reserves, group in groupby(sizes, key=lambda size: size.reserves):
        part = list(group)
        most = max(size.accounts for size in part)
        print(f"preparing {most:,} accounts × {reserves} reserves …", file=sys.stderr)
        owners = max((size.accounts for size in part if size.task == "owners"), default=0)
        with staged(reserves, most, owners) as scene:
            for size in part:
                print(f"[{len(results) + 1}/{len(sizes)}] {size}, after "
                      f"{time.monotonic() - began:.0f} s", file=sys.stderr)  # fmt: skip
                results[size] = measured = _measured(chosen, found, scene, size, args.runs)
                for name, why in measured.faults.items():
                    faults[f"{name}, {size}"] = why
                    print(f"FAILED: {name}, {size}: {why}", file=sys.stderr)
                print(f"\n{size}\n{table(rows(size, results))}\n{left_out(size)}", flush=True)
                if args.page:
                    # After each, so that a run that is interrupted leaves what it has.
                    args.page.write_text(markdown(results, faults, args.runs), "utf-8")
    print(f"\n{table(verdict(results))}\nafter {time.monotonic() - began:.0f} s", flush=True)
    for name, why in faults.items():
        print(f"NOT MEASURED: {name}: {why}", file=sys.stderr)
    return 1 if faults else 0


def _measured(
    chosen: Sequence[Contestant],
    found: dict[str, Environment],
    scene: Scene,
    size: Size,
    runs: int,
) -> Measured:
    able = [
        (one, found[one.name])
        for one in chosen
        if one.name in found
        and size.task in one.tasks
        and not one.leaves_out(size.cells, size.latency_ms)
    ]
    return measure(able, scene, size, runs, _progress)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K  {text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
