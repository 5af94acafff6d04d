"""Copy a database while it is in use: one moment of it, whole."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from underkeel.store.errors import NotWritten, StoreError
from underkeel.store.faults import sqlite_fault
from underkeel.store.store import Store

PAGES: Final = 4_096
"""Copied at once: 16 MB."""
DUMP: Final = "pg_dump"
Tell = Callable[[int, int], None]
"""Called with what is done and what is all."""


class NoBackup(StoreError):
    """There is no backup now that was not there before."""


def backup(store: Store, target: Path, tell: Tell = lambda _done, _all: None) -> int:
    """Write a copy of the whole database to a new file and return its size in bytes.

    SQLite's own online backup, or `pg_dump` in its custom format. Raises `NoBackup`; the file is
    then not there.
    """
    if target.exists():
        raise NoBackup(f"{target} is there already; name another file")
    part = target.with_name(f"{target.name}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            if store.sqlite:
                _copy(store, part, tell)
            else:
                _dump(store, part)
            _to_disk(part)
            part.rename(target)
            _to_disk(target.parent)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
    except OSError as error:
        raise NoBackup(f"{target} cannot be written ({error.strerror})") from None
    return target.stat().st_size


def _copy(store: Store, part: Path, tell: Tell) -> None:
    copy = sqlite3.connect(part, isolation_level=None)
    try:
        with store.raw() as db:
            # A reader's view does not change: the copy is not begun again at every write.
            db.execute("BEGIN")
            try:
                db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                db.backup(copy, pages=PAGES, progress=lambda _, left, all_: tell(all_ - left, all_))
            finally:
                db.execute("ROLLBACK")
        (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    except (sqlite3.Error, NotWritten) as error:
        cause = error.cause if isinstance(error, NotWritten) else str(sqlite_fault(error))
        raise NoBackup(f"the copy failed: {cause}") from None
    finally:
        copy.close()
    if verdict != "ok":
        raise NoBackup(f"the copy does not check out: {verdict[:100]}")


def _dump(store: Store, part: Path) -> None:
    url = store.engine.url
    program = shutil.which(DUMP)
    if program is None:
        raise NoBackup(
            f"a Postgres database is backed up by {DUMP}, which is not on the PATH: install "
            f"Postgres' client programs, or run {DUMP} --format=custom where the server is"
        )
    # The password goes by the environment: arguments can be read by everybody on the machine.
    plain = url.set(drivername="postgresql")._replace(password=None)
    given = {"PGPASSWORD": str(url.password)} if url.password else {}
    done = subprocess.run(
        [program, "--format=custom", f"--file={part}", f"--dbname={plain.render_as_string()}"],
        env={**os.environ, **given}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise NoBackup(f"{DUMP} failed: {said[-1][:200] if said else done.returncode}")


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
