"""Sign tests of health, side by side: `python -m bench.kernel [accounts] [factors] [scenarios]`.

1,000 accounts × 20 factors × 1,000,000 scenarios, counts and shortfalls by account, from prices in
memory. Accounts have two to four factors each. Beside our kernel: numpy in blocks (GEMM, then
reductions; the best of several block sizes, in float64, and in float32, whose counts are not
exact), our own fallback without numba, and polars in an environment of its own. Every contestant is
run in turn, several times; medians of wall time, and the ratios. Counts must agree.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.environments import Missing, python
from risk.kernel import Accounts, tally

BLOCKS = (500, 1_000, 4_000, 16_000)
Counts = NDArray[np.int64]


def scene(accounts: int, factors: int, scenarios: int) -> tuple[Accounts, NDArray[np.float32]]:
    """Return leveraged accounts and lognormal prices [F, S], always the same."""
    dice = np.random.default_rng(1)
    rows = []
    for _ in range(accounts):
        n = int(dice.integers(2, 5))
        held = dice.choice(factors, n, replace=False).tolist()
        value = dice.lognormal(9, 1.5, n)
        value[0] = -value[1:].sum() * dice.uniform(0.4, 0.95)  # the debt
        rows.append(dict(zip(held, value.tolist(), strict=True)))
    moves = dice.standard_normal((factors, scenarios), dtype=np.float32)
    return Accounts.of(rows, factors), np.exp(moves * np.float32(0.15))


def gemm(matrix: NDArray[np.floating], prices: NDArray[np.float32], block: int) -> Counts:
    """Count by a blocked matrix product and reductions."""
    counts = np.zeros(len(matrix), np.int64)
    short = np.zeros(len(matrix))
    for first in range(0, prices.shape[1], block):
        part = prices[:, first : first + block].astype(matrix.dtype, copy=False)
        margin = matrix @ part
        counts += (margin < 0).sum(axis=1)
        short -= np.minimum(margin, 0, out=margin).sum(axis=1)
    return counts


def timed(run: Callable[[], Counts], runs: int) -> tuple[float, Counts]:
    """Return the median of several runs, and what it counted."""
    walls = []
    for _ in range(runs):
        start = time.perf_counter()
        counts = run()
        walls.append(time.perf_counter() - start)
    return statistics.median(walls), counts


def polars(accounts: Accounts, prices: NDArray[np.float32], runs: int) -> tuple[float, Counts, str]:
    """Run polars in its own environment; raises `Missing`."""
    environment = python("polars")
    rows = []
    for a in range(len(accounts)):
        factor, weight = accounts.row(a)
        rows.append(list(zip(factor.tolist(), weight.tolist(), strict=True)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rows.json").write_text(json.dumps({"shape": prices.shape, "rows": rows}))
        (folder / "prices.f32").write_bytes(np.ascontiguousarray(prices).tobytes())
        script = str(environment.folder / "run_polars.py")
        ran = subprocess.run(
            [*environment.command, script, name, str(runs)],
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode:
        raise Missing(ran.stderr.strip()[-400:])
    told = json.loads(ran.stdout)
    counts = np.array(told["counts"], np.int64)
    return statistics.median(told["walls"]), counts, told["version"]


def main() -> int:
    """Measure and print; return 1 where somebody counted otherwise or is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    for name, default in (("accounts", 1_000), ("factors", 20), ("scenarios", 1_000_000)):
        parser.add_argument(name, type=int, nargs="?", default=default)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--without-polars", action="store_true")
    args = parser.parse_args()
    accounts, prices = scene(args.accounts, args.factors, args.scenarios)
    wide, narrow = accounts.dense(), accounts.dense().astype(np.float32)
    tally(accounts, prices[:, :1024], fused=True)  # compiled, or loaded from the cache
    ours, truth = timed(lambda: tally(accounts, prices, fused=True).liquidatable, args.runs)
    tests = args.accounts * args.scenarios
    print(f"{tests:,} tests, {len(accounts.weight) / args.accounts:.2f} factors by account")
    print(f"{'fused kernel':32} {ours:8.3f} s  {tests / ours / 1e9:.2f} G tests/s")
    wrong = 0

    def show(name: str, took: float, counts: Counts, *, exact: bool = True) -> None:
        nonlocal wrong
        off = int(np.abs(counts - truth).sum())
        wrong += exact and off > 0
        print(
            f"{name:32} {took:8.3f} s  {took / ours:6.1f} × ours, {off:,} tests counted otherwise"
        )

    few = max(1, args.runs // 2)
    for matrix, exact in ((wide, True), (narrow, False)):
        best = min((timed(lambda b=b, m=matrix: gemm(m, prices, b), 1)[0], b) for b in BLOCKS)[1]  # type: ignore[misc]
        took, counts = timed(lambda b=best, m=matrix: gemm(m, prices, b), few)  # type: ignore[misc]
        show(f"numpy GEMM {matrix.dtype}, blocks of {best}", took, counts, exact=exact)
    show("our fallback without numba", *timed(
        lambda: tally(accounts, prices, fused=False).liquidatable, 1
    ))  # fmt: skip
    if not args.without_polars:
        try:
            took, counts, version = polars(accounts, prices, few)
            show(f"polars {version}", took, counts)
        except Missing as error:
            print(f"MISSING: polars: {error}", file=sys.stderr)
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
