"""An executor in a process of its own that can be told to die or to stop at any boundary.

It is forked from a server that has everything imported, and is driven through a pipe: `tick` makes
one pass and answers what it reported. A boundary is a point just before or after something lasting:
a database transaction (also right before its commit), the mark, a signature, a sending. They are
counted from the start of the process.
"""

import json
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from time import time
from typing import Any

from sqlalchemy import event

from chain.client import ChainSpec, connect
from chain.endpoint import Endpoint
from chain.networks import all_networks
from chain.pool import Patience
from chain.sending import Sender
from chain.transactions import Transaction, tx_hash
from chain.transport import HttpTransport
from chain.types import BlockRef
from chain.wallet.signer import verified
from executor.journal import journal as journal_module
from executor.journal.journal import Journal
from executor.journal.known import Known
from executor.journal.mark import write as write_mark
from executor.run.change import Change
from executor.run.ports import Judge, Judgement
from executor.run.runner import Runner
from executor.run.view import Settings
from executor.types import (
    Allowed,
    Attempt,
    Call,
    Intent,
    Kind,
    Ledger,
    Receipt,
    Refused,
    State,
    Verdict,
)
from executor.value import Hazard, avoided
from tests.executor.run.stage import PlainSigner


@dataclass(frozen=True)
class Options:
    """What a process is started with."""

    key: str
    journal: str
    folder: Path
    chain_id: int
    urls: tuple[str, ...]
    holder: str = "me"
    private: tuple[str, ...] = ()
    quorum: int = 1
    depth: int = 3
    timeout_s: float = 5.0
    cap: int | None = None
    """Wei that the policy lets the wallet spend in a day, reservations counted."""
    skew_s: float = 0.0
    """How wrong its clock is."""
    ttl_s: int = 60
    bump_blocks: int = 2
    die_at: int | None = None
    """The boundary at which it kills itself."""
    die_on: tuple[str, int] | None = None
    """The same by name, and how often it passes before."""
    stop_on: tuple[str, int] | None = None
    """The boundary at which it stops itself, until somebody continues it."""
    file_limit: int | None = None
    """Bytes above which no file of it can grow: a full disk."""
    health: tuple[float, ...] | None = None
    """Health factors by block, from `health_from` on: the judge's reason for a rescue."""
    health_from: int = 0
    at_stake: int = 0
    """Wei that a liquidation would cost."""


