"""A store on each database, for every test that writes or reads one.

- `store_url`: the URL of an empty database, once in SQLite and once in Postgres;
- `store`: opened there, for a dry run of the chains "ethereum" and "base", at `store_clock`;
- `store_clock`: its clock, set by hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from underkeel.store.store import Store

CHAINS = {"ethereum": 1, "base": 8453}
BEGIN = 1_790_000_000.0


@dataclass
class StoreClock:
    """A clock that stands still until it is told."""

    now: float = BEGIN

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store_clock() -> StoreClock:
    return StoreClock()


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres"))
    return f"sqlite:///{tmp_path / 'keel.sqlite'}"


def _hasty(connection: Any, record: Any) -> None:
    """Do not wait for the disk: no test here pulls the plug."""
    connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture
def store(store_url: str, store_clock: StoreClock) -> Iterator[Store]:
    opened = Store.open(store_url, mode="dry-run", chains=CHAINS, clock=store_clock)
    if opened.sqlite:
        event.listen(opened.engine, "connect", _hasty)
        opened.engine.dispose()
    yield opened
    opened.close()
