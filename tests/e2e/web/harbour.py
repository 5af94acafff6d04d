"""A store as the monitor leaves it, and the real application over it, on a port of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, update

from tests.e2e.web import cargo
from tests.e2e.web import documents as made
from underkeel.config.load import Config, load
from underkeel.documents.models import RiskDocument
from underkeel.store import alerts, chains, documents, events
from underkeel.store.lock import Lock
from underkeel.store.open import open_store
from underkeel.store.store import Store
from underkeel.store.tables import alerts as alert_table
from underkeel.store.tables import service_lock
from underkeel.web.app import create_app
from underkeel.web.serve import Server, serve

TOKEN = "correct-horse-battery-staple-0123456789abcdef"
SWITCH = "pause"
CONFIG = f"""\
version = 1
timezone = "Europe/Berlin"
{{web}}
[chains.ethereum]
chain_id = 1
rpc = ["http://127.0.0.1:9"]
max_block_age = "1h"

[chains.base]
chain_id = 8453
rpc = ["http://127.0.0.1:9"]

[wallets.treasury]
address = "{made.TREASURY}"
kind = "eoa"

[wallets.ops]
address = "{made.OPS}"
kind = "eoa"
"""


@dataclass
class Harbour:
    """The store, the server over it, and the ways a test changes what they show."""

    store: Store
    server: Server
    state: Path
    config: Config
    at: int
    block: int = 21_400_000

    @property
    def url(self) -> str:
        """Return the pages' address, without a slash at its end."""
        return self.server.url.rstrip("/")

    def read(self, health: float, **more: Any) -> RiskDocument:
        """Let a block come at which the first position has this health."""
        self.block += 1
        document = made.ethereum(int(time.time()), health, self.block)
        if more:
            document = document.model_copy(update=more)
        self.write("ethereum", document)
        return document

    def write(self, chain: str, document: RiskDocument) -> None:
        """Store a chain's document as a cycle does."""
        now, head = time.time(), document.chains[0]
        with self.store.writing() as db:
            documents.put(
                db, "risk", chain, document, at=now, block_number=int(head.block_number or 0)
            )
            chains.put(db, cargo.state(chain, document, now))

    def hang_up(self) -> None:
        """Send all listeners of the stream away; in the server's loop."""
        for one in list(self.server._web.hub._listeners):
            one.end()

    def silence_base(self) -> None:
        """Let the second chain be as it was at first: read two hours ago, and down since."""
        with self.store.writing() as db:
            cargo.base(db, self.at)

    def fire(self, key: str, **changes: Any) -> None:
        """Write an alert, firing unless told otherwise, and the event that says so."""
        row = cargo.alert(key, time.time(), **changes)
        with self.store.writing() as db:
            alerts.put(db, [row])
            events.add(
                db,
                events.Event(
                    time.time(), "alert", row.title, row.severity, "ethereum", "treasury", "", key
                ),
            )

    def unpause(self) -> None:
        """Remove the pause file, as `underkeel resume` does."""
        (self.state / SWITCH).unlink(missing_ok=True)

    def forget(self, key: str) -> None:
        """Remove an alert."""
        with self.store.writing() as db:
            db.execute(delete(alert_table).where(alert_table.c.key == key))


Opened = tuple[Config, Store, dict[str, str]]


@contextmanager
def filled(folder: Path, *, token: bool = False, fill: bool = True) -> Iterator[Opened]:
    """Make a config and its store, filled as a monitor leaves it that goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text(TOKEN)
    web = '[web]\nbind = "127.0.0.1:0"\ntoken = "file:token"\n' if token else ""
    (folder / "underkeel.toml").write_text(CONFIG.replace("{web}", web))
    environ = {"XDG_STATE_HOME": str(folder / "state"), "HOME": str(folder)}
    config = load(folder / "underkeel.toml", environ, folder)
    store = open_store(config, environ=environ)
    now = int(time.time()) - 4
    if fill:
        cargo.fill(store, now)
    Lock(store).take()
    with store.writing() as db:  # a monitor that goes on, for as long as the tests
        db.execute(update(service_lock).values(beat_at=now + 3_600))
    try:
        yield config, store, environ
    finally:
        store.close()


@contextmanager
def moored(folder: Path, *, token: bool = False, fill: bool = True) -> Iterator[Harbour]:
    """Fill a store, and serve it."""
    with filled(folder, token=token, fill=fill) as (config, store, environ):
        app = create_app(config, store, alone=False, environ=environ)
        server = serve(app, config, port=0)
        try:
            yield Harbour(
                store, server, folder / "state" / "underkeel", config, int(time.time()) - 4
            )
        finally:
            server.stop()
