"""Make the slow documents: beside the watchers, or, of many positions, in a process apart.

Studies of thousands of positions take tens of seconds of pure computing. In a thread they would
take every second turn from the thread that is to tell of a crossing; in a process of their own, at
a lower priority, they take none. What goes there is packed piece by piece, and what comes back is
ready JSON, because nothing else runs in Python while a large object is packed or unpacked.
"""

import io
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from underkeel.config.load import Config
from underkeel.portfolio import Portfolio
from underkeel.store.documents import as_json

APART: Final = 200
"""Positions from which studies are made in a process of their own."""
NICE: Final = 10
LOOK_S: Final = 0.5
LONGEST_S: Final = 1_800.0
"""How long the process apart may be at one document, lest one that hangs be waited for for ever."""

PIECE: Final = 20
"""Positions packed in one go: a few milliseconds."""

Made = tuple[str, str, bytes]
"""Kind, chain (empty: of all), and the document's JSON."""


class Studying:
    """Makes studies for as long as it is not stopped. For one thread."""

    def __init__(self, config: Config, cache: Path, **tools: Any) -> None:
        self._config = config
        self._cache = cache
        self._tools = tools
        self._here: Any = None
        self._process: Any = None
        self._pipe: Connection | None = None

    def compute(self, portfolio: Portfolio, go_on: Callable[[], bool]) -> Iterator[Made]:
        """Yield documents as they are made, while `go_on()`, which is asked now and then."""
        if len(portfolio.assessments) < APART:
            yield from self._in_this(portfolio, go_on)
        else:
            yield from self._apart(portfolio, go_on)

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.join(1.0)
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    def _in_this(self, portfolio: Portfolio, go_on: Callable[[], bool]) -> Iterator[Made]:
        if self._here is None:
            from underkeel.studies import Studies

            self._here = Studies(self._config, self._cache, **self._tools)
        for kind, chain, document in self._here.compute(portfolio):
            if not go_on():
                return
            yield kind, chain, as_json(document)

    def _apart(self, portfolio: Portfolio, go_on: Callable[[], bool]) -> Iterator[Made]:
        if self._process is None or not self._process.is_alive():
            self.stop()
            context = get_context("spawn")
            self._pipe, theirs = context.Pipe()
            args = (theirs, self._config, self._cache)
            self._process = context.Process(target=serve, args=args, daemon=True)
            self._process.start()
            theirs.close()
        pipe = self._pipe
        assert pipe is not None  # it was just made
        pipe.send_bytes(packed(portfolio))
        began = time.monotonic()
        while go_on():
            if pipe.poll(LOOK_S):
                made = pipe.recv()  # raises EOFError where the process died
                if made is None:
                    return
                yield made
                began = time.monotonic()
            elif time.monotonic() - began > LONGEST_S:
                self.stop()
                raise TimeoutError(f"no study came of the process apart in {LONGEST_S:.0f} s")


def serve(pipe: Connection, config: Config, cache: Path) -> None:
    """Answer each portfolio with its documents, then None; the process apart."""
    from underkeel.studies import Studies

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends us
    os.nice(NICE)
    studies = Studies(config, cache)
    while True:
        try:
            portfolio = unpacked(pipe.recv_bytes())
        except EOFError:
            return
        for kind, chain, document in studies.compute(portfolio):
            pipe.send((kind, chain, as_json(document)))
        pipe.send(None)


def packed(portfolio: Portfolio) -> bytes:
    """Return a portfolio for a process of our own to unpack; other threads get their turns."""
    into = io.BytesIO()
    pickler = pickle.Pickler(into, pickle.HIGHEST_PROTOCOL)
    pickler.dump(replace(portfolio, chains=()))
    for chain in portfolio.chains:
        pickler.dump(replace(chain, positions=()))
        for begin in range(0, len(chain.positions), PIECE):
            pickler.dump(chain.positions[begin : begin + PIECE])
        pickler.dump(None)
    pickler.dump(None)
    return into.getvalue()


def unpacked(data: bytes) -> Portfolio:
    """Return what `packed` was given."""
    unpickler = pickle.Unpickler(io.BytesIO(data))
    portfolio, chains = unpickler.load(), []
    while (chain := unpickler.load()) is not None:
        pieces = iter(unpickler.load, None)
        chains.append(replace(chain, positions=tuple(one for piece in pieces for one in piece)))
    found: Portfolio = replace(portfolio, chains=tuple(chains))
    return found
