"""The thread that steers: it looks at what fires, plans, and has plans carried out.

    steering = Steering(config, store)
    steering.start()
    steering.wake()     # after each cycle's commit
    steering.stop(30)

Everything it decides by is in the store, so that a service that died goes on where it was.
"""

import contextlib
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from executor.plan.codec import MAX_BYTES, PlanUnreadable, load
from executor.policy.switch import Switch
from underkeel.config.load import Config
from underkeel.errors import AppError
from underkeel.state import state_folder
from underkeel.steer import outcome, rows
from underkeel.steer.child import Child, Files
from underkeel.steer.decide import Close, Hold, MakePlan, Start, Step, steps
from underkeel.steer.firing import Actions, actions_of, called, firing, obstacle
from underkeel.steer.propose import Planner, Proposed, verdicts
from underkeel.steer.record import Recorder, Tell, to_the_outbox
from underkeel.steer.types import Firing, Proposal, Status
from underkeel.store.errors import LockLost
from underkeel.store.store import Store

log = logging.getLogger(__name__)

Fence = Callable[[Connection], None]
POLL_S: Final = 1.0
BUSY_S: Final = 0.1
"""While a child runs, for its end."""
REMEMBERED_S: Final = 86_400
GRACE_S: Final = 10.0
"""For a child that acts, when the service ends."""
LATE_S: Final = 300
"""After a plan's end, for the child to find out how it went; then it is ended."""
HASH: Final = re.compile(r"0x[0-9a-f]{64}")
KEPT_S: Final = 30 * 86_400
"""How long files of plans stay."""


