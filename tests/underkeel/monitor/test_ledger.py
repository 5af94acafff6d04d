"""One transaction per cycle; what cannot be written waits, in order; the loser writes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from chain.types import BlockRef
from underkeel.alerts.evaluate import Outcome, evaluate
from underkeel.alerts.rules import Rules, rules_of
from underkeel.config.model import Settings
from underkeel.monitor import ledger as module
from underkeel.monitor.ledger import Entry, Kept, Ledger, Paper
from underkeel.observe.types import Observation, Observed, Scope, labels
from underkeel.store import chains, documents, events, outbox
from underkeel.store.chains import ChainState
from underkeel.store.errors import NotWritten
from underkeel.store.events import Event
from underkeel.store.lock import Lock
from underkeel.store.store import Store
from underkeel.store.tables import notifications

NOW = 1_790_000_000.0
RULE = {
    "id": "hf",
    "expr": "health_factor",
    "for": "0",
    "levels": [{"severity": "critical", "fire_below": 1.5, "clear_above": 1.6}],
    "notify": {"critical": ["hook"]},
}


def rules() -> Rules:
    given = {
        "version": 1,
        "chains": {"ethereum": {"chain_id": 1, "rpc": ["http://127.0.0.1:1"]}},
        "channels": {"hook": {"webhook": "http://127.0.0.1:1/", "secret": "env:S"}},
        "alert": [RULE],
    }
    return rules_of(Settings.model_validate(given))


class Flaky(Store):
    """A store whose writes can be made to fail."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.engine, store.mode, store.clock)
        self.broken = False

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        if self.broken:
            raise NotWritten("disk full")
        with super().writing() as db:
            yield db


@pytest.fixture
def flaky(store: Store) -> Flaky:
    return Flaky(store)


@pytest.fixture
def held(flaky: Flaky) -> Lock:
    lock = Lock(flaky, who="one")
    assert lock.take() is None
    return lock


def block(number: int) -> BlockRef:
    return BlockRef(1, number, f"0x{number:064x}", f"0x{number - 1:064x}", int(NOW) + number)


def saw(health: str, number: int) -> Observed:
    of = labels(chain="ethereum", market="m", position="p", protocol="x", wallet="w")
    at = block(number)
    one = Observation("health_factor", of, Decimal(health), "", float(at.timestamp), at)
    return Observed(Scope("ethereum", frozenset({"health_factor"}), at), (one,))


def entry(health: str, number: int, *papers: Paper) -> Entry:
    state = ChainState("ethereum", 1, "ok", block_number=number)
    return Entry(NOW + number, state, (saw(health, number),), papers)


def sent(store: Store) -> list[str]:
    with store.reading() as db:
        rows = db.execute(notifications.select().order_by(notifications.c.seq))
        return [row.state for row in rows]


def test_write__a_cycle__is_one_transaction_and_tells_what_it_did(flaky: Flaky, held: Lock) -> None:
    told: list[Outcome] = []
    made = Ledger(flaky, held, rules(), after_commit=told.append)
    paper = Paper("risk", "ethereum", b'{"a":1}', NOW)
    assert made.write(replace(entry("1.2", 1, paper), events=(_event("hello"),)))
    with flaky.reading() as db:
        state = chains.get(db, "ethereum")
        stored = documents.get(db, "risk", "ethereum")
        assert state is not None
        assert state.block_number == 1
        assert stored is not None
        assert stored.value == {"a": 1}
        assert [e.text for e in events.after(db, 0)][:1] == ["hello"]
    assert [o.messages for o in told] == [1]
    assert sent(flaky) == ["firing"]


