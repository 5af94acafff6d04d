"""Measure bulk reading beside installed peers, on a local node with a real Aave market.

    python -m bench [--quick] [--runs 3] [--only multicall underkeel]

Everyone reads the same words at the same block; a digest over them proves it. Prints medians and
ratios, and writes docs/benchmarks.md unless `--quick` or `--only` is given (then `--page FILE`).
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from bench.contestants import CONTESTANTS, Contestant
from bench.environments import Environment, Missing
from bench.measure import Failed, Result, Size, measure
from bench.report import markdown, table
from bench.scene import NFTS, Scene, staged

DOCS = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
QUICK = (Size("full", 10, 30), Size("full", 1_000, 30))
FULL = (
    Size("full", 1, 10),
    Size("full", 1, 10, 100),
    Size("full", 1_000, 10),
    Size("uniswap", NFTS, 30),
    Size("uniswap", NFTS, 30, 100),
    Size("full", 1, 30),
    Size("full", 1, 30, 30),
    Size("full", 1, 30, 100),
    Size("full", 10, 30),
    Size("full", 10, 30, 30),
    Size("full", 10, 30, 100),
    Size("full", 100, 30),
    Size("full", 1_000, 30),
    Size("full", 1_000, 30, 30),
    Size("full", 1_000, 30, 100),
    Size("full", 10_000, 30),
    Size("health", 1_000, 30),
    Size("health", 1_000, 30, 100),
    Size("health", 10_000, 30),
)
Results = dict[Size, list[Result]]


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


def main() -> int:
    """Measure, print, write; return 1 if a contestant is missing, failed, or read otherwise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="two sizes only, about two minutes")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="names that contain one of these")
    parser.add_argument("--page", type=Path, help="where to write the page")
    args = parser.parse_args()
    if not (args.quick or args.only or args.page):
        args.page = DOCS
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    sizes = QUICK if args.quick else FULL
    chosen = [c for c in CONTESTANTS if not args.only or any(o in c.name for o in args.only)]
    found, faults = environments(chosen)
    results: Results = {}
    for reserves, group in groupby(sizes, key=lambda size: size.reserves):
        part = list(group)
        most = max(size.accounts for size in part)
        print(f"preparing {most:,} accounts × {reserves} reserves …", file=sys.stderr)
        with staged(reserves, most) as scene:
            for size in part:
                results[size] = _all(chosen, found, scene, size, args.runs, faults)
                print(f"\n{size}\n{table(size, results)}", flush=True)
                if args.page:
                    # After each, so that a run that is interrupted leaves what it has.
                    args.page.write_text(markdown(results, faults, args.runs), "utf-8")
    for name, why in faults.items():
        print(f"NOT MEASURED: {name}: {why}", file=sys.stderr)
    return 1 if faults else 0


def _all(
    chosen: Sequence[Contestant],
    found: dict[str, Environment],
    scene: Scene,
    size: Size,
    runs: int,
    faults: dict[str, str],
) -> list[Result]:
    results: list[Result] = []
    for contestant in chosen:
        most = contestant.far if size.latency_ms else contestant.most
        small = size.cells <= most and size.task in contestant.tasks
        if not small or contestant.name not in found:
            continue
        try:
            result = measure(contestant, found[contestant.name], scene, size, runs)
        except Failed as failure:
            faults[f"{contestant.name}, {size}"] = str(failure)
            print(f"FAILED: {contestant.name}, {size}: {failure}", file=sys.stderr)
            continue
        if results and result.cells != results[0].cells:
            faults[f"{contestant.name}, {size}"] = f"other words than {results[0].name}"
            print(f"DIFFERS: {contestant.name}, {size}", file=sys.stderr)
            continue
        results.append(result)
    return results


if __name__ == "__main__":
    sys.exit(main())
