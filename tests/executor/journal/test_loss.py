"""Journals that went back in time, are torn, full or no journals at all."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, event

from executor.journal.errors import Damaged, NotWritten
from executor.journal.journal import Journal
from executor.journal.known import Known
from executor.journal.tables import meta
from executor.run.change import Change
from executor.types import Lease, State
from tests.executor.samples import WALLET, attempt, intent


def opened(folder: Path, *, mark: bool = True) -> Journal:
    path = folder / "journal.mark" if mark else None
    return Journal.open(f"sqlite:///{folder / 'journal.sqlite'}", mode="live", mark=path)


def leased(journal: Journal) -> Lease:
    lease = journal.lease(1, WALLET, "me", 60)
    assert lease is not None
    return lease


def sign(journal: Journal, lease: Lease, number: int) -> None:
    wanted = intent(number)
    journal.record(wanted)
    now = journal.commit(lease, wanted, Change(replace(wanted, state=State.NONCED, nonce=number)))
    assert now is not None
    journal.commit(lease, now, Change(replace(now, state=State.SIGNED), (attempt(now),)))


def whole(journal: Journal) -> bool:
    return journal.known(1, WALLET).whole


def test_mark__same_journal_again__is_whole(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    sign(journal, leased(journal), 1)
    assert whole(journal)
    journal.close()
    assert whole(opened(tmp_path))


def test_mark__restored_from_backup__is_not_whole(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    lease = leased(journal)
    sign(journal, lease, 1)
    journal.close()
    shutil.copy(tmp_path / "journal.sqlite", tmp_path / "backup")
    journal = opened(tmp_path)
    sign(journal, lease, 2)
    journal.close()
    shutil.copy(tmp_path / "backup", tmp_path / "journal.sqlite")
    journal = opened(tmp_path)
    assert journal.intent(intent(2).id) is None
    assert not whole(journal)
    journal.close()
    assert not whole(opened(tmp_path)), "the loss is remembered"


def test_mark__loss_reconciled__later_openings_find_it_whole(tmp_path: Path) -> None:
    opened(tmp_path).close()
    shutil.copy(tmp_path / "journal.sqlite", tmp_path / "backup")
    journal = opened(tmp_path)
    lease = leased(journal)
    for number in range(1, 4):
        sign(journal, lease, number)
    journal.close()
    shutil.copy(tmp_path / "backup", tmp_path / "journal.sqlite")
    journal = opened(tmp_path)
    lease = leased(journal)
    assert not whole(journal)
    journal.saw(lease, Known(True, 4, 10))
    journal.close()
    journal = opened(tmp_path)
    assert whole(journal), "what is reconciled stays so"
    sign(journal, lease, 5)
    journal.close()
    shutil.copy(tmp_path / "backup", tmp_path / "journal.sqlite")
    journal = opened(tmp_path)
    leased(journal)
    assert not whole(journal), "the next loss is found"


def test_mark__torn_log__is_not_whole(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    lease = leased(journal)
    sign(journal, lease, 1)
    sign(journal, lease, 2)
    log = tmp_path / "journal.sqlite-wal"
    kept = log.read_bytes()
    copy = tmp_path / "crashed"
    copy.mkdir()
    shutil.copy(tmp_path / "journal.sqlite", copy)
    shutil.copy(tmp_path / "journal.mark", copy)
    (copy / "journal.sqlite-wal").write_bytes(kept[: len(kept) * 2 // 3])
    journal.close()
    assert not whole(opened(copy))


def test_mark__journal_put_in_its_place__is_not_whole(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    sign(journal, leased(journal), 1)
    journal.close()
    for path in tmp_path.glob("journal.sqlite*"):
        path.unlink()
    fresh = opened(tmp_path)
    leased(fresh)
    assert not whole(fresh)


def test_mark__missing_beside_a_used_journal__is_not_whole(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    sign(journal, leased(journal), 1)
    journal.close()
    (tmp_path / "journal.mark").unlink()
    assert not whole(opened(tmp_path))


def test_mark__unreadable__is_not_whole(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    sign(journal, leased(journal), 1)
    journal.close()
    (tmp_path / "journal.mark").write_text("{")
    assert not whole(opened(tmp_path))


def test_mark__cannot_be_written__nothing_is_confirmed(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    lease = leased(journal)
    (tmp_path / "journal.mark").unlink()
    (tmp_path / "journal.mark").mkdir()
    with pytest.raises((NotWritten, IsADirectoryError)):
        sign(journal, lease, 1)


def test_disk_full__commit__is_refused_whole(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    lease = leased(journal)
    wanted = intent()
    journal.record(wanted)
    now = journal.commit(lease, wanted, Change(replace(wanted, state=State.NONCED, nonce=0)))
    assert now is not None
    engine = journal._engine
    engine.dispose()

    def full(connection, _record) -> None:  # type: ignore[no-untyped-def]
        connection.execute("PRAGMA max_page_count=1")  # SQLite: as many as there are

    event.listen(engine, "connect", full)
    large = attempt(now, raw=b"\x00" * 1_000_000)
    with pytest.raises(NotWritten, match="full"):
        journal.commit(lease, now, Change(replace(now, state=State.SIGNED), (large,)))
    assert journal.intent(now.id) == now
    assert journal.attempts(now.id) == ()
    event.remove(engine, "connect", full)
    engine.dispose()
    assert journal.commit(lease, now, Change(replace(now, state=State.SIGNED), (large,)))


def test_open__no_database__is_damaged(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database, by any means" * 400)
    with pytest.raises(Damaged):
        opened(tmp_path)


def test_open__overwritten_pages__is_damaged(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    lease = leased(journal)
    for number in range(1, 9):
        sign(journal, lease, number)
    journal.close()
    path = tmp_path / "journal.sqlite"
    content = bytearray(path.read_bytes())
    content[8192:20480] = b"\xa5" * 12288
    path.write_bytes(content)
    with pytest.raises(Damaged):
        opened(tmp_path)


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "nonsense", "sqlite:////no/such/folder/journal.sqlite"]
)
def test_open__no_such_database__says_so(url: str) -> None:
    with pytest.raises(NotWritten):
        Journal.open(url, mode="live")


def test_open__file__is_for_its_owner_only(tmp_path: Path) -> None:
    opened(tmp_path)
    assert (tmp_path / "journal.sqlite").stat().st_mode & 0o077 == 0


def test_open__postgres_not_running__tells_no_password() -> None:
    with pytest.raises(NotWritten) as error:
        Journal.open("postgresql+psycopg://keel:hunter2@/x?host=/nonexistent", mode="live")
    assert "hunter2" not in str(error.value)


def test_reading__database_gone__is_told(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.close()
    for path in tmp_path.glob("journal.sqlite*"):
        path.unlink()
    with pytest.raises(NotWritten):
        journal.intent("0x")


def test_stamp__incomplete__is_damaged(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    with journal._engine.begin() as db:
        db.execute(delete(meta).where(meta.c.key == "sequence"))
    journal.close()
    with pytest.raises(Damaged):
        opened(tmp_path)


def test_uint__negative__is_refused(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    with pytest.raises((ValueError, NotWritten)):
        journal.record(intent(fee_cap_abs=-1))
