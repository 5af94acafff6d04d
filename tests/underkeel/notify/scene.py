"""What the tests of delivery share: fake channels, a clock in the hand, rows put and read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from underkeel.notify.lane import Lane
from underkeel.notify.service import unfenced
from underkeel.notify.times import Times
from underkeel.notify.types import Limits, Message, Outcome, Verdict
from underkeel.store import outbox
from underkeel.store.store import Store
from underkeel.store.tables import deliveries, notifications

T0 = 1_800_000_000.0
DAY = 86_400.0
LIMITS = Limits(5, 6_000, 7 * DAY)
DELIVERED = Outcome(Verdict.DELIVERED, code=200)
DOWN = Outcome(Verdict.FAILED, "hook: the connection was refused")
GONE = Outcome(Verdict.REFUSED, "hook: HTTP 404 not found", 404)
SILENT = Outcome(Verdict.UNKNOWN, "hook: no answer within 5 s")
ODD = Outcome(Verdict.REFUSED, "hook: HTTP 400 bad request", 400, message_only=True)


@dataclass
class Clock:
    """Both clocks; `skew` moves the wall alone, as setting it does."""

    steady: float = 100.0
    skew: float = T0 - 100.0

    def times(self) -> Times:
        return Times(
            lambda: self.steady + self.skew, lambda: self.steady, chance=lambda: 0.5,
            poll_s=1e9,  # nobody else puts anything
        )  # fmt: skip


@dataclass
class Fake:
    """A channel that answers as the test says, and keeps what it was given."""

    name: str = "hook"
    answer: Callable[[Message], Outcome] = lambda message: DELIVERED
    knows_repeats: bool = True
    limits: Limits = LIMITS
    place: str = "https://example.org"
    got: list[tuple[Message, int, bool]] = field(default_factory=list)

    def send(self, message: Message, attempt: int, *, repeated: bool) -> Outcome:
        self.got.append((message, attempt, repeated))
        return self.answer(message)

    def check(self) -> str:
        return ""

    @property
    def titles(self) -> list[str]:
        return [message.title for message, _, _ in self.got]


@dataclass
class Scene:
    """A store, and a clock."""

    store: Store
    clock: Clock = field(default_factory=Clock)

    @property
    def now(self) -> float:
        return self.clock.times().wall()

    def put(self, title: str, channel: str = "hook", alert: str = "", **other: Any) -> None:
        row: dict[str, Any] = {"severity": "warning", "body": "the body", "state": "firing"}
        message = outbox.Message(id=title, channel=channel, title=title, alert=alert, **row | other)
        with self.store.writing() as db:
            assert outbox.put(db, message, self.now)

    def lane(
        self,
        channel: Fake,
        others: Sequence[str] = (),
        who: str = "run/1",
        fence: Callable[[Connection], None] = unfenced,
    ) -> Lane:
        times = self.clock.times()
        return Lane(self.store, channel, others, who=who, fence=fence, times=times)

    def run(self, lane: Lane, seconds: float = 1.0) -> None:
        """Step until so much of its time is over."""
        end = self.clock.steady + seconds
        while True:
            wait = lane.step()
            if self.clock.steady + wait > end:
                self.clock.steady = end
                return
            self.clock.steady += wait

    def rows(self, channel: str = "hook") -> list[Any]:
        query = select(notifications).where(notifications.c.channel == channel)
        with self.store.reading() as db:
            return list(db.execute(query.order_by(notifications.c.seq)))

    def statuses(self, channel: str = "hook") -> list[str]:
        return [row.status for row in self.rows(channel)]

    def receipts(self) -> list[Any]:
        with self.store.reading() as db:
            return list(db.execute(select(deliveries).order_by(deliveries.c.id)))
