"""Carry intents out, pass by pass, and say how each ended."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chain.transactions import Transaction, no_op
from executor.journal.errors import IntentConflict, JournalError
from executor.journal.journal import Journal
from executor.run.ports import Policy
from executor.run.runner import Busy, Report, Runner
from executor.types import Intent, Ledger, Refused, State, Verdict
from underkeel.config.load import Config
from underkeel.errors import AppError, Exit
from underkeel.store.errors import WrongStamp
from underkeel.store.place import place_of
from underkeel.store.stamp import stamped_mode

POLL_S: Final = 1.0
NO_BYTES: Final = frozenset({State.PLANNED, State.APPROVED, State.NONCED, State.HELD, State.REPLAN})
"""Nothing that was signed can take effect."""


class End(StrEnum):
    """How an intent ended, as far as this run is concerned."""

    DONE = "done"
    """Its effect is in a final block."""
    MINED = "mined"
    """It is in a block, which is not final yet."""
    REVERTED = "reverted"
    REFUSED = "refused"
    """By the policy, before anything was signed."""
    CANCELLED = "cancelled"
    WAITING = "waiting"
    """Nothing of it was signed."""
    UNKNOWN = "unknown"
    """Something signed may still take effect."""


CODES: Final = {
    End.DONE: Exit.OK,
    End.MINED: Exit.OK,
    End.REVERTED: Exit.REVERTED,
    End.REFUSED: Exit.POLICY,
    End.CANCELLED: Exit.ERROR,
    End.WAITING: Exit.ERROR,
    End.UNKNOWN: Exit.OUTCOME,
}
WORST: Final = (End.UNKNOWN, End.REVERTED, End.REFUSED, End.CANCELLED, End.WAITING)


@dataclass(frozen=True, slots=True)
class OnlyThese:
    """A policy that lets nothing new be signed but the steps of one plan.

    The runner looks after all that a wallet has in flight, if need be by no-ops; what an earlier
    run left unsigned was wanted then, and is signed only when its own plan is carried out again.
    """

    policy: Policy
    ids: frozenset[str]

    def verdict(self, intent: Intent, transaction: Transaction, ledger: Ledger) -> Verdict:
        """Return the policy's verdict on a step of the plan; wait with everything else."""
        if intent.id not in self.ids and not no_op(transaction, intent.wallet):
            return Refused("it is no step of the plan that is carried out now")
        return self.policy.verdict(intent, transaction, ledger)


@dataclass(frozen=True, slots=True)
class Ended:
    """One intent, at the end of a run."""

    intent: Intent
    end: End
    hash: str | None
    """Of the payload that was mined, else of the newest one."""
    reason: str


def open_journal(config: Config, *, create: bool = True) -> Journal | None:
    """Open the journal of live runs; None where there is none and none is to be made.

    It lies in the same database as the monitor's store. Raises `AppError` for a journal that
    cannot be used, `WrongStamp` for a database that a dry run's monitor writes to.
    """
    place = place_of(config, mode="live")
    if not create and place.file is not None and not place.file.exists():
        return None
    place.prepare()
    mark = place.file.with_name("journal.mark") if place.file and place.ours else None
    try:
        if stamped_mode(place.url) == "dry-run":
            if not create:
                return None
            raise WrongStamp("mode", "dry-run", "live")
        return Journal.open(place.url, mode="live", mark=mark)
    except JournalError as error:
        raise AppError(str(error)) from None
    except OSError as error:
        raise AppError(f"{mark} cannot be read ({error.strerror})") from None


def holder() -> str:
    """Return how this process is named in a lease."""
    return f"{socket.gethostname()}:{os.getpid()}"


def carry_out(
    runner: Runner,
    journal: Journal,
    intents: Sequence[Intent],
    *,
    until_final: bool,
    stop_at: float,
    tell: Callable[[str], None],
) -> tuple[Ended, ...]:
    """Run until every intent has ended, the time is over, or somebody interrupts.

    Raises `AppError` where another process acts for the wallet.
    """
    _recorded(journal, intents)
    said: dict[str, str] = {}
    refused: set[str] = set()
    try:
        while True:
            try:
                reports = runner.tick()
            except Busy as busy:
                raise AppError(f"{busy}; wait for it, or end it") from None
            for report in reports:
                _tell(report, said, tell)
                if report.what.startswith("the policy refuses"):
                    refused.add(report.intent)
            found = tuple(_ended(journal, intent.id, refused) for intent in intents)
            if all(one.end is End.DONE or _over(one, until_final) for one in found):
                return found
            if any(one.end in (End.REFUSED, End.REVERTED, End.CANCELLED) for one in found):
                return found
            if time.time() >= stop_at:
                return found
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        return tuple(_ended(journal, intent.id, refused) for intent in intents)
    except JournalError as error:  # the lease is another's, or the journal is another chain's
        tell(f"stopped: {error}")
        return tuple(_ended(journal, intent.id, refused) for intent in intents)
    finally:
        with contextlib.suppress(JournalError):  # on a full disk it ends by itself
            runner.close()


def same(known: Intent, intent: Intent) -> bool:
    """Whether a recorded intent is the one that a plan now means by its id.

    Caps of the owner may have changed since, and what is said of costs.
    """
    return (known.chain_id, known.wallet, known.account, known.call, known.guard) == (
        *(intent.chain_id, intent.wallet, intent.account, intent.call, intent.guard),
    )


def _recorded(journal: Journal, intents: Sequence[Intent]) -> None:
    """Record what is new; raises `AppError` where that cannot be."""
    try:
        for intent in intents:
            known = journal.intent(intent.id)
            if known is None:
                journal.record(intent)
            elif not same(known, intent):
                raise IntentConflict(intent.id)
            elif known.state is State.HELD:
                journal.wish(intent.id, "release")  # carrying it out again is the owner's word
    except JournalError as error:
        raise AppError(f"{error}: nothing of this plan was signed now") from None


def worst(ended: Sequence[Ended]) -> Exit:
    """Return the exit code of a run."""
    ends = {one.end for one in ended}
    found = next((end for end in WORST if end in ends), End.DONE)
    return CODES[found]


def _over(one: Ended, until_final: bool) -> bool:
    return one.end is End.MINED and not until_final


def _tell(report: Report, said: dict[str, str], tell: Callable[[str], None]) -> None:
    """Say what is new."""
    state = f"{report.state}: " if report.state else ""
    text = f"{report.intent[:10]} {state}{report.what}".strip()
    if said.get(report.intent) != text:
        said[report.intent] = text
        tell(text)


def _ended(journal: Journal, id_: str, refused: set[str]) -> Ended:
    intent = journal.intent(id_)
    assert intent is not None
    attempts = journal.attempts(id_)
    receipt = journal.receipt(id_)
    hash_ = receipt.hash if receipt else attempts[-1].hash if attempts else None
    match intent.state:
        case State.DONE:
            end = End.DONE
        case State.REVERTED:
            end = End.REVERTED
        case State.CANCELLED:
            end = End.CANCELLED
        case State.MINED:
            end = End.MINED if receipt is None or receipt.success else End.REVERTED
        case State.HELD:
            end = End.REFUSED
        case state if state in NO_BYTES:
            end = End.REFUSED if id_ in refused else End.WAITING
        case _:
            end = End.UNKNOWN
    return Ended(intent, end, hash_, intent.reason)
