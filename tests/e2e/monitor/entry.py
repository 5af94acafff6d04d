"""The real program, on clocks that a test can set: `python -m tests.e2e.monitor.entry ARGS…`.

$TEST_CLOCKS names a file with two numbers: seconds that the wall clock and the steady clock are
ahead. Everything else is as a user starts it.
"""

import os
import time
from pathlib import Path

WALL, STEADY = time.time, time.monotonic
FILE = Path(os.environ["TEST_CLOCKS"])


def ahead() -> tuple[float, float]:
    """Return how far both clocks are ahead."""
    try:
        wall, steady = FILE.read_text().split()
    except (OSError, ValueError):
        return 0.0, 0.0
    return float(wall), float(steady)


time.time = lambda: WALL() + ahead()[0]
time.monotonic = lambda: STEADY() + ahead()[1]

if __name__ == "__main__":
    from underkeel.cli.main import run

    run()