class Boundaries:
    """Counts them, and dies or stops where told."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.names: list[str] = []

    def pass_by(self, name: str) -> None:
        number, nth = len(self.names), self.names.count(name)
        self.names.append(name)
        if number == self.options.die_at or (name, nth) == self.options.die_on:
            os.kill(os.getpid(), signal.SIGKILL)
        if (name, nth) == self.options.stop_on:
            os.kill(os.getpid(), signal.SIGSTOP)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.pass_by(f"before {name}")
            result = call(*args, **kwargs)
            self.pass_by(f"after {name}")
            return result

        return wrapped


class Recording(PlainSigner):
    """A signer that writes down, for good, whatever it ever signed."""

    def __init__(self, key: str, log: Path) -> None:
        super().__init__(key)
        self._log = log

    def sign(self, transaction: Transaction) -> bytes:
        raw = super().sign(transaction)
        line = {
            "hash": tx_hash(raw), "raw": "0x" + raw.hex(), "nonce": transaction.nonce,
            "effect": transaction.to != self.address, "value": transaction.value,
            "gas": transaction.gas, "cap": transaction.max_fee, "at": time(),
        }  # fmt: skip
        with self._log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return raw


@dataclass(frozen=True)
class Capped:
    """A policy of one rule: what was spent, what is reserved, and this, are within the cap."""

    cap: int | None

    def verdict(self, intent: Intent, transaction: Transaction, ledger: Ledger) -> Verdict:
        others = sum(spend.wei for spend in ledger.spends if spend.intent != intent.id)
        mine = max((s.wei for s in ledger.spends if s.intent == intent.id), default=0)
        this = transaction.value + transaction.gas * transaction.max_fee
        if self.cap is not None and others + max(mine, this) > self.cap:
            return Refused("the cap of the day is spent or reserved")
        return Allowed()


@dataclass(frozen=True)
class Falling:
    """A judge that sees the health fall, block by block, and values the rescue by it."""

    options: Options

    def judge(self, intent: Intent, at: BlockRef) -> Judgement:
        path = self.options.health
        if path is None:
            return Judgement(True, intent.value_wei, intent.other_cost_wei)
        health = path[min(max(at.number - self.options.health_from, 0), len(path) - 1)]
        hazard = Hazard(sigma=0.6, horizon_s=3600, deviation=0.005)
        value = int(avoided(hazard, health, 1.25, self.options.at_stake))
        return Judgement(True, value, 0, urgent=health < 1.01)


def warmed() -> Journal:
    """Use, once for all processes, what is slow the first time: statements, curves, tables."""
    all_networks()
    folder = Path(tempfile.mkdtemp())
    journal = Journal.open(f"sqlite:///{folder / 'journal'}", mode="live", mark=folder / "mark")
    signer = PlainSigner("0x" + "11" * 32)
    to = Call(signer.address, 0, b"")
    wanted = Intent("0x" + "0" * 64, 1, signer.address, signer.address, to, 21_000, 0, 0,
                    state=State.APPROVED)  # fmt: skip
    journal.stamp_chain(1, "0x")
    journal.record(wanted)
    lease = journal.lease(1, signer.address, "me", 60)
    assert lease is not None
    journal.saw(journal.renew(lease, 60), Known(True, 0, 0))
    journal.check(lease)
    transaction = Transaction(1, 0, to.to, 0, b"", 21_000, 1, 1)
    raw = signer.sign(transaction)
    verified("", signer.address, transaction, raw)
    tried = Attempt(wanted.id, 0, Kind.EFFECT, 0, raw, tx_hash(raw), 1, 1, 21_000)
    mined = Receipt(tried.hash, "0x", 1, True, 1)
    for state, change in ((State.NONCED, {}), (State.SIGNED, {"attempts": (tried,)}),
                          (State.BROADCAST, {"attempts": (tried,)}),
                          (State.MINED, {"receipt": mined}), (State.DONE, {"receipt": mined,
                           "heard": True})):  # fmt: skip
        after = replace(wanted, state=state, nonce=0)
        wanted = journal.commit(lease, wanted, Change(after, **change)) or wanted
        journal.intents(1, signer.address)
        journal.intents(1, signer.address, open_only=False)
        journal.intent(wanted.id)
        journal.attempts(wanted.id)
        journal.receipt(wanted.id)
        journal.wishes(wanted.id)
        journal.changed_at(wanted.id)
        journal.known(1, signer.address)
        journal.ledger(1, signer.address, since=0, balance=1)
    journal.close()
    shutil.rmtree(folder)
    return journal


WARM = warmed()


def build(options: Options, bounds: Boundaries) -> Runner:
    """Return the runner, with a hook at each boundary."""

    def clock() -> float:
        return time() + options.skew_s

    spec = ChainSpec(
        "test", options.chain_id, options.urls, quorum=options.quorum, timeout_s=options.timeout_s
    )
    patience = Patience(retries=0)
    client = connect(spec, patience=patience)
    private = [Endpoint(HttpTransport(url), options.chain_id) for url in options.private]
    sender = Sender(client, private=private, final_depth=options.depth)
    hooked = bounds.around("the mark", write_mark)
    setattr(journal_module, "write_mark", hooked)  # noqa: B010  (not one of its exports)
    mark = options.folder / "journal.mark"
    journal = Journal.open(options.journal, mode="live", mark=mark, clock=clock)
    journal._engine.dialect = WARM._engine.dialect  # the key of the statements compiled before
    journal._engine._compiled_cache = WARM._engine._compiled_cache
    event.listen(journal._engine, "commit", lambda _: bounds.pass_by("inside a transaction"))
    for name in ("commit", "saw", "lease", "renew", "check"):
        setattr(journal, name, bounds.around(name, getattr(journal, name)))
    signer = Recording(options.key, options.folder / "signed.log")
    signer.sign = bounds.around("the signature", signer.sign)  # type: ignore[method-assign]
    sender.broadcast = bounds.around("the sending", sender.broadcast)  # type: ignore[method-assign]
    judge: Judge = Falling(options)
    pause = options.folder / "pause"
    return Runner(
        journal, sender, signer, Capped(options.cap), holder=options.holder, judge=judge,
        settings=Settings(bump_blocks=options.bump_blocks, foreign_s=0), paused=pause.exists,
        ttl_s=options.ttl_s, clock=clock,
    )  # fmt: skip


def serve(options: Options, pipe: Connection) -> None:
    """Make a pass for each message; answer its reports, or the error that it raised."""
    bounds = Boundaries(options)
    if options.file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.file_limit, resource.RLIM_INFINITY))
    try:
        runner = build(options, bounds)
    except Exception as error:  # noqa: BLE001  (the test looks at what it was)
        pipe.send((f"{type(error).__name__}: {error}", [], bounds.names))
        return
    while pipe.recv() == "tick":
        try:
            reports = [(r.intent, r.state, r.what) for r in runner.tick()]
        except Exception as error:  # noqa: BLE001
            pipe.send((f"{type(error).__name__}: {error}", [], bounds.names))
        else:
            pipe.send((None, reports, bounds.names))
    runner.close()