def test_write__the_database_fails__keeps_all_and_judges_it_in_order_later(
    flaky: Flaky, held: Lock
) -> None:
    made = Ledger(flaky, held, rules())
    assert made.write(entry("2.0", 1))
    flaky.broken = True
    assert not made.write(entry("1.2", 2, Paper("risk", "ethereum", b'{"n":2}', NOW)))
    assert not made.write(entry("2.0", 3, Paper("risk", "ethereum", b'{"n":3}', NOW)))
    assert made.waiting == 2
    assert "disk full" in made.failing
    assert not made.retry()
    flaky.broken = False
    assert made.retry()
    assert (made.waiting, made.failing) == (0, "")
    assert sent(flaky) == ["firing", "resolved"], "it fired while nothing could be written"
    with flaky.reading() as db:
        stored = documents.get(db, "risk", "ethereum")
        state = chains.get(db, "ethereum")
    assert stored is not None
    assert stored.value == {"n": 3}
    assert state is not None
    assert state.block_number == 3


def test_write__after_a_new_config__what_waited_is_not_lost(flaky: Flaky, held: Lock) -> None:
    first = Ledger(flaky, held, rules())
    flaky.broken = True
    first.write(entry("1.2", 2))
    flaky.broken = False
    second = Ledger(flaky, held, rules(), kept=first.kept)
    assert second.retry()
    assert sent(flaky) == ["firing"]


def test_write__another_has_taken_over__nothing_is_written_any_more(
    flaky: Flaky, held: Lock
) -> None:
    clock = iter([0.0, 100.0])
    other = Lock(flaky, who="two", monotonic=lambda: next(clock))
    made = Ledger(flaky, held, rules())
    assert other.take() is not None
    assert other.take() is None
    assert not made.write(entry("1.2", 1))
    assert made.lost_lock is not None
    assert made.lost_lock.holder == "two"
    assert not made.tick(NOW, lambda _db, _now: ())
    assert sent(flaky) == []


def test_write__what_is_beyond_us__is_given_up_and_the_rest_goes_on(
    flaky: Flaky, held: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:

    def touchy(db: Connection, given: Rules, observed: Observed, now: float) -> Outcome:
        if observed.observations[0].value == Decimal("1.3"):
            raise ZeroDivisionError("a fault of ours")
        return evaluate(db, given, observed, now)

    monkeypatch.setattr(module, "evaluate", touchy)
    made = Ledger(flaky, held, rules())
    flaky.broken = True
    for health, number in (("2.0", 1), ("1.3", 2), ("1.2", 3)):
        made.write(entry(health, number))
    flaky.broken = False
    assert made.retry()
    assert made.kept.lost == 1
    assert sent(flaky) == ["firing"]


def test_tick__judges_more_and_first_what_waits(flaky: Flaky, held: Lock) -> None:
    made = Ledger(flaky, held, rules())
    flaky.broken = True
    made.write(entry("2.0", 1))
    assert not made.tick(NOW, lambda _db, _now: (saw("1.2", 2),))
    flaky.broken = False
    assert made.tick(NOW, lambda _db, _now: (saw("1.2", 2),))
    assert sent(flaky) == ["firing"]


def test_kept__too_much_to_keep__every_second_old_reading_goes_and_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 10)
    kept = Kept()
    for number in range(40):
        kept.add(entry("2.0", number))
    assert sum(e.size for e in kept.entries) <= 10
    assert kept.lost == 40 - len(kept.entries)
    numbers = [e.state.block_number for e in kept.entries if e.state]
    assert numbers == sorted(numbers)  # type: ignore[type-var]
    assert numbers[-1] == 39


def test_outbox__a_second_judgement_of_the_same__tells_nobody_again(
    flaky: Flaky, held: Lock
) -> None:
    made = Ledger(flaky, held, rules())
    made.write(entry("1.2", 1))
    again = Ledger(flaky, held, rules())
    again.write(entry("1.2", 1))
    again.write(entry("1.2", 2))
    assert sent(flaky) == ["firing"]
    assert outbox.__name__  # the table is the outbox's


def _event(text: str) -> Event:
    return Event(NOW, "service", text)
