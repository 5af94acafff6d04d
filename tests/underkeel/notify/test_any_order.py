"""Whatever is put, answered, killed and set in whatever order: all arrive, once, in order."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.underkeel.notify.scene import DELIVERED, DOWN, GONE, ODD, SILENT, Fake, Scene
from underkeel.notify.types import Message, Outcome
from underkeel.store.store import Store

ANSWERS = {"yes": DELIVERED, "down": DOWN, "gone": GONE, "odd": ODD, "silent": SILENT}
LOST = "lost"
"""The receiver takes it and its answer never comes."""
DEAD = "dead"
"""The process is killed while the receiver takes it."""


class Killed(BaseException):
    """The process is no more."""


class Outbox(RuleBasedStateMachine):
    """A service, its channel and a receiver that minds ids."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        store = Store.open(f"sqlite:///{self.folder}/k.sqlite", mode="dry-run", chains={})
        self.scene = Scene(store)
        self.put: list[tuple[str, str]] = []
        self.taken: list[str] = []
        self.sent: list[Message] = []
        self.answer = "yes"
        self.runs = 0

    @initialize(minds_ids=st.booleans())
    def begin(self, minds_ids: bool) -> None:
        self.channel = Fake(answer=self.answered, knows_repeats=minds_ids)
        self.restart()

    def answered(self, message: Message) -> Outcome:
        self.sent.append(message)
        if self.answer in (LOST, DEAD, "yes"):
            self.taken.append(message.body if message.state == "digest" else message.title)
        if self.answer == DEAD:
            raise Killed
        return ANSWERS.get(self.answer, SILENT)

    @rule()
    def restart(self) -> None:
        self.runs += 1
        self.lane = self.scene.lane(self.channel, ["other"], who=f"run/{self.runs}")

    @rule(alert=st.sampled_from(["", "a", "b"]), count=st.integers(1, 6))
    def puts(self, alert: str, count: int) -> None:
        for _ in range(count):
            title = f"<m{len(self.put)}>"
            self.scene.put(title, alert=alert)
            self.put.append((title, alert))

    @rule(answer=st.sampled_from([*ANSWERS, LOST, DEAD]))
    def answers(self, answer: str) -> None:
        self.answer = answer

    @rule(seconds=st.sampled_from([0.0, 3.0, 200.0, 4_000.0]))
    def passes(self, seconds: float) -> None:
        try:
            self.scene.run(self.lane, seconds)
        except Killed:
            self.restart()

    @precondition(lambda self: self.put)
    @rule(jump=st.sampled_from([-1e7, -100.0, 100.0, 1e7]))
    def clock_set(self, jump: float) -> None:
        self.scene.clock.skew += jump

    @invariant()
    def nothing_is_given_up_or_forgotten(self) -> None:
        rows = self.scene.rows()
        assert [row.title for row in rows] == [title for title, _ in self.put]
        for row in rows:
            if row.status == "delivered":
                assert any(row.title in text for text in self.taken)

    def teardown(self) -> None:
        self.answer = "yes"
        self.restart()
        for _ in range(3):
            self.scene.run(self.lane, 8_000)
        given_up = {row.title for row in self.scene.rows() if row.status == "failed"}
        assert {row.status for row in self.scene.rows()} <= {"delivered", "failed"}
        first = {
            t: i
            for i, text in reversed(list(enumerate(self.taken)))
            for t, _ in self.put
            if t in text
        }
        for alert in ("a", "b"):
            arrived = [first[t] for t, a in self.put if a == alert and t not in given_up]
            assert arrived == sorted(arrived), "a later one of an alert never overtakes"
        self.scene.store.close()
        shutil.rmtree(Path(self.folder))


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(
    max_examples=6, stateful_step_count=12, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
