"""One cycle of one chain: read a block, judge it, observe it, and say what is to be written.

A cycle whose reading takes longer than a block passes heads by and, where that does not help,
reads the accounts that are far from danger more rarely. Both are counted and told.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from chain.client import Client
from chain.errors import Reorged
from chain.prefetch import Foresight
from chain.types import Address, BlockRef
from protocols.types import Price, Unreadable
from underkeel.config.model import Settings
from underkeel.monitor.ledger import Entry, Paper
from underkeel.monitor.observing import Observing
from underkeel.monitor.pace import Shedding
from underkeel.monitor.papers import Papers
from underkeel.monitor.standing import Standing, Taken
from underkeel.observe.types import Observed
from underkeel.portfolio import ChainReader, ChainReport, Fault, Found, Portfolio, RawReport
from underkeel.store.chains import ChainState
from underkeel.store.events import Event
from underkeel.valuation import Valuation

log = logging.getLogger(__name__)

JUDGE_SHARE: Final = 0.3
"""Of the block interval, how much may go into judging what is not urgent."""
PAPER_SHARE: Final = 0.1
"""Of all time, how much may go into making documents."""
CHEAP_S: Final = 0.05
"""A document that takes no longer is stored together with all else."""
SLICE_S: Final = 0.1
"""The least time that a dear document is given at once."""
FAULT_S: Final = 1.0
"""The same while the chain cannot be read: there is less to be late for, and the next is far."""
JUMP: Final = 0.02
"""A price that moved by this share since all accounts were read has all of them read at once."""
ATTEMPTS: Final = 3
"""Heads tried when blocks are reorganised while they are read."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one cycle saw."""

    report: ChainReport
    observed: tuple[Observed, ...]


@dataclass(slots=True)
class Tally:
    """What is counted, to be shown."""

    cycles: int = 0
    failures: int = 0
    skipped: int = 0
    """Heads passed by because a reading took longer than a block."""
    reorgs: int = 0
    read_s: float = 0.0
    cycle_s: float = 0.0
    judged: int = 0
    waiting: int = 0


