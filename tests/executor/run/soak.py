"""Explore the small worlds much further than the suite does.

python -m tests.executor.run.soak [STATES]      default: 400,000 of each
"""

import sys
import time

from tests.executor.run.explorer import explore
from tests.executor.run.test_explore import CASES


def main() -> int:
    limit = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    faults = 0
    for case in CASES:
        started = time.process_time()
        found = explore(case.model, case.budget, limit=limit)
        extent = "all of them" if found.whole else "not all"
        sys.stdout.write(
            f"{case.name}: {found.states:,} states ({extent}), depth {found.depth}, "
            f"{time.process_time() - started:.0f} s: {found.fault or 'holds'}\n"
        )
        sys.stdout.writelines(f"  {step}\n" for step in found.trace)
        sys.stdout.flush()
        faults += found.fault is not None
    return faults


if __name__ == "__main__":
    sys.exit(main())
