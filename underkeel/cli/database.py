"""`db status`, `db upgrade`, `db prune` and `db backup`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from rich.table import Table
from sqlalchemy import Connection

from underkeel.cli.options import Globals
from underkeel.cli.output import console, print_document, progress
from underkeel.config.load import Config, load
from underkeel.documents.build import moment
from underkeel.documents.storage import DatabaseDocument, LockPart
from underkeel.errors import Exit
from underkeel.store import schema
from underkeel.store.backup import backup
from underkeel.store.errors import NoStore
from underkeel.store.open import open_store
from underkeel.store.place import place_of
from underkeel.store.prune import old_rows, prune
from underkeel.store.rollup import roll_up
from underkeel.store.status import Status, size, status
from underkeel.store.store import Store
from underkeel.store.upkeep import shrink

Action = Literal["status", "upgrade", "prune", "backup"]


def show_status(options: Globals) -> Exit:
    """Show what the database is."""
    config = load(options.config)
    store = open_store(config, create=False)
    try:
        return _said(options, config, store, "status")
    finally:
        store.close()


def upgrade(options: Globals) -> Exit:
    """Bring the tables up to this version."""
    config = load(options.config)
    place = place_of(config)
    place.prepare()
    plain = Store.attach(place.url, mode=config.settings.mode)
    try:
        with plain.reading() as db:
            before = schema.version(db)
    finally:
        plain.close()
    store = open_store(config, upgrade=True)
    try:
        return _said(options, config, store, "upgrade", version_before=before)
    finally:
        store.close()


def prune_now(options: Globals) -> Exit:
    """Do at once what the service does by and by."""
    config = load(options.config)
    store = open_store(config, create=False)
    try:
        with store.reading() as db:
            before, all_ = size(db), old_rows(db, config.settings.storage.retain, store.clock())
        removed = 0
        with progress(options) as tell:
            while _write(store, lambda db: roll_up(db, store.clock())):
                pass
            while count := _write(
                store, lambda db: prune(db, config.settings.storage.retain, store.clock())
            ):
                removed += count
                tell("removing old rows", min(removed, all_), all_)
            while shrink(store, free=0.0):
                pass
        with store.reading() as db:
            freed = max(before - size(db), 0)
        return _said(
            options, config, store, "prune", removed_rows=str(removed), freed_bytes=str(freed)
        )
    finally:
        store.close()


def backup_to(options: Globals, target: Path) -> Exit:
    """Copy the database; one with older tables too."""
    config = load(options.config)
    place = place_of(config)
    if place.file is not None and not place.file.exists():
        raise NoStore
    store = Store.attach(place.url, mode=config.settings.mode)
    try:
        with progress(options) as tell:
            written = backup(store, target, lambda done, all_: tell("copying", done, all_))
        return _said(
            options, config, store, "backup", backup=str(target), backup_bytes=str(written)
        )
    finally:
        store.close()


def _write(store: Store, work: Callable[[Connection], int]) -> int:
    with store.writing() as db:
        return work(db)


def _said(options: Globals, config: Config, store: Store, action: Action, **extra: Any) -> Exit:
    found = status(store)
    document = _document(config, found, action, extra)
    if options.json:
        print_document(document)
    else:
        _print(options, document)
    return Exit.OK


def _document(
    config: Config, found: Status, action: Action, extra: dict[str, Any]
) -> DatabaseDocument:
    held = found.holder
    return DatabaseDocument(
        schema="underkeel.database/1",
        action=action,
        place=place_of(config).shown,
        backend=found.backend,
        version=found.version,
        mode=found.mode,
        instance=found.instance,
        chains={name: str(chain_id) for name, chain_id in found.chains.items()},
        size_bytes=str(found.size_bytes),
        rows={name: str(count) for name, count in found.rows.items()},
        lock=None
        if held is None
        else LockPart(
            holder=held.holder,
            epoch=str(held.epoch),
            taken_at=moment(held.taken_at),
            renewed_at=moment(held.beat_at),
        ),
        **extra,
    )


def _print(options: Globals, document: DatabaseDocument) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    lines = [
        ("database", f"{document.place} ({document.backend}, {document.mode})"),
        ("tables", f"version {document.version}"),
        ("size", megabytes(int(document.size_bytes))),
        ("written by", f"{document.lock.holder}" if document.lock else "nobody now"),
    ]
    if document.removed_rows is not None and document.freed_bytes is not None:
        lines.append(("removed", f"{int(document.removed_rows):,} rows"))
        lines.append(("given back", megabytes(int(document.freed_bytes))))
    if document.backup is not None and document.backup_bytes is not None:
        lines.append(("backup", f"{document.backup}, {megabytes(int(document.backup_bytes))}"))
    for name, count in document.rows.items():
        lines.append((name, f"{int(count):,} rows"))
    for name, text in lines:
        table.add_row(name, text)
    console(options).print(table)


def megabytes(count: int) -> str:
    """Return a size for people."""
    return f"{count / 1e6:,.1f} MB"