class Steering:
    """Steers by the actions of a config's rules."""

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        clock: Callable[[], float] = time.time,
        planner: Planner | None = None,
        tell: Tell | None = None,
        actions: Actions | None = None,
        fence: Fence | None = None,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        """`fence` raises `LockLost` in a transaction once another service has taken over.

        `told` is called when something was committed that may have to be delivered.
        """
        self._config = config
        self._store = store
        self._clock = clock
        self._planner = planner or Planner(config)
        self._actions = actions_of(config) if actions is None else actions
        self._record = Recorder(tell or to_the_outbox(config), config.settings.timezone)
        self._fence = fence
        self._told = told
        self._children: dict[int, Child] = {}
        self._severity: dict[str, str] = {}
        self._wakeup = threading.Event()
        self._thread: threading.Thread | None = None
        self.fault = ""
        """Why the last turn came to nothing; empty where it did not."""

    @staticmethod
    def wanted(config: Config) -> bool:
        """Tell whether any rule has an action; without one, old proposals still expire."""
        return bool(actions_of(config))

    # The thread

    def start(self) -> None:
        """Begin."""
        self._forget()
        self._thread = threading.Thread(target=self._run, name="steer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look now: something may have changed."""
        self._wakeup.set()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout_s: float = 30, grace_s: float = GRACE_S) -> None:
        """Begin nothing new; wait so long for the thread, and for a child that is acting.

        A child that still runs then is left to bring to an end what it began: the next service
        takes it up, as after a crash.
        """
        self._planner.stopping.set()
        self._wakeup.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        until = time.monotonic() + grace_s
        for child in self._children.values():
            child.wait(max(0.0, until - time.monotonic()))
        with contextlib.suppress(AppError):
            self._settle_all()

    def _run(self) -> None:
        while not self._planner.stopping.is_set():
            self._wakeup.clear()
            try:
                self.turn()
                self.fault = ""
            except LockLost as lost:
                self._fails(str(lost))
                return
            except AppError as error:  # the database is held, or full: the next turn looks again
                self._fails(self._config.scrub(str(error)))
            except Exception as error:
                log.exception("steering failed")
                self._fails(f"{type(error).__name__}: {self._config.scrub(str(error))}")
            self._wakeup.wait(BUSY_S if self._children else POLL_S)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._store.writing() as db:
            if self._fence is not None:
                self._fence(db)
            yield db
        self._told()

    def _fails(self, cause: str) -> None:
        if cause != self.fault:
            log.warning("steering: %s", cause)
        self.fault = cause

    # One turn

    def turn(self) -> tuple[Step, ...]:
        """Look once and do what is due; return what was done."""
        self._settle_all()
        now = self._clock()
        with self._store.reading() as db:
            alerts = firing(db, self._actions, self._who_signs)
            known = rows.current(db, now - REMEMBERED_S)
        self._severity |= {alert.key: alert.severity for alert in alerts}
        due = steps(alerts, known, now, obstacle=self._obstacle, paused=self._paused())
        plans = [step for step in due if isinstance(step, MakePlan)]
        for step in due:
            match step:
                case Close(proposal, status, cause):
                    self._end(proposal, [Status.PROPOSED], status, cause)
                case Hold(proposal, cause):
                    self._hold(proposal, cause)
                case Start(_, proposal) if not self._planner.stopping.is_set():
                    self._start(proposal)
        if plans and not self._planner.stopping.is_set():
            self._plan(plans[0].firing)  # takes seconds: things are looked at anew after each
        return tuple(due)

    def _paused(self) -> str | None:
        return Switch(state_folder(self._planner.environ)).paused()

    def _obstacle(self, wallet: str) -> str | None:
        return obstacle(self._config, wallet)

    def _who_signs(self, alert: Firing) -> str:
        try:
            return called(self._config, self._planner.wanted(alert).wallet)
        except AppError:  # planning says it in words
            return alert.labels.get("wallet", "")

    def _hold(self, proposal: Proposal, cause: str) -> None:
        severity = self._severity.get(proposal.alert, "warning")
        if proposal.cause != cause:
            with self._writing() as db:
                self._record.held(db, proposal, severity, cause, self._clock())

    def _end(
        self, proposal: Proposal, before: list[Status], status: Status, cause: str, **values: object
    ) -> bool:
        severity = self._severity.get(proposal.alert, "warning")
        with self._writing() as db:
            now = self._clock()
            return self._record.ended(db, proposal, before, status, cause, now, severity, **values)

    # Planning

    def _plan(self, alert: Firing) -> None:
        why = "" if alert.action.mode == "propose" else self._obstacle(alert.wallet) or ""
        # What is to be carried out at once asks the policy itself: no second is lost here.
        ask = alert.action.mode == "propose" or bool(why) or self._paused() is not None
        found, account = self._proposed(alert, ask=ask)
        if self._planner.stopping.is_set():
            return  # what was not looked at whole is planned again at the next start
        plan = found.plan
        with self._writing() as db:
            row = rows.put(
                db,
                at=self._clock(),
                expires_at=None if plan is None else float(plan.expires_at),
                plan=None if plan is None else plan.hash,
                name=alert.action.plan,
                alert=alert.key,
                rule=alert.rule,
                chain=(found.made and found.made.chain) or alert.labels.get("chain"),
                wallet=alert.wallet,
                account=account,
                position=alert.labels.get("position"),
                mode=alert.action.mode,
                status=found.status,
                cause=found.cause or why,
                document=found.document,
                verdicts=list(found.verdicts) or None,
                command="" if found.path is None else self._planner.command(found.path),
                value=alert.value if alert.known else None,
            )
            self._record.made(
                db, row, alert.severity, loud=alert.action.mode == "propose" or bool(why)
            )
        self._wakeup.set()  # it may be carried out at once

    def _proposed(self, alert: Firing, *, ask: bool) -> tuple[Proposed, str]:
        """Return what came of planning, and for whose account; what went wrong is an end too."""
        account = alert.labels.get("wallet", "")
        try:
            asked = self._planner.wanted(alert)
            account = called(self._config, asked.account)
            return self._planner.propose(asked, ask=ask), account
        except AppError as error:
            return Proposed(None, self._config.scrub(str(error))), account
        except Exception as error:  # else it would be tried again every second
            log.exception("planning failed")
            cause = f"planning failed: {type(error).__name__}: {self._config.scrub(str(error))}"
            return Proposed(None, cause), account

    # Children

    def _start(self, proposal: Proposal) -> None:
        """Note that a plan is carried out, then have it carried out: never the other way round."""
        assert proposal.plan is not None
        host = socket.gethostname()
        if not self._end(proposal, [Status.PROPOSED], Status.EXECUTING, "", child=host):
            return
        path = self._planner.folder / f"{proposal.plan[2:18]}.json"
        if why := _changed(path, proposal.plan):
            self._end(proposal, [Status.EXECUTING], Status.FAILED, why, child=None)
            return
        command = self._planner.line("execute", str(path), "--execute", "--yes")
        try:
            child = Child.start(command, self._files(proposal), self._planner.environ)
        except OSError as error:
            cause = f"it could not be started: {error.strerror}"
            self._end(proposal, [Status.EXECUTING], Status.FAILED, cause, child=None)
            return
        self._children[proposal.id] = child

    def _files(self, proposal: Proposal) -> Files:
        return Files.of(self._planner.folder, f"run-{proposal.id}")

    def _settle_all(self) -> None:
        """Record the end of every child that is over, and of what earlier services left."""
        with self._store.reading() as db:
            under_way = rows.current(db)
        for proposal in under_way:
            if proposal.status is Status.EXECUTING:
                self._settle(proposal)
            elif proposal.status is Status.UNKNOWN:
                self._look_again(proposal)

    def _settle(self, proposal: Proposal) -> None:
        files = self._files(proposal)
        if self._runs(proposal, files):
            return
        child = self._children.get(proposal.id)
        with self._store.reading() as db:
            recorded = outcome.recorded(db, proposal.plan or "")
        out, err = files.read()
        code = None if child is None else child.code
        ended = outcome.of_child(code, out, self._config.scrub(err), recorded, _count(proposal))
        values: dict[str, object] = {"ended": ended.document, "child": None}
        if ended.status is Status.REFUSED or ended.document:
            values["verdicts"] = list(verdicts(code, out, ended.cause))
        self._end(proposal, [Status.EXECUTING], ended.status, ended.cause, **values)
        self._children.pop(proposal.id, None)
        files.remove()

    def _runs(self, proposal: Proposal, files: Files) -> bool:
        """Tell whether a child may still act; one that is far too late is ended."""
        now, over = self._clock(), proposal.expires_at or 0
        if proposal.child != socket.gethostname():
            # Another machine's: past its end it signs nothing, and then its lease tells.
            return now <= over + LATE_S or self._leased(proposal, now)
        child = self._children.get(proposal.id)
        runs = child.code is None if child is not None else files.running()
        if runs and now > over + LATE_S:
            files.end(5)
        return runs

    def _leased(self, proposal: Proposal, now: float) -> bool:
        """Tell whether some process has the right to act for the wallet."""
        plan = (proposal.document or {}).get("plan")
        if not plan:
            return False
        with self._store.reading() as db:
            return outcome.held_until(db, int(plan["chain_id"]), plan["wallet"]) > now

    def _look_again(self, proposal: Proposal) -> None:
        """Tell how a plan ended whose outcome was unknown, once the journal knows."""
        with self._store.reading() as db:
            recorded = outcome.recorded(db, proposal.plan or "")
        found = outcome.by_journal(recorded, _count(proposal))
        if recorded and found.status is not Status.UNKNOWN:
            self._end(proposal, [Status.UNKNOWN], found.status, found.cause)

    def _forget(self) -> None:
        """Remove files of plans that are long over."""
        with contextlib.suppress(OSError):
            for path in self._planner.folder.iterdir():
                if path.stat().st_mtime < time.time() - KEPT_S:
                    path.unlink()


def _changed(path: Path, plan: str) -> str:
    """Say so where a file holds another plan than was proposed; of none the child tells."""
    if not HASH.fullmatch(plan):
        return "what was proposed has no plan's hash"
    try:
        with path.open("rb") as file:
            found = load(file.read(MAX_BYTES + 1))
    except OSError:
        return ""
    except PlanUnreadable as error:
        return f"the plan's file {error}"
    return "" if found.hash == plan else "the plan's file holds another plan than was proposed"


def _count(proposal: Proposal) -> int:
    plan = (proposal.document or {}).get("plan")
    return len(plan["steps"]) if plan else 0
