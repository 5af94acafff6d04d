"""Make a plan for an alert, keep its file, and ask the policy about it: nothing is signed.

The policy needs the executor's rooms, which this process keeps out of: the dry run is the command
`underkeel execute PLAN`, in a process of its own.
"""

import json
import os
import shlex
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chain.client import connect
from executor.plan.types import Blocked, Infeasible, Nothing, Plan
from underkeel.cache import write_whole
from underkeel.config.load import Config
from underkeel.errors import AppError, Exit
from underkeel.plans.document import plan_document
from underkeel.plans.make import Made, make
from underkeel.plans.wanted import Asked, Wanted, wanted
from underkeel.portfolio import Open
from underkeel.state import state_folder
from underkeel.steer.child import Child, Files
from underkeel.steer.outcome import last_words
from underkeel.steer.types import Firing, Status

DRY_RUN_S: Final = 120
STEP_S: Final = 0.5
FOLDER: Final = "plans"

Verdict = Mapping[str, Any]
"""`step` (text, from 0; null for the whole plan), `rule`, `ok` and `text`."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """What came of planning."""

    made: Made | None
    cause: str
    """Why there is no plan; empty where there is one."""
    document: Mapping[str, Any] | None = None
    path: Path | None = None
    verdicts: tuple[Verdict, ...] = ()
    nothing: bool = False
    """Things are well by themselves: that is no failure."""

    @property
    def status(self) -> Status:
        """What a proposal begins as."""
        if not self.cause:
            return Status.PROPOSED
        return Status.WITHDRAWN if self.nothing else Status.FAILED

    @property
    def plan(self) -> Plan | None:
        """The plan, if there is one."""
        planned = self.made.planned if self.made is not None else None
        return planned if isinstance(planned, Plan) else None


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans for one config."""

    config: Config
    opener: Open = connect
    cache: Path | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set: a dry run that is under way is ended."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment of child processes."""
    program: Sequence[str] = (sys.executable, "-m", "underkeel")

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of child processes."""
        return {**os.environ, **self.extra}

    @property
    def folder(self) -> Path:
        """Where files of plans are, and what children write."""
        return state_folder(self.environ) / FOLDER

    def wanted(self, firing: Firing) -> Wanted:
        """Return what an alert's action asks for; raises `UsageError`."""
        return wish(self.config, firing.action.plan, firing.labels, firing.action.restore_to)

    def propose(self, asked: Wanted, *, ask: bool = True) -> Proposed:
        """Make the plan, simulate it, write its file; with `ask`, ask the policy about it."""
        try:
            made = make(self.config, asked, opener=self.opener, cache=self.cache)
        except AppError as error:
            return Proposed(None, self.config.scrub(str(error)))
        match made.planned:
            case Nothing(reason=reason):
                return Proposed(made, f"nothing to do: {reason}", nothing=True)
            case Blocked(unknown=unknown):
                return Proposed(made, f"nothing is planned on what is unknown: {unknown[0]}")
            case Infeasible() as found:
                return Proposed(made, _infeasible(found))
            case Plan() as plan:
                document = plan_document(made, time.time()).model_dump(mode="json", by_alias=True)
                path = self.folder / f"{plan.hash[2:18]}.json"
                if not write_whole(path, json.dumps(document, indent=2).encode()):
                    return Proposed(made, f"{path} could not be written; is there room?", document)
                return Proposed(made, "", document, path, self.dry_run(path) if ask else ())

    def line(self, *arguments: str) -> list[str]:
        """Return a command line of this very program, for a machine to read."""
        front = ("--config", str(self.config.path), "--json", "--no-input")
        return [*self.program, *front, *arguments]

    def command(self, path: Path) -> str:
        """Return what a person types to carry a plan out."""
        config = shlex.quote(str(self.config.path))
        return f"underkeel execute {shlex.quote(str(path))} --execute --config {config}"

    def dry_run(self, path: Path) -> tuple[Verdict, ...]:
        """Return what the policy says to every step, as `execute` does without `--execute`."""
        files = Files.of(self.folder, f"{path.stem}.dry")
        command = self.line("execute", str(path))
        try:
            child = Child.start(command, files, self.environ)
        except OSError as error:
            return (_unknown(f"the dry run could not be started: {error.strerror}"),)
        stop = time.monotonic() + DRY_RUN_S
        while not child.wait(STEP_S):
            if self.stopping.is_set() or time.monotonic() > stop:
                files.end(STEP_S)
                child.wait(STEP_S)
                files.remove()
                return (_unknown("the dry run did not come to its end"),)
        out, err = files.read()
        files.remove()
        return verdicts(child.code, out, self.config.scrub(last_words(err)))


def wish(config: Config, plan: str, labels: Mapping[str, str], restore_to: object = None) -> Wanted:
    """Return what is to be planned about what an alert is about; raises `UsageError`.

    A `[[plan]]` says itself whose position and who pays; what it leaves open, and all of a kind of
    plan, the alert's labels say.
    """
    row = next((row for row in config.settings.plan if row.name == plan), None)
    whose = None if row and (row.account or row.wallet) else labels.get("wallet")
    position = None if row and row.match.position else labels.get("position")
    return wanted(
        config,
        plan,
        Asked(
            account=whose,
            position=position,
            target_health=None if restore_to is None else str(restore_to),
        ),
    )


def verdicts(code: int | None, out: str, said: str) -> tuple[Verdict, ...]:
    """Return the verdicts from what a dry run printed."""
    try:
        document = json.loads(out)
    except ValueError:
        if code == Exit.POLICY:
            return ({"step": None, "rule": "policy", "ok": False, "text": said},)
        return (_unknown(said or f"the dry run ended with {code} and printed nothing"),)
    if document.get("schema") == "underkeel.proposal/1":
        text = "a Safe: its owners sign the proposal"
        return ({"step": None, "rule": "safe", "ok": True, "text": text},)
    found: list[Verdict] = []
    if document.get("simulation") is not None:
        found.append(
            {"step": None, "rule": "simulation", "ok": False, "text": document["simulation"]}
        )
    for number, step in enumerate(document.get("steps", ())):
        counts = "? dollars" if step["usd"] is None else f"{step['usd']} USD"
        found += [
            {
                "step": str(number),
                "rule": refusal["rule"],
                "ok": False,
                "text": f"{refusal['rule']}: {refusal['what']}; {refusal['todo']}",
            }
            for refusal in step["refusals"]
        ] or [{"step": str(number), "rule": "policy", "ok": True, "text": f"counts {counts}"}]
    if not found and code != Exit.OK:
        found.append(_unknown(said))
    return tuple(found)


def _unknown(text: str) -> Verdict:
    return {"step": None, "rule": "dry-run", "ok": False, "text": text}


def _infeasible(found: Infeasible) -> str:
    lost = "; ".join(f"not {one.action}: {one.reason}" for one in found.lost[:6])
    return f"{found.reason}{': ' if lost else ''}{lost}"


__all__ = ["Planner", "Proposed", "Verdict", "verdicts", "wish"]
