"""Look for new positions beside the readings, not in them: logs are slow to search.

Until a search is over, a reading takes what earlier ones found, and says that more may be there.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from chain.client import Client
from chain.errors import ChainError
from chain.types import Address, BlockRef
from underkeel.config.monitor import MonitorTable
from underkeel.discovery import Memory, Search
from underkeel.portfolio import ChainReader, Found
from underkeel.wiring import markets_of

log = logging.getLogger(__name__)

FIRST_S: Final = 10.0
"""How long the first reading waits for the first search."""
AGAIN_S: Final = 30.0
"""When a search is tried again that failed."""


class NotSearched(ChainError):
    """The logs were not searched yet."""

    def __str__(self) -> str:
        return "the search of the logs is under way"


@dataclass(frozen=True, slots=True)
class _Unread:
    """A reader of blocks that has no logs."""

    client: Client

    def block(self, which: int, /) -> BlockRef:
        return self.client.block(which)

    def logs(
        self,
        addresses: Sequence[Address],
        topics: Sequence[str | Sequence[str] | None],
        first: int,
        last: int,
    ) -> Iterator[Any]:
        raise NotSearched


@dataclass(slots=True)
class Explorer:
    """The searches of one chain, in a thread of their own."""

    reader: ChainReader
    client: Client
    stop: threading.Event
    table: MonitorTable
    _found: Found | None = None
    _done: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _waited: bool = False

    def __enter__(self) -> Self:
        if self.reader.table.discover and self.reader.accounts:
            name = f"search {self.reader.name}"
            self._thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()

    def found(self, head: BlockRef) -> Found:
        """Return the markets to read at a head, as far as they are known."""
        if self._thread is None:
            return Found(markets_of(self.reader.table))
        if not self._waited:
            self._waited = True
            self._done.wait(FIRST_S)
        if self._found is None:
            return self._remembered(head)
        return self._found

    def _remembered(self, head: BlockRef) -> Found:
        memory = Memory.open(self.reader.cache, head.chain_id)
        search = Search(_Unread(self.client), head, memory, lambda *_: None)
        found = [search.complete(m, self.reader.accounts) for m in markets_of(self.reader.table)]
        return Found(tuple(m for m, _ in found), tuple(u for _, u in found if u is not None))

    def _run(self) -> None:
        while not (self.stop.is_set() or self._ended.is_set()):
            pause: float = self.table.discover_every
            try:
                self._found = self.reader.discover(self.client, self.client.head())
                if self._found.missed:
                    pause = min(pause, AGAIN_S)
            except ChainError as error:
                log.warning("%s: no search of the logs: %s", self.reader.name, error)
                pause = min(pause, AGAIN_S)
            except Exception:  # the readings go on with what is known
                log.exception("%s: the search of the logs failed", self.reader.name)
            self._done.set()
            self._ended.wait(pause)
