"""Read one block, and only that block, however the reads travel.

A batch of reads is one POST where the endpoint bears it. Expected failures are values in the
results; what is raised concerns the block as a whole: `Reorged`, and `Disagreement` where a
quorum is asked for.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from chain import lens as lenses
from chain import round as rounds
from chain import wire
from chain.bulk import Answers, Bulk, Chunks, Lens, NoLens
from chain.calls import NO_LENS, Read, Reads, Result, Run, Unknown
from chain.endpoint import Endpoint, Path, Stats
from chain.errors import (
    BlockUnknown,
    Disagreement,
    EndpointError,
    RateLimited,
    Refused,
    Reorged,
    WrongChain,
)
from chain.pool import REST_S, Pool
from chain.types import BlockRef
from chain.wire import Ask
from chain.work import Rules, Work

T = TypeVar("T")

STALLS: Final = 6
"""Passes without any progress after which the rest is unknown."""


class Snapshot:
    """One chain at one block hash."""

    def __init__(
        self,
        pool: Pool,
        rules: Rules,
        at: BlockRef,
        *,
        quorum: int = 1,
        path: Path | None = None,
    ) -> None:
        self.at = at
        self.stats = Stats()
        """What travelled for this snapshot."""
        self._pool = pool
        self._rules = rules
        self._quorum = quorum
        self._path = path

    def run(self, program: Reads[T]) -> T:
        """Answer every batch that the program yields; return what it returns."""
        try:
            batch = next(program)
            while True:
                batch = program.send(self.read(batch))
        except StopIteration as stop:
            value: T = stop.value
            return value

    def bulk(self, program: Bulk[T]) -> T:
        """Answer every step that a bulk reader yields; return what it returns."""
        try:
            step = next(program)
            while True:
                if step.lens is None:
                    answers = Answers(self.read(step.reads), None)
                elif not step.reads:
                    answers = Answers((), self.lens(step.lens))
                else:
                    with ThreadPoolExecutor(1) as beside:
                        results = beside.submit(self.read, step.reads)
                        found = self.lens(step.lens)
                        answers = Answers(results.result(), found)
                step = program.send(answers)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def lens(self, lens: Lens) -> Chunks | NoLens:
        """Run a program of ours over many accounts; see `chain.lens`."""
        if self._quorum > 1:
            return NoLens("a quorum is asked for, and runs are not compared between endpoints")
        work = Work(self.at, self._rules, self.stats, {}, force=self._path)
        return lenses.answer(self._pool, work, lens, self._still_there)

    def read(self, reads: Sequence[Read]) -> list[Result]:
        """Return one result per read, in order; the same read twice is made once."""
        unique = dict.fromkeys(reads)
        if not unique:
            return []
        if self._quorum == 1:
            found = self._answer(unique, self._pool.endpoints)
        else:
            # Runs say what they had gas for, and are not compared between endpoints.
            asked: dict[Read, None] = {r: None for r in unique if not isinstance(r, Run)}
            found = dict[Read, Result](dict.fromkeys(unique, NO_LENS))
            found.update(self._agreed(asked) if asked else {})
        return [found[read] for read in reads]

    def _answer(
        self, unique: dict[Read, None], endpoints: Sequence[Endpoint]
    ) -> dict[Read, Result]:
        work = Work(self.at, self._rules, self.stats, unique, force=self._path)
        patience = self._pool.patience
        failures: dict[str, EndpointError] = {}
        failed = stalled = 0
        state: object = None
        while work.pending:
            live = [e for e in self._pool.ranked() if e in endpoints and e.rest_s <= REST_S]
            live = [e for e in live if not lost(failures.get(e.label))]
            if not live or failed > patience.retries * len(endpoints):
                if failures and all(isinstance(e, BlockUnknown) for e in failures.values()):
                    raise Reorged(self.at)
                work.give_up("; ".join(map(str, failures.values())) or self._resting(endpoints))
                break
            endpoint = live[0]
            if failed and (failed % len(endpoints) == 0 or endpoint.rest_s):
                patience.back_off(-(-failed // len(endpoints)), endpoint.rest_s)
            try:
                rounds.run(work, endpoint)
            except EndpointError as error:
                endpoint.failed(error)
                failures[endpoint.label] = error
                failed += 1
                if isinstance(error, BlockUnknown):
                    self._still_there(endpoint)
                continue
            limits = endpoint.limits
            now = (work.progress(), limits.chunk, limits.batch, limits.path, limits.pin, limits.gas)
            stalled = stalled + 1 if now == state else 0
            state = now
            if stalled >= STALLS:
                work.give_up(f"{endpoint.label}: no progress in {STALLS} attempts")
            if not work.strikes:
                endpoint.succeeded()
        return work.results

    @staticmethod
    def _resting(endpoints: Sequence[Endpoint]) -> str:
        return "; ".join(str(RateLimited(e.label, e.rest_s)) for e in endpoints)

    def _still_there(self, endpoint: Endpoint) -> None:
        """Raise `Reorged` if the endpoint has another block at our height, or none any more."""
        try:
            (answer,) = endpoint.post(
                [Ask("eth_getBlockByNumber", [hex(self.at.number), False])], stats=self.stats
            )
            if answer is None or isinstance(answer, EndpointError):
                return  # it lags behind: another attempt, or another endpoint
            seen = wire.block(endpoint.label, self.at.chain_id, answer)
        except EndpointError:
            return
        if seen.hash != self.at.hash:
            raise Reorged(self.at)

    def _agreed(self, unique: dict[Read, None]) -> dict[Read, Result]:
        """Return what at least `quorum` endpoints say, each asked on its own.

        Raises `Disagreement` where two endpoints gave different answers to one read.
        """
        ranked = self._pool.ranked()
        with ThreadPoolExecutor(self._quorum) as threads:
            first = ranked[: self._quorum]
            answers = dict(
                zip(first, threads.map(lambda e: self._answer(unique, (e,)), first), strict=True)
            )
        for spare in ranked[self._quorum :]:
            if all(self._settled(answers, read) for read in unique):
                break
            answers[spare] = self._answer(unique, (spare,))
        return {read: self._verdict(answers, read) for read in unique}

    def _settled(self, answers: dict[Endpoint, dict[Read, Result]], read: Read) -> bool:
        """Whether enough endpoints gave one and the same result, be it an `Unknown`."""
        said = [found[read] for found in answers.values()]
        return any(said.count(result) >= self._quorum for result in said)

    def _verdict(self, answers: dict[Endpoint, dict[Read, Result]], read: Read) -> Result:
        said = {e: r[read] for e, r in answers.items() if not isinstance(r[read], Unknown)}
        if len(set(said.values())) > 1:
            raise Disagreement(self.at, [e.label for e in said], f"{type(read).__name__} {read}")
        results = [found[read] for found in answers.values()]
        for result in results:
            if results.count(result) >= self._quorum:
                return result
        causes = "; ".join(result.reason for result in results if isinstance(result, Unknown))
        return Unknown(f"{len(said)} of {self._quorum} endpoints answered: {causes}")


def lost(error: EndpointError | None) -> bool:
    """Whether an endpoint cannot answer for this block, however often it is asked."""
    return isinstance(error, WrongChain | Refused)
