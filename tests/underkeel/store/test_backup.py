"""Backups: whole, of one moment, while the database is written to."""

import os
import shutil
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.fixtures_store import CHAINS
from underkeel.store import backup as backups
from underkeel.store import documents, events
from underkeel.store.backup import NoBackup, backup
from underkeel.store.events import Event
from underkeel.store.status import status
from underkeel.store.store import Store


def put(store: Store, n: int) -> None:
    """Write two things that belong together."""
    with store.writing() as db:
        events.add(db, Event(n, "k", str(n)))
        documents.put(db, "risk", "ethereum", str(n), at=n)


def read(store: Store) -> tuple[int, str]:
    with store.reading() as db:
        found = documents.get(db, "risk", "ethereum")
        assert found is not None
        return len(events.after(db, 0, 10**6)), found.body


@pytest.fixture
def on_disk(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'keel.sqlite'}", mode="dry-run", chains=CHAINS)


def test_backup__written_to_meanwhile__one_moment_of_it(
    on_disk: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "PAGES", 5)
    for n in range(1, 21):
        put(on_disk, n)
    told: list[tuple[int, int]] = []

    def tell(done: int, all_: int) -> None:
        told.append((done, all_))
        writer = threading.Thread(target=put, args=(on_disk, 20 + len(told)))
        writer.start()
        writer.join()

    target = tmp_path / "copy.sqlite"
    size = backup(on_disk, target, tell)
    assert len(told) > 3  # each time another writer's commit came between
    assert told[-1][0] == told[-1][1]
    copy = Store.open(f"sqlite:///{target}", mode="dry-run", chains=CHAINS)
    assert read(copy) == (20, "20")
    assert read(on_disk)[0] > 20
    with on_disk.reading() as one, copy.reading() as other:
        assert status(on_disk).instance == status(copy).instance
        assert one is not other
    assert size == 4096 * told[-1][1]
    copy.close()
    on_disk.close()


def test_backup__file__for_us_alone_and_never_over_another(on_disk: Store, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite"
    put(on_disk, 1)
    backup(on_disk, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(NoBackup, match="is there already"):
        backup(on_disk, target)
    with pytest.raises(NoBackup, match="cannot be written"):
        backup(on_disk, tmp_path / "nowhere" / "copy.sqlite")
    assert sorted(p.name for p in tmp_path.glob("copy*")) == ["copy.sqlite"]
    on_disk.close()


def test_backup__fails_half_way__leaves_no_file(on_disk: Store, tmp_path: Path) -> None:
    def tell(done: int, all_: int) -> None:
        raise OSError(28, "No space left on device")

    put(on_disk, 1)
    with pytest.raises(NoBackup, match="No space left"):
        backup(on_disk, tmp_path / "copy.sqlite", tell)
    assert list(tmp_path.glob("copy*")) == []
    put(on_disk, 2)
    on_disk.close()


def test_backup__of_a_server__pg_dump_and_restored_it_is_the_same(
    postgres: str, tmp_path: Path
) -> None:
    if shutil.which("pg_dump") is None:
        pytest.skip("NOT TESTED: no pg_dump here; on Debian: apt install postgresql-client")
    store = Store.open(postgres, mode="dry-run", chains=CHAINS)
    put(store, 7)
    target = tmp_path / "copy.dump"
    assert backup(store, target) == target.stat().st_size > 1000
    listed = subprocess.run(
        ["pg_restore", "--list", target], capture_output=True, text=True, check=True
    )
    assert "TABLE DATA" in listed.stdout
    assert "documents" in listed.stdout
    store.close()


def test_backup__no_pg_dump__says_what_to_do(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(postgres, mode="dry-run", chains=CHAINS)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoBackup, match="which is not on the PATH: install"):
        backup(store, tmp_path / "copy.dump")
    store.close()


def test_backup__pg_dump_fails__its_last_word_and_no_password_in_its_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text(
        f'#!/bin/sh\necho "$@ $PGPASSWORD" > {tmp_path}/given\necho no way >&2\nexit 1\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    url = "postgresql+psycopg://keel:a-secret-word@db.example/keel"
    store = Store.attach(url, mode="live")
    with pytest.raises(NoBackup, match="pg_dump failed: no way"):
        backup(store, tmp_path / "copy.dump")
    *arguments, password = (tmp_path / "given").read_text().split()
    assert password == "a-secret-word"
    assert make_url(arguments[-1].removeprefix("--dbname=")).password is None
    assert list(tmp_path.glob("copy*")) == []
    store.close()
