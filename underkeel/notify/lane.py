"""One channel's delivery: claim, send, note what came of it; nothing of it concerns the others.

What is sent is recorded as being sent first, in a transaction of its own. What came of it is
recorded before anything else is sent; while the database takes nothing, nothing more is sent. So
an end at any point loses no message, and one whose answer was not noted is sent again under its
id, and said to be possibly repeated.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from underkeel.notify import digest, queue, telling
from underkeel.notify.by_apprise import STARTING_S
from underkeel.notify.queue import Claim
from underkeel.notify.times import Rate, Times, back_off
from underkeel.notify.types import Channel, Outcome, Verdict
from underkeel.store.errors import LockLost, StoreError
from underkeel.store.store import Store

log: Final = logging.getLogger(__name__)
ERROR_S: Final = 5.0
"""After an error of ours or of the database."""
PAUSE_S: Final = 1.0
"""After finding nothing that may be sent among what waits."""
TELL_AFTER: Final = 3
"""Failures in a row after which the other channels are told."""
MESSAGE_S: Final = 3_600.0
"""How long a message is tried that is refused while others are taken."""
MARGIN_S: Final = 30.0

Fence = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How a channel does."""

    status: str
    """ok, failing, or unused: nothing was sent since the start."""
    since: float
    """Since when, by the wall clock."""
    cause: str = ""
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Sent:
    """An attempt whose outcome the database has not taken yet."""

    claims: Sequence[Claim]
    outcome: Outcome
    digest: str


