"""A database that refuses: one error with a reason, nothing half-written, on when it is over."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError, TimeoutError

from executor.journal import engine as engines
from tests.fixtures_store import CHAINS
from underkeel.store import documents, events
from underkeel.store import store as stores
from underkeel.store.errors import (
    Damaged,
    Full,
    Locked,
    NotWritten,
    ReadOnly,
    StoreError,
    Unreachable,
)
from underkeel.store.events import Event
from underkeel.store.faults import fault
from underkeel.store.lock import Lock
from underkeel.store.store import Store

WRITE = """
import sys
from underkeel.store import events
from underkeel.store.events import Event
from underkeel.store.lock import Lock
from underkeel.store.store import Store
store = Store.open(sys.argv[1], mode="dry-run", chains={})
lock = Lock(store)
assert lock.take() is None
with store.writing() as db:
    lock.check(db)
    events.add(db, Event(0, "k", "half of it"))
    print("inside", flush=True)
    sys.stdin.readline()
"""
FILL = """
import resource, signal, sys
from underkeel.store import documents
from underkeel.store.errors import Full, NotWritten
from underkeel.store.store import Store
store = Store.open(sys.argv[1], mode="dry-run", chains={})
def put(n):
    with store.writing() as db:
        documents.put(db, "risk", "ethereum", b"0" * n, at=n)
        documents.put(db, "risk", "base", bytes(range(48, 58)) * 400, at=n)
