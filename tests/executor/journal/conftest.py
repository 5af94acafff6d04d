"""A journal on each database, and what the tests put into it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executor.journal.journal import Journal
from tests.executor.samples import Clock


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every journal that a test opened: a connection left open is a warning elsewhere."""
    opened: list[Journal] = []
    init = Journal.__init__

    def noting(self: Journal, *args: Any) -> None:
        init(self, *args)
        opened.append(self)

    monkeypatch.setattr(Journal, "__init__", noting)
    yield
    for journal in opened:
        journal.close()


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000_000)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres"))
    return f"sqlite:///{tmp_path / 'journal.sqlite'}"


@pytest.fixture
def journal(url: str, clock: Clock) -> Journal:
    return Journal.open(url, mode="live", clock=clock)
