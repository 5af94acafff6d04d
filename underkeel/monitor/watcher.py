"""Follow one chain: its heads, what is read at them, and what is written of it.

A watcher runs in one thread, with one client that it keeps. Nothing that a chain, an adapter or
the database does ends it; what ends it all the same is told by the supervisor, which starts
another. A watcher that was given up for dead finds `stop` set and writes nothing more.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from chain.client import ChainSpec, Client
from chain.errors import ChainError
from chain.heads import HeadChange, Heads, HeadTrouble
from chain.prefetch import Foresight
from chain.types import Address
from underkeel.config.load import Config
from underkeel.foresight import remember, remembered
from underkeel.monitor.crew import Vitals
from underkeel.monitor.cycle import Cycle, Sighting
from underkeel.monitor.explorer import Explorer
from underkeel.monitor.ledger import Ledger
from underkeel.monitor.pace import Pace
from underkeel.portfolio import ChainReader, ChainReport, spec_of
from underkeel.store.events import Event

log = logging.getLogger(__name__)

TROUBLE_S: Final = 10.0
"""While a chain is down, that is written again no more often than this."""
SAVE_S: Final = 60.0
"""How often what was asked is saved for the next start."""
SPARE: Final = 0.8
"""Of the time to the next block, how much may pass before all is ready for it."""
KEEP: Final = 0.75
"""Of what was known of the block interval, the share that outlives a block."""
STALL: Final = 4.0
"""An interval counts as this many times the usual one at most: a chain that stood still for an hour
leaves no more time than before for what can wait."""
BLOCK_S: Final = 12.0
"""Block interval of a network that nothing is known of, until it has been seen."""


LEAST_BLOCK_S: Final = 0.01
MOST_BLOCK_S: Final = 600.0


class Open(Protocol):
    """How a chain's client is made; `chain.client.connect` in earnest."""

    def __call__(self, spec: ChainSpec, /) -> AbstractContextManager[Client]:
        """Return a client that closes itself."""
        ...


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the store knows of a chain from before."""

    fingerprint: Mapping[str, Any] | None = None
    success_at: float | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every watcher of a service shares."""

    config: Config
    ledger: Ledger
    opener: Open
    cache: Path
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    seen: Callable[[ChainReport], None] = lambda _: None
    """Told every report."""
    genesis: Callable[[int, str], None] = lambda _id, _hash: None
    """Told the hash of a chain's first block; raises where it is another chain's."""
    recall: Callable[[str], Recalled] = lambda _: Recalled()
    """Tells what was known of a chain when the service ended last."""

    @property
    def accounts(self) -> tuple[Address, ...]:
        """Return every watched account."""
        return tuple(Address(w.address) for w in self.config.settings.wallets.values())


@dataclass(slots=True)
class Rhythm:
    """How fast blocks come, as they arrive here."""

    block_s: float = BLOCK_S
    guessed: bool = True
    """Nothing is known: the first interval that is seen is believed at once."""
    _last: tuple[int, float] | None = None

    def arrived(self, number: int, at: float) -> None:
        """Take note of a head; an interval over many blocks says more than one over one."""
        if self._last is not None and (blocks := number - self._last[0]) > 0:
            each = (at - self._last[1]) / blocks
            share = 1.0 if self.guessed else 1 - KEEP**blocks
            most = min(STALL * self.block_s, MOST_BLOCK_S)
            self.block_s += (min(max(each, LEAST_BLOCK_S), most) - self.block_s) * share
            self.guessed = False
        self._last = number, at


