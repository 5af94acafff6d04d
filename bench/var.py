"""Test value at risk on prices that it has not seen: Kupiec and Christoffersen.

    python -m bench.var FOLDER [--step 1d] [--plain]

FOLDER holds CSV or Parquet files of prices, as docs/history.md describes them; each is a factor,
and so is each column of a file with several. The first half is the beginning of the history, the
second is foretold step by step. Levels are recalibrated by their own violations from a quarter of
the history on, unless --plain. Nothing of the folder is part of the project.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from risk.market.backtest import backtest, value_at_risk
from risk.market.returns import align
from risk.market.types import DAY_S, PriceSeries, Returns
from underkeel.history.files import SUFFIXES, BadHistory, read_file

LEVELS = (0.95, 0.99)
STEPS = {"1d": DAY_S, "6h": DAY_S // 4, "1h": 3_600}


def histories(folder: Path) -> Iterator[PriceSeries]:
    """Yield every history in the folder's files; of a wide file each column, if all are prices."""
    for path in sorted(p for p in folder.iterdir() if p.name.endswith(SUFFIXES)):
        name = path.name.split(".", 1)[0]
        try:
            yield read_file(path, name)
        except BadHistory as error:
            try:
                found = [read_file(path, f"{name}:{c}", column=c) for c in columns(path)]
            except BadHistory:
                print(f"SKIPPED {path.name}: {error}", file=sys.stderr)
            else:
                yield from found


def columns(path: Path) -> list[str]:
    """Return the columns of a file but the first."""
    import pandas as pd

    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, nrows=1)
    return [str(column) for column in table.columns[1:]]


def portfolios(returns: Returns) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each factor alone, all in equal parts, and the first two against each other."""
    n = len(returns.factors)
    for i, factor in enumerate(returns.factors):
        yield factor, np.eye(n)[i]
    if n > 1:
        yield "all, equal parts", np.full(n, 1 / n)
        yield f"{returns.factors[0]} against {returns.factors[1]}", np.eye(n)[0] - np.eye(n)[1]


def groups(series: list[PriceSeries], step_s: int) -> Iterator[Returns]:
    """Yield returns of what covers the same time, so that a long history is not cut to a short."""
    rest = sorted(series, key=lambda s: int(s.times[0]))
    while rest:
        lead = rest[0]
        span = int(lead.times[-1] - lead.times[0])
        same = [
            s
            for s in rest
            if abs(int(s.times[0] - lead.times[0])) < span / 10
            and abs(int(s.times[-1] - lead.times[-1])) < span / 10
        ]
        rest = [s for s in rest if s not in same]
        returns = align(same, step_s)
        for factor, cause in returns.missing.items():
            print(f"SKIPPED {factor}: {cause}", file=sys.stderr)
        if returns.factors:
            yield returns


def main() -> int:
    """Print the tests of every portfolio; return 1 where one fails, 2 without data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--step", choices=STEPS, default="1d")
    parser.add_argument("--plain", action="store_true", help="levels that do not learn")
    args = parser.parse_args()
    if args.folder is None or not args.folder.is_dir():
        print("SKIPPED: no folder of prices was given; nothing was tested", file=sys.stderr)
        return 2
    failed, begun = 0, time.perf_counter()
    print("portfolio | level | steps | violations | expected | Kupiec p | indep. p | both p")
    print("---|---|---|---|---|---|---|---")
    for returns in groups(list(histories(args.folder)), STEPS[args.step]):
        first = len(returns.log) // 2
        names, weights = zip(*portfolios(returns), strict=True)
        learn_from = None if args.plain else first // 2
        told, losses = value_at_risk(returns, np.stack(weights), LEVELS, first, learn_from)
        for i, name in enumerate(names):
            for j, level in enumerate(LEVELS):
                found = backtest(losses[:, i] > told[:, i, j], level)
                ps = (found.kupiec_p, found.independence_p, found.coverage_p)
                bad = min(ps) <= 0.05
                failed += bad
                numbers = " | ".join(f"{p:.3f}" for p in ps)
                counts = f"{found.days} | {found.violations} | {found.expected:.1f}"
                print(f"{name} | {level:.0%} | {counts} | {numbers}{'  *' if bad else ''}")
    print(f"{failed} with p <= 0.05 (*), {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
