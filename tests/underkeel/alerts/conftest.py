"""A store for these tests alone: SQLite, except where a test asks for both databases."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.fixtures_store import CHAINS
from tests.underkeel.alerts.scene import HEALTH, START, health, observed, rules, time_of
from underkeel.alerts.evaluate import Outcome, evaluate, tick
from underkeel.alerts.rules import Rules
from underkeel.observe.types import Observed
from underkeel.store import alerts
from underkeel.store.alerts import AlertRow
from underkeel.store.store import Store
from underkeel.store.tables import alerts as table
from underkeel.store.tables import events, notifications


class House:
    """A store, and what happens in it."""

    def __init__(self, store: Store, given: Rules) -> None:
        self.store = store
        self.rules = given

    def see(self, reading: Observed, now: float) -> Outcome:
        """Judge a reading."""
        with self.store.writing() as db:
            return evaluate(db, self.rules, reading, now)

    def wait(self, now: float) -> Outcome:
        """Let time pass."""
        with self.store.writing() as db:
            return tick(db, self.rules, now)

    def do(self, act: Callable[..., Any], *given: Any) -> Any:
        """Do something in a transaction."""
        with self.store.writing() as db:
            return act(db, *given)

    @property
    def rows(self) -> list[AlertRow]:
        """Every alert that is not ok."""
        with self.store.reading() as db:
            return sorted(alerts.live(db).values(), key=lambda row: row.key)

    @property
    def states(self) -> list[str]:
        """The states of all alerts, ok ones too."""
        with self.store.reading() as db:
            return sorted(db.execute(select(table.c.state)).scalars())

    @property
    def told(self) -> list[tuple[str, str]]:
        """Channel and kind of every message, in their order."""
        return [(row.channel, row.state) for row in self.messages]

    @property
    def messages(self) -> list[Any]:
        """Every message."""
        with self.store.reading() as db:
            return list(db.execute(select(notifications).order_by(notifications.c.seq)))

    @property
    def events(self) -> list[Any]:
        """Everything that happened."""
        with self.store.reading() as db:
            return list(db.execute(select(events).order_by(events.c.id)))


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'keel.sqlite'}"
    opened = Store.open(url, mode="dry-run", chains=CHAINS, clock=lambda: START)
    yield opened
    opened.close()


@pytest.fixture
def house(alone: Store) -> Callable[..., House]:
    return lambda given: House(alone, given)


def fired(house: Callable[..., House], **changes: Any) -> House:
    """Return a house where one position is critical since block 1."""
    made = house(rules({**HEALTH, **changes}))
    made.see(observed(1, health(1.1, 1)), time_of(1))
    return made
