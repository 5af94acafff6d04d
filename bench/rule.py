"""Learn a feed's heartbeat and deviation from a file of its rounds.

    python -m bench.rule FILE...

A file is CSV with the columns `roundId`, `answer` and `updatedAt`. Nothing of it is part of the
project.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from protocols.prices.state import Round
from risk.oracle.rule import learn


def rounds(path: Path) -> list[Round]:
    """Return the rounds of a file, oldest first."""
    import pandas as pd

    table = pd.read_csv(path, dtype=str)
    columns = (table[name].map(int) for name in ("roundId", "answer", "updatedAt"))
    return sorted((Round(*row) for row in zip(*columns, strict=True)), key=lambda r: r.id)


def main() -> int:
    """Print what is learned from each file; return 2 without one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("files", type=Path, nargs="*")
    files = parser.parse_args().files
    if not files:
        print("SKIPPED: no file of rounds was given; nothing was learned", file=sys.stderr)
        return 2
    for path in files:
        found = learn(rounds(path))
        print(f"{path.name}: heartbeat {found.heartbeat_s} s, deviation {found.deviation_bps} bps")
        print(
            f"  {found.updates} updates, {found.by_heartbeat} by heartbeat, "
            f"{found.by_deviation} sooner; {found.explained_frac} explained; {found.causes}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
