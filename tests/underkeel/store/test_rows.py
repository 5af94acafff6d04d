"""Documents, chains, events and the outbox, and what readers see, on both databases."""

import threading
from decimal import Decimal

import pytest

from tests.fixtures_store import BEGIN, CHAINS
from underkeel.documents.wallets import PauseDocument
from underkeel.store import chains, documents, events, outbox, schema
from underkeel.store.chains import ChainState
from underkeel.store.events import Event
from underkeel.store.outbox import Message
from underkeel.store.status import status
from underkeel.store.store import Store, after_commit
from underkeel.store.tables import proposals
from underkeel.store.upsert import upsert

PAUSE = PauseDocument(schema="underkeel.pause/1", paused=False, reason=None, file="x")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"a": "é"}', '{"a": "é"}'),
        (b'{"a": 1.50}', '{"a": 1.50}'),
        ({"b": Decimal("1.5"), "a": 2}, '{"a":2,"b":"1.5"}'),
        (PAUSE, '{"schema":"underkeel.pause/1","paused":false,"reason":null,"file":"x"}'),
        ("[" + "1," * 9_000 + "1]", "[" + "1," * 9_000 + "1]"),
    ],
    ids=["text", "bytes", "mapping", "model", "long"],
)
def test_documents__any_form__is_kept_to_the_letter(store: Store, body: str, text: str) -> None:
    with store.writing() as db:
        documents.put(db, "risk", "", body, at=BEGIN, block_number=2**40, block_hash="0xaa")
    with store.reading() as db:
        found = documents.get(db, "risk")
    assert found is not None
    assert found.body.replace("\n", "") == text or found.value == PAUSE.model_dump(by_alias=True)
    assert (found.at, found.block_number, found.block_hash, found.version) == (
        BEGIN, 2**40, "0xaa", 1,
    )  # fmt: skip


def test_documents__written_again__version_grows_and_others_stay(store: Store) -> None:
    for n in range(3):
        with store.writing() as db:
            documents.put(db, "risk", "base", str(n), at=BEGIN + n)
            documents.put(db, "risk", "ethereum", "{}", at=BEGIN) if n == 0 else None
    with store.reading() as db:
        assert documents.versions(db) == {("risk", "base"): 3, ("risk", "ethereum"): 1}
        assert [d.chain for d in documents.all(db, "risk")] == ["base", "ethereum"]
        assert documents.get(db, "ladder") is None
    with store.writing() as db:
        documents.drop(db, "risk", "base")
        assert documents.versions(db) == {("risk", "ethereum"): 1}


def test_chains__put_again__version_grows(store: Store) -> None:
    first = ChainState("base", 8453, "ok", block_number=7, block_timestamp=8, head_at=BEGIN + 0.25)
    for state in (first, ChainState("base", 8453, "down", "refused\x00", body={"x": [1]})):
        with store.writing() as db:
            chains.put(db, state)
    with store.reading() as db:
        (found,) = chains.all(db)
        assert chains.get(db, "base") == found
        assert chains.get(db, "other") is None
        assert chains.versions(db) == {"base": 2}
    assert (found.status, found.cause, found.block_number) == ("down", "refused\ufffd", None)
    assert (found.version, found.body) == (2, {"x": [1]})


def test_events__pages__by_id_both_ways_and_narrowed(store: Store) -> None:
    with store.writing() as db:
        assert events.last_id(db) == 0
        ids = [
            events.add(
                db, Event(BEGIN, "alert", str(n), alert="a" if n % 2 else "b", body={"n": n})
            )
            for n in range(6)
        ]
    assert ids == sorted(ids)
    with store.reading() as db:
        assert [e.text for e in events.after(db, ids[1], 3)] == ["2", "3", "4"]
        assert [e.text for e in events.before(db, None, 2)] == ["5", "4"]
        assert [e.text for e in events.before(db, ids[4], 9, alert="b", kind=None)] == ["2", "0"]
        assert events.last_id(db) == ids[-1]
        assert events.after(db, 0)[3].body == {"n": 3}


def test_events__deleted__ids_are_not_used_again(store: Store) -> None:
    with store.writing() as db:
        last = [events.add(db, Event(BEGIN, "k", "x")) for _ in range(3)][-1]
        db.exec_driver_sql("DELETE FROM events")
        assert events.add(db, Event(BEGIN, "k", "x")) > last


def test_events__two_writers__ids_become_visible_in_their_order(
    store: Store, store_url: str
) -> None:
    other = Store.open(store_url, mode="dry-run", chains=CHAINS)
    begun = threading.Event()

    def second() -> None:
        begun.set()
        with other.writing() as db:
            events.add(db, Event(BEGIN, "k", "second"))

    thread = threading.Thread(target=second)
    with store.writing() as db:
        events.add(db, Event(BEGIN, "k", "first"))
        thread.start()
        begun.wait(30)
        thread.join(0.1)  # it waits for us, so it is not over
        assert thread.is_alive()
        with other.reading() as seen:
            assert events.after(seen, 0) == ()
        events.add(db, Event(BEGIN, "k", "first too"))
    thread.join()
    with store.reading() as db:
        assert [e.text for e in events.after(db, 0)] == ["first", "first too", "second"]
    other.close()


def test_outbox__same_id__is_written_once(store: Store) -> None:
    message = Message("m-1", "ops", "critical", "title", "body\x00", {"n": str(2**256)})
    with store.writing() as db:
        assert not outbox.has(db, "m-1")
        assert outbox.put(db, message, BEGIN)
    with store.writing() as db:
        assert not outbox.put(db, message, BEGIN + 1)
        assert outbox.has(db, "m-1")


def test_reading__written_meanwhile__sees_one_moment(store: Store) -> None:
    with store.writing() as db:
        documents.put(db, "risk", "", "1", at=BEGIN)
    with store.reading() as db:
        before = documents.versions(db)
        with store.writing() as other:
            documents.put(other, "risk", "", "2", at=BEGIN)
        assert documents.versions(db) == before
    with store.reading() as db:
        assert documents.versions(db) != before


def test_after_commit__only_when_it_is_committed(store: Store) -> None:
    called: list[str] = []
    with store.writing() as db:
        after_commit(db, lambda: called.append("kept"))
        assert called == []

    def fail() -> None:
        with store.writing() as db:
            after_commit(db, lambda: called.append("not kept"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert called == ["kept"]


def test_upsert__nothing__is_nothing(store: Store) -> None:
    with store.writing() as db:
        upsert(db, proposals, [])


def test_status__rows_size_and_stamp(store: Store) -> None:
    with store.writing() as db:
        events.add(db, Event(BEGIN, "k", "x"))
    found = status(store)
    assert (found.mode, found.chains, found.version) == ("dry-run", CHAINS, schema.HEAD)
    assert found.rows["events"] == 1
    assert found.size_bytes > 50_000
    assert found.holder is None
