"""An executor as a process of its own, for tests that kill it.

    KEY=0x… python -m tests.executor.run.process '{"journal": "sqlite:///…", "mark": "…",
        "urls": ["http://…"], "chain_id": 1}'

Prints one line of JSON per report. Further keys: quorum, private, final_depth, poll_s, ttl_s,
bump_blocks, foreign_s, holder, until_idle. The policy allows everything.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from chain.client import ChainSpec, connect
from chain.endpoint import Endpoint
from chain.pool import Patience
from chain.sending import Sender
from chain.transport import HttpTransport
from executor.journal.journal import Journal
from executor.run.process import run
from executor.run.runner import Report, Runner
from executor.run.view import Settings
from tests.executor.run.stage import DEPTH, Everything, PlainSigner


def build(options: dict[str, Any], key: str) -> Runner:
    chain_id = options["chain_id"]
    spec = ChainSpec(
        "test", chain_id, tuple(options["urls"]), quorum=options.get("quorum", 1),
        timeout_s=options.get("timeout_s", 5.0),
    )  # fmt: skip
    client = connect(spec, patience=Patience(retries=0))
    private = [Endpoint(HttpTransport(url), chain_id) for url in options.get("private", [])]
    sender = Sender(client, private=private, final_depth=options.get("final_depth", DEPTH))
    mark = options.get("mark")
    journal = Journal.open(options["journal"], mode="live", mark=Path(mark) if mark else None)
    settings = Settings(
        bump_blocks=options.get("bump_blocks", 2), foreign_s=options.get("foreign_s", 0)
    )
    return Runner(
        journal, sender, PlainSigner(key), Everything(),
        holder=options.get("holder", f"pid {os.getpid()}"), settings=settings,
        ttl_s=options.get("ttl_s", 60),
    )  # fmt: skip


def tell(report: Report) -> None:
    line = {"intent": report.intent, "state": report.state, "what": report.what}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    options = json.loads(sys.argv[1])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    runner = build(options, os.environ.pop("KEY"))
    run(
        runner, stop, poll_s=options.get("poll_s", 0.05), tell=tell,
        until_idle=options.get("until_idle", False),
    )  # fmt: skip


if __name__ == "__main__":
    main()
