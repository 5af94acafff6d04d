"""A test message: put into the outbox, sent once by the channel itself, its receipt noted."""

import uuid
from dataclasses import dataclass
from typing import Final

from underkeel.notify import queue
from underkeel.notify.by_apprise import STARTING_S
from underkeel.notify.times import Times
from underkeel.notify.types import TEST, Channel, Outcome
from underkeel.store import outbox
from underkeel.store.store import Store

MARGIN_S: Final = 30.0
TITLE: Final = "Test message from Underkeel"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a test message."""

    id: str
    at: float
    outcome: Outcome
    took_s: float


def try_channel(store: Store, channel: Channel, times: Times | None = None) -> Trial:
    """Send a real message; raises `StoreError` where it cannot be recorded first.

    It is put as being sent by this process, so a running service leaves it alone. It is tried
    once: whoever asked is there to see. Ended in between, it is sent by the service, some time
    later, as possibly repeated.
    """
    times = times or Times(wall=store.clock)
    mark = uuid.uuid4().hex
    who, now = f"test/{mark}", times.wall()
    message = outbox.Message(
        id=who,
        channel=channel.name,
        severity="info",
        title=TITLE,
        body=f"Channel {channel.name} works. Somebody ran `underkeel alert test`; "
        "nothing is the matter.",
        state=TEST,
    )
    until = now + channel.limits.timeout_s + STARTING_S + MARGIN_S
    with store.writing() as db:
        outbox.put(db, message, now)
        claim = queue.take(db, message.id, who=who, now=now, until=until)
    began = times.steady()
    outcome = channel.send(claim.message, claim.attempt, repeated=False)
    took = times.steady() - began
    with store.writing() as db:
        queue.settle(db, [claim], outcome, who=who, now=times.wall(), retry_at=None)
    return Trial(message.id, now, outcome, took)
