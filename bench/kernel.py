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
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
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


@dataclass
class Contestant:
    """Who counts, and how long it took each time."""

    name: str
    run: Callable[[], Counts]
    exact: bool = True
    walls: list[float] = field(default_factory=list)
    counts: Counts | None = None

    def turn(self) -> None:
        """Count once."""
        start = time.perf_counter()
        self.counts = self.run()
        self.walls.append(time.perf_counter() - start)


@contextmanager
def polars(accounts: Accounts, prices: NDArray[np.float32]) -> Iterator[Contestant]:
    """Yield polars in a process and environment of its own; raises `Missing`."""
    environment = python("polars")
    rows = []
    for a in range(len(accounts)):
        factor, weight = accounts.row(a)
        rows.append(list(zip(factor.tolist(), weight.tolist(), strict=True)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rows.json").write_text(json.dumps({"shape": prices.shape, "rows": rows}))
        (folder / "prices.f32").write_bytes(np.ascontiguousarray(prices).tobytes())
        command = [*environment.command, str(environment.folder / "run_polars.py"), name]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            ask, answers = process.stdin, process.stdout

            def run() -> Counts:
                ask.write("count\n")
                ask.flush()
                line = answers.readline()
                if not line:
                    raise Missing("polars ended")
                told = json.loads(line)
                found.name = f"polars {told['version']}"
                inner.append(told["wall"])
                return np.array(told["counts"], np.int64)

            inner: list[float] = []
            found = Contestant("polars", run)
            run()  # its first is slower
            inner.clear()
            yield found
            found.walls[:] = inner  # without what the pipe took
            ask.close()


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
    ours = Contestant("fused kernel", lambda: tally(accounts, prices, fused=True).liquidatable)
    others = [
        Contestant("numpy GEMM float64", _best(wide, prices)),
        Contestant("numpy GEMM float32", _best(narrow, prices), exact=False),
        Contestant(
            "ours, without numba", lambda: tally(accounts, prices, fused=False).liquidatable
        ),
    ]
    with ExitStack() as stack:
        if not args.without_polars:
            try:
                others.append(stack.enter_context(polars(accounts, prices)))
            except Missing as error:
                print(f"MISSING: polars: {error}", file=sys.stderr)
                return 1
        for _ in range(args.runs):  # in turns, so that a busy moment is everybody's
            for one in (ours, *others):
                one.turn()
    return _shown(ours, others, args.accounts * args.scenarios)


def _best(matrix: NDArray[np.floating], prices: NDArray[np.float32]) -> Callable[[], Counts]:
    """Return the product at the block size that is fastest on a tenth of the scenarios."""
    some = prices[:, : max(1, prices.shape[1] // 10)]

    def took(block: int) -> float:
        start = time.perf_counter()
        gemm(matrix, some, block)
        return time.perf_counter() - start

    block = min(BLOCKS, key=took)
    return lambda: gemm(matrix, prices, block)


def _shown(ours: Contestant, others: Sequence[Contestant], tests: int) -> int:
    """Print medians and ratios; return 1 where somebody exact counted otherwise."""
    mine = statistics.median(ours.walls)
    print(f"{tests:,} tests; medians of {len(ours.walls)} runs, in turns")
    print(f"{ours.name:24} {mine:8.3f} s   {tests / mine / 1e9:.2f} G tests/s")
    wrong = 0
    for one in others:
        took = statistics.median(one.walls)
        assert one.counts is not None
        assert ours.counts is not None
        off = int(np.abs(one.counts - ours.counts).sum())
        wrong += one.exact and off > 0
        ratio = statistics.median(o / m for o, m in zip(one.walls, ours.walls, strict=True))
        print(f"{one.name:24} {took:8.3f} s   {ratio:6.1f} × ours   {off:,} counted otherwise")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
