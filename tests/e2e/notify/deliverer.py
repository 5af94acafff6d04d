"""A process that forks deliveries: each line on stdin is one, `{"run": …}` answers its exit code.

Forked, because a Python that has loaded everything starts in a moment. Each fork is a process of
its own with threads, a database connection and sockets of its own, and ends by a real SIGKILL at
the point it was told.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from underkeel.notify import lane, queue
from underkeel.notify.service import Delivery, unfenced
from underkeel.notify.times import Times
from underkeel.notify.types import Limits
from underkeel.notify.webhook import Webhook
from underkeel.notify.wire import target
from underkeel.store.store import Store

SECRET = "0123456789abcdef"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(call: Callable[..., Any]) -> Callable[..., Any]:
    def dying(*args: Any, **kwargs: Any) -> Any:
        found = call(*args, **kwargs)
        if found is None or found:  # a claim of nothing is no delivery
            die()
        return found

    return dying


def before(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: die()


POINTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "claimed, not committed": (queue, "claim", after),
    "recorded, not sent": (Webhook, "send", before),
    "sent, not noted": (Webhook, "send", after),
    "noted, not committed": (queue, "settle", after),
    "committed": (lane.Lane, "_note", after),
}


def deliver(url: str, hook: str, point: str, speed: float, service: bool, until: int) -> None:
    """Deliver until nothing waits, or for ever where `until` is below zero."""
    if point:
        where, name, how = POINTS[point]
        setattr(where, name, how(getattr(where, name)))
    store = Store.open(url, mode="dry-run", chains={"ethereum": 1, "base": 8453})
    wall, steady = time.time(), time.monotonic()
    times = Times(
        lambda: wall + (time.monotonic() - steady) * speed,
        lambda: steady + (time.monotonic() - steady) * speed,
        speed,
    )
    channel = Webhook("hook", target(hook), SECRET, Limits(10, 6_000, 7 * 86_400))
    fence = unfenced if service else None
    delivery = Delivery(store, {"hook": channel}, fence=fence, times=times)
    delivery.start()
    while True:
        with store.reading() as db:
            if not queue.backlog(db) and until >= 0:
                break
        time.sleep(0.02)
    delivery.stop()
    store.close()


def say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    say(ready=True)
    for line in sys.stdin:
        asked = json.loads(line)
        children = []
        for run in asked["runs"]:
            pid = os.fork()
            if not pid:
                try:
                    deliver(**run)
                    os._exit(0)
                except BaseException as error:  # noqa: BLE001  (a fork never returns)
                    sys.stderr.write(f"{error!r}\n")
                    os._exit(1)
            children.append(pid)
        say(pids=children)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        say(codes=codes)


if __name__ == "__main__":
    main()
