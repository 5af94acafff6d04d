"""Run one wallet's executor until told to stop: a pass per new block, and one in between.

The command line builds the runner; nothing here knows of configs. A pass that fails is reported
and tried again; a lease that is lost, a journal of another chain or a damaged one end the loop.
"""

import threading
from collections.abc import Callable

from executor.run.runner import Busy, Report, Runner
from executor.types import TERMINAL


def run(
    runner: Runner,
    stop: threading.Event,
    *,
    poll_s: float,
    tell: Callable[[Report], None] = lambda _: None,
    until_idle: bool = False,
) -> None:
    """Run passes `poll_s` apart until `stop` is set, or nothing is open if `until_idle`.

    Waits while another process holds the lease. Raises `LeaseLost` where another took it over and
    `WrongStamp` where the journal is of another chain.
    """
    told: dict[str, Report] = {}
    while not stop.is_set():
        try:
            reports = runner.tick()
        except Busy as busy:
            reports = [Report("", None, str(busy))]
        for report in reports:
            if told.get(report.intent) != report:
                told[report.intent] = report
                tell(report)
        if until_idle and all(report.state in TERMINAL for report in reports):
            break
        stop.wait(poll_s)
    runner.close()