class Lane:
    """The delivery to one channel; `step` is called by one thread."""

    def __init__(
        self,
        store: Store,
        channel: Channel,
        others: Sequence[str],
        *,
        who: str,
        fence: Fence,
        times: Times,
    ) -> None:
        self.channel = channel
        self.bell = threading.Event()
        self.health = ChannelHealth("unused", times.wall())
        self.progress = times.steady()
        """When it last did anything, by the steady clock."""
        self.database = ""
        """Why the database takes nothing, while it does not."""
        self.totals: dict[str, int] = {}
        self._store = store
        self._others = others
        self._who = who
        self._fence = fence
        self._times = times
        self._rate = Rate(channel.limits.per_minute)
        self._failures = 0
        self._not_before = 0.0
        self._unnoted: _Sent | None = None
        self._apart = False
        """Whether messages are sent one by one, because several together were refused."""
        self._told: bool | None = None
        self._fresh = True

    def run(self, stop: threading.Event) -> None:
        """Step until told to stop; the lock's loss ends it."""
        while not stop.is_set():
            self.bell.clear()
            try:
                wait = self.step()
            except LockLost as error:
                self.database = str(error)
                return
            except Exception:
                log.exception("delivery to %s", self.channel.name)
                wait = ERROR_S
            if not stop.is_set():
                self._times.wait(self.bell, wait)

    def step(self) -> float:
        """Do what can be done now; return the seconds until there may be more."""
        self.progress = self._times.steady()
        try:
            wait = self._stepped()
        except LockLost:
            raise
        except StoreError as error:
            if not self.database:
                log.warning("delivery to %s: %s", self.channel.name, error)
            self.database = str(error)
            return ERROR_S
        self.database = ""
        return wait

    def _stepped(self) -> float:
        if self._unnoted is not None:
            self._note(self._unnoted)
        now = self._times.steady()
        wait = max(self._not_before - now, self._rate.left_s(now))
        if wait > 0:
            return wait
        claims, wait = self._claims()
        if not claims:
            return wait
        self._unnoted = self._send(claims)
        self.progress = self._times.steady()
        self._note(self._unnoted)
        return 0.0

    def _claims(self) -> tuple[list[Claim], float]:
        """Return what to send now; with nothing, how long to wait."""
        name = self.channel.name
        if self._fresh:
            self._begin()
        with self._store.reading() as db:
            due = queue.due_within(db, name, self._times.wall())
        if due is None:
            self._apart = False
            return [], self._times.poll_s
        if due > 0:
            return [], min(due, self._times.poll_s)
        longest = self._longest()
        with self._store.writing() as db:
            self._fence(db)
            now = self._times.wall()
            queue.recover(db, name, who=self._who, now=now, longest=longest)
            claims = queue.claim(
                db, name, who=self._who, now=now, until=now + longest, most=self._most(db)
            )
        return claims, PAUSE_S

    def _begin(self) -> None:
        """Take over what an earlier run was sending, and wait no longer on its account."""
        name = self.channel.name
        with self._store.writing() as db:
            self._fence(db)
            queue.recover(db, name, who=self._who, now=self._times.wall(), longest=self._longest())
            queue.hurry(db, name)
        self._fresh = False

    def _most(self, db: Connection) -> int:
        """Return how many to send as one: one, unless many wait for people who can be reached."""
        if self.channel.knows_repeats or self._apart or self.health.status == "failing":
            return 1
        waiting = queue.backlog(db).get(self.channel.name)
        return digest.MOST if waiting is not None and waiting.count > digest.ABOVE else 1

    def _longest(self) -> float:
        return self.channel.limits.timeout_s + STARTING_S + MARGIN_S

    def _send(self, claims: Sequence[Claim]) -> _Sent:
        repeated = {claim.message.id for claim in claims if claim.repeated}
        message = digest.digest([claim.message for claim in claims], repeated)
        self._rate.spend(self._times.steady())
        attempt = max(claim.attempt for claim in claims)
        try:
            again = len(repeated) == len(claims)
            outcome = self.channel.send(message, attempt, repeated=again)
        except Exception as error:
            log.exception("channel %s", self.channel.name)
            outcome = Outcome(Verdict.UNKNOWN, f"an error of ours: {type(error).__name__}")
        return _Sent(claims, outcome, message.id if len(claims) > 1 else "")

    def _note(self, sent: _Sent) -> None:
        """Record what came of an attempt, once, whatever else follows from it."""
        outcome, now = sent.outcome, self._times.wall()
        delivered = outcome.verdict is Verdict.DELIVERED
        failures = 0 if delivered else self._failures + self._counts(sent)
        wait = self._wait(sent, failures)
        with self._store.writing() as db:
            self._fence(db)
            queue.settle(
                db, sent.claims, outcome, who=self._who, now=now,
                retry_at=None if delivered else now + wait, digest=sent.digest,
            )  # fmt: skip
            told = self._follow(db, sent, wait, failures)
        self._unnoted, self._told, self._failures = None, told, failures
        self._apart = self._apart or (outcome.message_only and len(sent.claims) > 1)
        self.totals[outcome.verdict] = self.totals.get(outcome.verdict, 0) + len(sent.claims)
        held = not delivered and not outcome.message_only
        self._not_before = self._times.steady() + wait if held else 0.0
        if delivered or held or failures >= TELL_AFTER:
            status = "ok" if delivered else "failing"
            since = self.health.since if self.health.status == status else now
            self.health = ChannelHealth(status, since, outcome.cause)

    def _counts(self, sent: _Sent) -> bool:
        """Whether a failure speaks against the channel; not for ever, if it is one message's."""
        if not sent.outcome.message_only or self.health.status != "ok":
            return True
        return max(claim.attempt for claim in sent.claims) <= TELL_AFTER

    def _wait(self, sent: _Sent, failures: int) -> float:
        """Return the seconds until the next attempt: of the channel, or of what was refused."""
        outcome = sent.outcome
        if outcome.message_only:
            failures = max(claim.attempt for claim in sent.claims)
        refused = outcome.verdict is Verdict.REFUSED and not outcome.message_only
        wait = back_off(failures, refused, self._times.chance())
        return max(wait, outcome.retry_after_s or 0.0)

    def _follow(self, db: Connection, sent: _Sent, wait: float, failures: int) -> bool:
        """Write what follows from an outcome; returns whether the others know of a failure."""
        name, outcome, now = self.channel.name, sent.outcome, self._times.wall()
        teller = telling.Teller(db, name, self._others, now)
        told = self._told if self._told is not None else teller.open()
        if outcome.verdict is Verdict.DELIVERED:
            if self.health.status == "failing":
                queue.hurry(db, name)
            if told:
                teller.working()
            return False
        alone = outcome.message_only and len(sent.claims) == 1
        only = [claim.seq for claim in sent.claims] if alone else None
        patience = self.channel.limits.retry_for_s
        if alone and self.health.status == "ok":  # others are taken: it is this message
            patience = min(patience, MESSAGE_S)
        queue.age(db, name, wait, only)
        lost = queue.expire(db, name, patience, now, outcome.cause, only)
        if lost:
            teller.gave_up(lost, outcome.cause)
        at_once = outcome.verdict is Verdict.REFUSED and not outcome.message_only
        if told or not (at_once or failures >= TELL_AFTER):
            return told
        teller.failing(outcome.cause)
        return True

    def look(self, waiting: int) -> ChannelHealth:
        """Return how the channel does, with the database's trouble where it has some."""
        return replace(self.health, waiting=waiting, cause=self.database or self.health.cause)

    def still(self) -> float:
        """Return the seconds for which it has done nothing though it should have."""
        return self._times.steady() - max(self.progress, self._not_before) - self._longest()