put(1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
refused = None
for n in range(2, 1000):
    try:
        put(n)
    except NotWritten as error:
        refused = n, type(error).__name__, str(error)
        break
print(refused)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
with store.reading() as db:
    print(documents.get(db, "risk", "ethereum").at == documents.get(db, "risk", "base").at)
put(1001)
with store.reading() as db:
    print(documents.get(db, "risk", "ethereum").at)
"""


def put(store: Store, word: str) -> None:
    with store.writing() as db:
        events.add(db, Event(0, "k", word))
        documents.put(db, "risk", "ethereum", f'"{word}"', at=0)


def read(store: Store) -> list[str]:
    with store.reading() as db:
        return [event.text for event in events.after(db, 0)]


@contextlib.contextmanager
def held(store_url: str) -> Iterator[None]:
    """Hold the database as another process's writer does."""
    other = Store.open(store_url, mode="dry-run", chains=CHAINS)
    go, done = threading.Event(), threading.Event()

    def hold() -> None:
        with other.writing():
            go.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    go.wait(60)
    try:
        yield
    finally:
        done.set()
        thread.join()
        other.close()


def test_writing__held_by_another__is_locked_and_goes_on_later(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.sqlite:
        with store.raw() as db:
            db.execute("PRAGMA busy_timeout=50")
    monkeypatch.setattr(stores, "WAIT_MS", 50)
    put(store, "before")
    with held(store_url):
        with pytest.raises(Locked, match="another process holds it"):
            put(store, "while")
        again = Store.open(store_url, mode="dry-run", chains=CHAINS)
        assert read(store) == read(again) == ["before"]  # readers never wait
        again.close()
    put(store, "after")
    assert read(store) == ["before", "after"]


def test_writing__an_error_of_ours_inside__keeps_nothing(store: Store) -> None:
    def half() -> None:
        with store.writing() as db:
            events.add(db, Event(0, "k", "half"))
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert read(store) == []


def test_writing__killed_inside__keeps_nothing_and_frees_the_lock(
    store: Store, store_url: str
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WRITE, store_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"inside\n"
    child.kill()
    child.communicate()
    assert Lock(store).take() is None
    assert read(store) == []


def test_writing__disk_full__keeps_nothing_and_goes_on_later(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'keel.sqlite'}"
    store = Store.open(url, mode="dry-run", chains=CHAINS)
    put(store, "before")
    with store.raw() as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count={pages + 2}")

    def fill() -> None:
        with store.writing() as db:
            events.add(db, Event(0, "k", "half"))
            for n in range(1000):
                documents.put(db, f"kind {n}", "", b"0" * 4000, at=0)

    with pytest.raises(Full, match="make space on its disk"):
        fill()
    assert read(store) == ["before"]
    with store.raw() as db:
        db.execute("PRAGMA max_page_count=100000")
    put(store, "after")
    assert read(store) == ["before", "after"]
    store.close()


def test_writing__disk_full_for_a_process__keeps_whole_transactions_only(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'keel.sqlite'}"
    done = subprocess.run(
        [sys.executable, "-c", FILL, url], capture_output=True, text=True, check=True, timeout=120
    )
    refused, whole, last = done.stdout.splitlines()
    assert "the database cannot be used" in refused
    assert whole == "True"
    assert last == "1001.0"


def test_open__a_file_that_is_none__is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "keel.sqlite"
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    with pytest.raises(Damaged, match="restore a backup"):
        Store.open(f"sqlite:///{path}", mode="dry-run", chains={})


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_open__a_page_overwritten__is_damaged(
    tmp_path: Path, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:  # then only the tables that all depends on are checked
        monkeypatch.setattr(engines, "WHOLE_BYTES", 0)
    path = tmp_path / "keel.sqlite"
    store = Store.open(f"sqlite:///{path}", mode="dry-run", chains={})
    for n in range(200):
        put(store, f"event {n}")
    with store.raw() as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").fetchone()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(os.urandom(2048))
    with pytest.raises(Damaged):
        Store.open(f"sqlite:///{path}", mode="dry-run", chains={})


@pytest.fixture
def powerless() -> Iterator[None]:
    """Be nobody for a while: root may write everywhere."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    yield
    os.seteuid(before)


def test_open__read_only_file__says_so(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "keel.sqlite"
    Store.open(f"sqlite:///{path}", mode="dry-run", chains={}).close()
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp"):
            folder.chmod(0o755)
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    request.getfixturevalue("powerless")
    with pytest.raises(StoreError, match="the database cannot be used") as caught:
        Store.open(f"sqlite:///{path}", mode="dry-run", chains={})
    assert not isinstance(caught.value, Damaged)
    with pytest.raises(NotWritten, match="cannot be made: Permission denied"):
        Store.open(f"sqlite:///{tmp_path / 'new'}", mode="dry-run", chains={})


def test_server__connection_ended_inside__keeps_nothing_and_goes_on(postgres: str) -> None:
    store = Store.open(postgres, mode="dry-run", chains=CHAINS)
    killer = Store.attach(postgres, mode="dry-run")

    def broken() -> None:
        with store.writing() as db:
            events.add(db, Event(0, "k", "half"))
            pid = db.execute(text("SELECT pg_backend_pid()")).scalar()
            with killer.reading() as other:
                other.execute(text(f"SELECT pg_terminate_backend({pid})"))
            events.add(db, Event(0, "k", "the other half"))

    with pytest.raises(Unreachable, match=r"start it, or correct storage\.url"):
        broken()
    put(store, "after")
    assert read(store) == ["after"]
    store.close()
    killer.close()


def test_server__stopped_inside_a_transaction__is_let_go_of(postgres: str) -> None:
    idle = Store.open(postgres, mode="dry-run", chains=CHAINS)
    other = Store.open(postgres, mode="dry-run", chains=CHAINS)

    def late() -> None:
        with idle.writing() as db:
            name = "idle_in_transaction_session_timeout"
            assert db.execute(text(f"SHOW {name}")).scalar() == "1min"
            db.execute(text(f"SET {name} = 100"))
            events.add(db, Event(0, "k", "half"))
            put(other, "the other's")  # waits until the server has ended the first
            events.add(db, Event(0, "k", "the other half"))

    with pytest.raises(Unreachable):
        late()
    assert read(other) == ["the other's"]
    idle.close()
    other.close()


def test_open__no_server__is_unreachable_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://keel:a-secret-word@/keel?host={tmp_path}"
    with pytest.raises(Unreachable) as caught:
        Store.open(url, mode="dry-run", chains={})
    assert "a-secret-word" not in str(caught.value)


class Refused(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__("the server's words\nand more of them")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("55P03", Locked), ("40P01", Locked), ("53100", Full), ("53300", Unreachable),
        ("08006", Unreachable), ("57P01", Unreachable), ("25006", ReadOnly), ("42501", ReadOnly),
        ("XX001", Damaged), ("22003", NotWritten),
    ],
)  # fmt: skip
def test_fault__of_a_server__by_its_state(state: str, kind: type[StoreError]) -> None:
    found = fault(ProgrammingError("SELECT secret", {"secret": "secret"}, Refused(state)))
    assert type(found) is kind
    assert "the server's words" in str(found)
    assert "secret" not in str(found)


def test_fault__of_nothing_known__is_said_by_its_name() -> None:
    assert "TimeoutError" in str(fault(TimeoutError()))
    lost = OperationalError("", {}, sqlite3.OperationalError(""))
    assert type(fault(lost)) is NotWritten


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_sqlite__its_file_is_moved_away_while_open__nothing_is_written_until_it_is_back(
    tmp_path: Path, how: str
) -> None:
    file, aside = tmp_path / "keel.sqlite", tmp_path / "aside.sqlite"
    store = Store.open(f"sqlite:///{file}", mode="dry-run", chains=CHAINS)
    lock = Lock(store)
    assert lock.take() is None
    file.rename(aside)
    if how == "replaced":
        file.write_bytes(b"")
    for use in (store.writing, store.reading):
        with pytest.raises(NotWritten, match="was removed or replaced while it was open"), use():
            pass
    with pytest.raises(NotWritten, match="stop every process that has it open"):
        lock.renew()
    aside.rename(file)
    lock.renew()
    store.close()