class Watcher:
    """One chain; `run` is for one thread."""

    def __init__(
        self, name: str, around: Surroundings, stop: threading.Event, vitals: Vitals
    ) -> None:
        self.name = name
        self._around = around
        self._stop = stop
        self._vitals = vitals
        self._pace = Pace.of(around.config.settings)
        self._rhythm = Rhythm()
        self._cycle = Cycle(name, around.config.settings, self._pace.near, around.monotonic)
        self._read_at = -1e9
        self._told_at = -1e9
        self._saved_at = -1e9

    def run(self) -> None:
        """Follow the chain until `stop` is set."""
        around, config = self._around, self._around.config
        self._recall()
        table, monitor = config.settings.chains[self.name], config.settings.monitor
        reader = ChainReader(
            self.name, table, config, around.accounts,
            lambda *_: self._vitals.beat(), around.cache, around.clock,
        )  # fmt: skip
        with around.opener(spec_of(self.name, table, config)) as client:
            if client.network is not None:
                self._rhythm = Rhythm(client.network.block_time_s, guessed=False)
            memory = remembered(around.cache, table.chain_id)
            named = False
            with Explorer(reader, client, self._stop, monitor) as explorer:
                for change in Heads(client, poll_s=monitor.poll).follow(self._stop):
                    self._vitals.beat()
                    if isinstance(change, HeadTrouble):
                        self._trouble(reader, client, change.cause)
                        continue
                    named = named or self._same_chain(client)
                    self._moved(reader, client, explorer, memory, change)
            remember(around.cache, table.chain_id, memory)

    def once(self) -> ChainReport:
        """Read and write the chain once; return what it said."""
        around, config = self._around, self._around.config
        self._recall()
        table = config.settings.chains[self.name]
        reader = ChainReader(
            self.name, table, config, around.accounts, lambda *_: None, around.cache, around.clock
        )
        try:
            with around.opener(spec_of(self.name, table, config)) as client:
                head = client.head()
                self._same_chain(client)
                memory = remembered(around.cache, table.chain_id)
                self._cycle.head_seen(head, around.clock())
                found = reader.discover(client, head)
                sighting = self._cycle.read(reader, client, found, memory, client.head(), 3600.0)
                remember(around.cache, table.chain_id, memory)
                self._write(client, sighting, float("inf"))
                return sighting.report
        except ChainError as error:
            self._write(None, self._cycle.failed(reader.failed(error), around.clock()))
            return reader.failed(error)

    def _recall(self) -> None:
        before = self._around.recall(self.name)
        self._cycle.recall(before.fingerprint, before.success_at)

    def _same_chain(self, client: Client) -> bool:
        """Bind the chain's id to its first block; a node that has not kept it is believed."""
        try:
            first = client.block(0)
        except ChainError:
            return True
        self._around.genesis(client.chain_id, first.hash)
        return True

    def _moved(
        self,
        reader: ChainReader,
        client: Client,
        explorer: Explorer,
        memory: Foresight,
        change: HeadChange,
    ) -> None:
        now = self._around.monotonic()
        self._rhythm.arrived(change.head.number, now)
        self._cycle.head_seen(change.head, self._around.clock(), len(change.added) + change.missed)
        if change.dropped:
            self._reorganised(change)
        elif not self._due(now):
            return
        self._read_at = now
        head, found = change.head, explorer.found(change.head)
        block_s = self._rhythm.block_s
        try:
            sighting = self._cycle.read(reader, client, found, memory, head, block_s)
        except ChainError as error:
            self._trouble(reader, client, error)
            return
        self._write(client, sighting, now + SPARE * block_s)
        self._vitals.beat()
        if now - self._saved_at > SAVE_S:
            remember(self._around.cache, head.chain_id, memory)
            self._saved_at = now

    def _due(self, now: float) -> bool:
        interval = self._pace.interval_s(self._cycle.worst)
        self._cycle.interval_s = interval
        if not self._cycle.calm:
            return True
        # half a block early is better than half a block late
        return now - self._read_at >= interval - self._rhythm.block_s / 2

    def _reorganised(self, change: HeadChange) -> None:
        depth = len(change.dropped)
        old, new = change.dropped[-1], change.head
        blocks = "1 block was" if depth == 1 else f"{depth} blocks were"
        text = f"{self.name}: {blocks} reorganised, up to {old}"
        log.warning("%s; reading again at %s", text, new)
        body = {"depth": depth, "dropped": old.hash, "head": new.hash, "number": new.number}
        self._cycle.reorganised(
            change.ancestor.number if change.ancestor else -1,
            Event(self._around.clock(), "reorg", text, "warning", self.name, body=body),
        )

    def _trouble(self, reader: ChainReader, client: Client, cause: ChainError) -> None:
        """Write down that the chain cannot be read: at once, then now and again."""
        now = self._around.monotonic()
        report = reader.failed(cause)
        if self._cycle.fault and now - self._told_at < TROUBLE_S:
            return
        self._told_at = now
        self._write(client, self._cycle.failed(report, self._around.clock()))

    def _write(self, client: Client | None, sighting: Sighting, until: float = 0.0) -> None:
        """Write what was seen, and work at the document until then."""
        if self._stop.is_set():
            return  # given up for dead, or the service ends: another writes, or nobody
        cycle, around = self._cycle, self._around
        if client is not None:
            cycle.endpoints = {e.label: dict(e.outcomes) for e in client.pool.endpoints}
            cycle.requests = client.stats.posts
        around.ledger.write(cycle.entry(sighting, around.clock(), self._rhythm.block_s))
        around.seen(sighting.report)
        spare_s = until - around.monotonic()
        if (paper := cycle.paper(sighting, around.clock(), spare_s)) is not None:
            around.ledger.write(paper)
