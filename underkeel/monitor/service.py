"""`underkeel run`: one service per database, from its start to its end.

    Host        waits for the lock, serves while it has it, stands by when it lost it
    └─ Shift    everything that runs on one config: watchers, ticks, studies, delivery, pages

A new config (SIGHUP) ends one shift and begins another. What a shift must not forget is in the
store; what the store could not take yet, the ledger keeps.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from chain.client import connect
from underkeel.cache import cache_folder
from underkeel.config.load import Config
from underkeel.errors import AppError, Exit
from underkeel.monitor.shift import Shift
from underkeel.monitor.systemd import Notifier
from underkeel.monitor.watcher import Open
from underkeel.store.errors import LockLost, NotWritten, StoreError
from underkeel.store.lock import Lock
from underkeel.store.store import Store

log = logging.getLogger(__name__)

LOOK_S: Final = 0.25
"""How often the supervisor looks at its threads."""
STOP_S: Final = 4.0
"""How long the end may take before what still runs is left behind."""


@dataclass(slots=True)
class Wishes:
    """What signals asked for."""

    stop: threading.Event = field(default_factory=threading.Event)
    reload: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as the wish to end, SIGHUP as the wish to read the config."""

        def end(_number: int, _frame: FrameType | None) -> None:
            self.stop.set()

        def again(_number: int, _frame: FrameType | None) -> None:
            self.reload.set()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGHUP, again)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the service uses of the world outside; tests give their own."""

    opener: Open = connect
    cache: Path = field(default_factory=cache_folder)
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


class Host:
    """Serves a database for as long as nobody else does."""

    def __init__(
        self,
        config: Config,
        store: Store,
        reload: Callable[[], Config],
        wishes: Wishes,
        tools: Tools | None = None,
    ) -> None:
        self._config = config
        self._store = store
        self._reload = reload
        self._wishes = wishes
        self._tools = tools or Tools()
        self._systemd = Notifier.of(self._tools.environ)
        self._lock = Lock(store, monotonic=self._tools.monotonic)
        self._ready = False

    def run(self) -> Exit:
        """Serve until asked to stop; raises `AppError` for what makes serving impossible."""
        while not self._wishes.stop.is_set():
            if not self._take():
                break
            if (error := self._serve()) is not None:
                raise error
        self._systemd.stopping()
        log.info("the service has ended")
        return Exit.OK

    def _take(self) -> bool:
        """Wait for the lock; return whether it is ours, and not the end."""
        told = ""
        while not self._wishes.stop.is_set():
            try:
                other = self._lock.take()
            except NotWritten as error:
                text = str(error)
            else:
                if other is None:
                    return True
                text = f"standing by: {other.holder} serves this database"
            if text != told:
                log.warning("%s", text)
                told = text
            self._tell_ready(text)
            self._wishes.stop.wait(1.0)
        return False

    def _serve(self) -> AppError | None:
        """Run shifts until the end, or until the lock is lost; return what is fatal."""
        shift = Shift(self._config, self._store, self._lock, self._tools)
        try:
            shift.start()
            while not self._wishes.stop.is_set():
                if self._wishes.reload.is_set():
                    self._wishes.reload.clear()
                    shift = self._changed(shift)
                shift.look()
                self._tell_ready(shift.status())
                if shift.fatal is not None:
                    return shift.fatal
                if shift.lost is not None:
                    break
                self._wishes.stop.wait(LOOK_S)
        finally:
            self._end(shift)
        return None

    def _end(self, shift: Shift) -> None:
        shift.stop(STOP_S)
        if shift.lost is None and not shift.ledger.failing:  # else it is found to be dead
            try:
                self._lock.release()
            except StoreError as error:
                log.warning("the lock could not be given back: %s", error)

    def _changed(self, shift: Shift) -> Shift:
        """Read the config again and begin a new shift; a config that is no good changes nothing."""
        self._systemd.reloading(self._tools.monotonic())
        self._ready = False
        try:
            config = self._reload()
            _same_store(self._config, config)
            new = Shift(config, self._store, self._lock, self._tools, kept=shift.kept)
        except AppError as error:
            shift.say("config", _refused(error))
            return shift
        shift.stop(STOP_S)
        try:
            new.start()
        except AppError as error:  # a port that is taken: the old config had another, perhaps
            new.stop(STOP_S)
            old = Shift(self._config, self._store, self._lock, self._tools, kept=new.kept)
            old.start()
            old.say("config", _refused(error))
            return old
        self._config = config
        new.say("config", "the config was read again")
        return new

    def _tell_ready(self, status: str) -> None:
        if not self._ready:
            self._ready = True
            self._systemd.ready()
        self._systemd.alive(status)


def _refused(error: AppError) -> str:
    for line in str(error).splitlines():
        log.error("the config was not changed: %s", line)
    return "the new config is not used: " + str(error).splitlines()[0]


def _same_store(old: Config, new: Config) -> None:
    """Refuse a config of another database or mode: that is another service."""
    was, is_ = old.settings, new.settings
    if (was.mode, was.storage.url) != (is_.mode, is_.storage.url):
        raise AppError("mode and storage.url need a restart")
    for name, table in is_.chains.items():
        if name in was.chains and was.chains[name].chain_id != table.chain_id:
            raise AppError(f"another chain_id of {name!r} needs a restart, and another database")


__all__ = ["Host", "LockLost", "Tools", "Wishes"]