class Cycle:
    """What is known of one chain, from cycle to cycle. For one thread."""

    def __init__(
        self, name: str, settings: Settings, near: Fraction, monotonic: Callable[[], float]
    ) -> None:
        self.name = name
        self.tally = Tally()
        self.fault = ""
        self.interval_s = 0.0
        self.endpoints: Mapping[str, Mapping[str, int]] = {}
        self.requests = 0
        self.success_at: float | None = None
        """When the chain was last read whole, by our clock; an earlier service's included."""
        self._settings = settings
        self._monotonic = monotonic
        table = settings.chains[name]
        refresh = float(settings.monitor.refresh)
        self._standing = Standing(near, refresh, table.max_price_age, monotonic)
        self._observing = Observing(settings)
        self._papers = Papers(monotonic)
        self._shedding = Shedding()
        self._head: tuple[BlockRef, float] | None = None
        self._far: tuple[Unreadable, ...] = ()
        self._events: list[Event] = []
        self._paper_s = 0.0
        """What the last document took, from its first slice to its last."""
        self._paper_spent = 0.0
        """What one that is not finished has taken so far."""
        self._paper_at = -1e9
        self._last_at: BlockRef | None = None
        self._last_valuation: Valuation | None = None
        self._prices: dict[tuple[Address, str], int] = {}
        self._jumped = False

    @property
    def worst(self) -> Fraction | None:
        """Return the least health of the chain's positions."""
        return self._standing.worst()

    @property
    def calm(self) -> bool:
        """Whether the last reading was whole, and nothing waits for another."""
        open_ = self.tally.waiting or self._jumped or self._paper_spent
        return self.tally.cycles > 0 and not (self.fault or open_)

    def recall(self, fingerprint: Mapping[str, Any] | None, success_at: float | None) -> None:
        """Go on where an earlier service ended."""
        self._observing.fingerprint = fingerprint
        self.success_at = success_at

    def head_seen(self, head: BlockRef, at: float, added: int = 1) -> None:
        """Take note of a head."""
        self._head = head, at
        if self.interval_s == 0.0:
            self.tally.skipped += max(0, added - 1)

    def reorganised(self, after: int, event: Event) -> None:
        """Take note that blocks above a number left the chain: what they said is judged anew."""
        self.tally.reorgs += 1
        self._standing.forget(after)
        self._events.append(event)

    def read(
        self,
        reader: ChainReader,
        client: Client,
        found: Found,
        memory: Foresight,
        head: BlockRef,
        block_s: float,
    ) -> Sighting:
        """Read and judge at a head, or at the one in its place; raises `ChainError`."""
        began = self._monotonic()
        whole = self._shedding.all_now() or self._jumped
        accounts = None if whole else self._standing.endangered()
        asked = reader if accounts is None else replace(reader, accounts=tuple(sorted(accounts)))
        read_at = reader.now()
        raw = self._raw(asked, client, found, memory, head)
        self.tally.read_s = self._monotonic() - began
        taken = self._standing.take(raw, block_s * JUDGE_SHARE, accounts)
        self._count(taken)
        self._jumped = self._jump(raw, whole=whole)
        report = self._report(reader, raw, accounts, read_at, client.stats.posts)
        if report.fault is None:
            self.success_at = read_at
        self.fault = report.cause
        observed = self._observing.of(report, self._standing, taken, read_at, self.success_at)
        self.tally.cycle_s = self._monotonic() - began
        typical = 2 * len(taken.judged) <= len(self._standing.held)  # the first judges everything
        if whole and self._shedding.took(self.tally.cycle_s, block_s, typical=typical):
            self._told_shedding(block_s, read_at)
        return Sighting(report, observed)

    def failed(self, report: ChainReport, now: float) -> Sighting:
        """Take note that the chain could not be read."""
        self.tally.failures += 1
        if not self.fault:
            log.warning("%s: %s", self.name, report.cause)
        self.fault = report.cause
        observed = self._observing.failed(report, now, self.success_at)
        return Sighting(replace(report, read_at=now), (observed,))

    def entry(self, sighting: Sighting, now: float, block_s: float) -> Entry:
        """Return what is written at once."""
        report = sighting.report
        events, self._events = tuple(self._events), []
        papers: tuple[Paper, ...] = ()
        if self._observing.fingerprint is not None:
            papers = (Paper("fingerprint", self.name, self._observing.fingerprint, now),)
        if not self._apart and (paper := self._document(report, now, CHEAP_S)) is not None:
            papers = (*papers, paper)
        return Entry(now, self._state(report, block_s), sighting.observed, papers, events)

    def paper(self, sighting: Sighting, now: float, spare_s: float) -> Entry | None:
        """Return what may be written later: the document, if it is time for one.

        It is worked at for `spare_s` at most, and gone on with at the next call.
        """
        if not self._apart:
            return None
        paper = self._document(sighting.report, now, max(spare_s, SLICE_S))
        return None if paper is None else Entry(now, papers=(paper,))

    @property
    def _apart(self) -> bool:
        """Whether documents are too dear to be made before the rest is written."""
        return self._paper_s >= CHEAP_S or self._paper_spent > 0

    def _raw(
        self,
        reader: ChainReader,
        client: Client,
        found: Found,
        memory: Foresight,
        head: BlockRef,
    ) -> RawReport:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return reader.read(client.snapshot(head), found, memory)
            except Reorged as error:
                if attempt == ATTEMPTS:
                    raise
                log.info("%s; attempt %d of %d", error, attempt, ATTEMPTS)
                head = client.head()
        raise AssertionError("unreachable")

    def _report(
        self,
        reader: ChainReader,
        raw: RawReport,
        accounts: frozenset[Address] | None,
        read_at: float,
        requests: int,
    ) -> ChainReport:
        """Return what is known: this reading, and of accounts that are not in it the last one."""
        far = () if accounts is None else tuple(u for u in self._far if u.owner not in accounts)
        if accounts is None:
            self._far = tuple(u for u in raw.unreadable if u.owner is not None)
        return ChainReport(
            name=self.name,
            chain_id=reader.table.chain_id,
            at=raw.at,
            positions=self._standing.assessments,
            unreadable=(*raw.unreadable, *far),
            prices=raw.prices,
            markets=raw.markets,
            valuation=raw.valuation,
            read_at=read_at,
            requests=requests,
            fault=Fault.DOWN if raw.cause else None,
            cause=raw.cause,
        )

    def _jump(self, raw: RawReport, *, whole: bool) -> bool:
        """Tell whether a price moved so much since all accounts were read that all must be."""
        now = {(p.token, p.source): p.raw for p in raw.prices if isinstance(p, Price)}
        if whole:
            self._prices = now
            return False
        return any(
            abs(raw_ - before) > JUMP * before
            for key, raw_ in now.items()
            if (before := self._prices.get(key)) is not None
        )

    def _count(self, taken: Taken) -> None:
        self.tally.cycles += 1
        self.tally.judged = len(taken.judged)
        self.tally.waiting = taken.waiting

    def _told_shedding(self, block_s: float, now: float) -> None:
        factor = self._shedding.factor
        text = (
            f"{self.name}: a reading takes {self.tally.cycle_s:.1f} s and a block {block_s:.1f} s: "
            f"accounts far from danger are read in one reading of {factor}"
            if factor > 1
            else f"{self.name}: every account is read each time again"
        )
        log.warning("%s", text)
        kind = "warning" if factor > 1 else "info"
        self._events.append(Event(now, "shedding", text, kind, self.name, body={"factor": factor}))

    def _document(self, report: ChainReport, now: float, budget_s: float) -> Paper | None:
        began = self._monotonic()
        least = max(float(self._settings.monitor.document_every), self._paper_s / PAPER_SHARE)
        if not self._paper_spent and began - self._paper_at < least:
            return None
        known = report
        if report.at is None:  # what was known before is shown, as unknown
            known = replace(
                report,
                positions=self._standing.assessments if self._last_valuation else (),
                valuation=self._last_valuation,
            )
        else:
            self._last_valuation = report.valuation
        names = {Address(w.address): n for n, w in self._settings.wallets.items()}
        portfolio = Portfolio(tuple(names), (known,), names)
        if report.fault:
            budget_s = max(budget_s, FAULT_S)
        body = self._papers.document(portfolio, now, budget_s)
        ended = self._monotonic()
        self._paper_spent += ended - began
        if body is None:
            return None
        self._paper_at, self._paper_s, self._paper_spent = ended, self._paper_spent, 0.0
        at = report.at
        return Paper(
            "risk", self.name, body, now, at.number if at else None, at.hash if at else None
        )

    def _state(self, report: ChainReport, block_s: float) -> ChainState:
        at, tally, head = report.at, self.tally, self._head
        seen = self._last_at = at or self._last_at
        every = max(self.interval_s, block_s)
        return ChainState(
            chain=self.name,
            chain_id=report.chain_id,
            status="ok" if report.fault is None else report.fault.value,
            cause=report.cause,
            block_number=seen.number if seen else None,
            block_hash=seen.hash if seen else None,
            block_timestamp=seen.timestamp if seen else None,
            head_number=head[0].number if head else None,
            head_at=head[1] if head else None,
            read_at=report.read_at,
            success_at=self.success_at,
            requests=self.requests,
            body={
                "block_s": round(block_s, 3),
                "interval_s": round(self.interval_s, 3),
                "stale_after_s": round(max(60.0, 4 * every), 3),
                "cycles": tally.cycles,
                "failures": tally.failures,
                "skipped": tally.skipped,
                "reorgs": tally.reorgs,
                "shedding": self._shedding.factor,
                "positions": len(self._standing.held),
                "judged": tally.judged,
                "waiting": tally.waiting,
                "read_s": round(tally.read_s, 4),
                "cycle_s": round(tally.cycle_s, 4),
                "endpoints": {k: dict(v) for k, v in self.endpoints.items()},
            },
        )
