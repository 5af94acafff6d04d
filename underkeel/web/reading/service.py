"""How the service itself is, and whether its data may be relied on."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select, text

from underkeel.config.load import Config
from underkeel.documents.build import ENGINE_VERSION
from underkeel.documents.paging import ChainNow, HealthCheck
from underkeel.documents.system import (
    SystemChannel,
    SystemDocument,
    SystemDocumentRow,
    SystemMonitor,
    SystemStore,
    SystemWallet,
)
from underkeel.store import chains, lock, schema
from underkeel.store.tables import deliveries, documents, notifications
from underkeel.web.reading.chains import chains_now
from underkeel.web.reading.common import moment, moment_or_none

SILENT_S: Final = 2 * lock.TTL_S
"""A monitor that has not written for so long is gone, whatever the lock says."""


@dataclass(frozen=True, slots=True)
class Process:
    """What the database does not know: the process that serves."""

    alone: bool
    """Only the pages: somebody else has to watch."""
    dead: Sequence[str] = ()
    """Threads that should run and do not."""
    paused: str | None = None


def system_document(db: Connection, config: Config, now: float, process: Process) -> SystemDocument:
    """Return `underkeel.system/1`."""
    current = chains_now(db, config, now)
    watching = monitor(db, now)
    checks = _checks(current, watching, process)
    return SystemDocument(
        schema="underkeel.system/1",
        generated_at=moment(now),
        engine_version=ENGINE_VERSION,
        mode=config.settings.mode,
        timezone=config.settings.timezone,
        paused=process.paused,
        ready=all(check.ok for check in checks),
        checks=checks,
        monitor=watching,
        chains=list(current),
        wallets=_wallets(config),
        store=_store(db),
        channels=_channels(db, config),
    )


def checks(db: Connection, config: Config, now: float, process: Process) -> list[HealthCheck]:
    """Return everything that `/readyz` asks."""
    return _checks(chains_now(db, config, now), monitor(db, now), process)


def monitor(db: Connection, now: float) -> SystemMonitor:
    """Return who watches; a holder that has gone silent does not."""
    holder = lock.holder(db)
    cycles = [state.success_at for state in chains.all(db) if state.success_at is not None]
    silent = holder is None or now - holder.beat_at > SILENT_S
    return SystemMonitor(
        running=not silent,
        holder=holder.holder if holder else None,
        until=moment(holder.beat_at + SILENT_S) if holder else None,
        cycle_at=moment_or_none(max(cycles, default=None)),
    )


def _checks(
    current: Sequence[ChainNow], watching: SystemMonitor, process: Process
) -> list[HealthCheck]:
    found = [
        HealthCheck(
            name=f"chain {one.name}", ok=one.status == "ok", text=one.cause or "its data are fresh"
        )
        for one in current
    ]
    nobody = "no monitor writes to the database: start `underkeel run`"
    silent = "the monitor does not get its writes into the database"
    bad = nobody if process.alone else silent
    said = "a monitor writes to the database" if watching.running else bad
    found.append(HealthCheck(name="monitor", ok=watching.running, text=said))
    dead = ", ".join(process.dead)
    said = f"not well: {dead}" if dead else "all are alive"
    found.append(HealthCheck(name="threads", ok=not dead, text=said))
    return found


def _wallets(config: Config) -> list[SystemWallet]:
    return [
        SystemWallet(
            name=name,
            address=wallet.address,
            kind=wallet.kind,
            signer=wallet.signer.kind if wallet.signer else None,
            policy=name in config.settings.policy,
        )
        for name, wallet in config.settings.wallets.items()
    ]


def _store(db: Connection) -> SystemStore:
    columns = (c for c in documents.c if c.name != "body")
    sqlite = db.dialect.name == "sqlite"
    size = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    if not sqlite:
        size = "SELECT pg_database_size(current_database())"
    return SystemStore(
        backend="sqlite" if sqlite else "postgresql",
        schema_version=schema.version(db),
        size_bytes=str(db.execute(text(size)).scalar_one()),
        documents=[
            SystemDocumentRow(
                kind=row.kind,
                chain=row.chain,
                at=moment(row.at),
                block_number=None if row.block_number is None else str(row.block_number),
                version=str(row.version),
            )
            for row in db.execute(select(*columns).order_by(documents.c.kind, documents.c.chain))
        ],
    )


def _channels(db: Connection, config: Config) -> list[SystemChannel]:
    count: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    told = (notifications.c.channel, notifications.c.status)
    for name, status, n in db.execute(select(*told, func.count()).group_by(*told)):
        count[name][status] += n
    newest = select(func.max(deliveries.c.id)).group_by(deliveries.c.channel)
    last: dict[str, Any] = {
        row.channel: row
        for row in db.execute(select(deliveries).where(deliveries.c.id.in_(newest)))
    }
    return [
        SystemChannel(
            name=name,
            pending=str(count[name]["waiting"] + count[name]["sending"]),
            delivered=str(count[name]["delivered"]),
            failed=str(count[name]["failed"]),
            last_at=moment(row.ended_at or row.began_at) if (row := last.get(name)) else None,
            last=(row.outcome or "under way") if row else None,
            detail=(row.cause or None) if row else None,
        )
        for name in dict.fromkeys((*config.settings.channels, *sorted(count)))
    ]
