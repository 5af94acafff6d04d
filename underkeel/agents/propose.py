"""`propose_plan`: make a plan, simulate it, ask the policy, keep it for a person. Never more.

Nothing here signs, sends, executes or resumes, and no tool does: a plan is carried out by whoever
types the command that it comes with.
"""

import threading
from typing import Annotated, Any, Final

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field
from sqlalchemy import func, select

from underkeel.agents.tools import Text
from underkeel.agents.words import answer, clean
from underkeel.config.problems import did_you_mean
from underkeel.errors import AppError, UsageError
from underkeel.plans.wanted import Asked, wanted
from underkeel.steer import rows
from underkeel.steer.propose import Planner, Proposed
from underkeel.steer.record import Recorder
from underkeel.steer.types import Proposal, Status
from underkeel.store.tables import proposals
from underkeel.web.data import Data

RULE: Final = "agent"
"""What the store says asked for such a plan; the page shows it."""
HOUR_S: Final = 3_600
Why = Annotated[
    str, Field(min_length=3, max_length=300, description="For the person who reads it.")
]
Name = Annotated[Text | None, Field(description="A wallet's name in the config.")]


class Proposer:
    """Makes plans for a model, one at a time and a few an hour."""

    def __init__(self, data: Data, planner: Planner, per_hour: int) -> None:
        self._data = data
        self._planner = planner
        self._per_hour = per_hour
        self._busy = threading.Lock()
        self._record = Recorder(_nobody, data.config.settings.timezone)

    def propose_plan(
        self,
        plan: Annotated[Text, Field(description="A [[plan]] of the config, or a kind of plan.")],
        why: Why,
        wallet: Annotated[Name, Field(description="Who would sign and pay.")] = None,
        account: Annotated[
            Name, Field(description="Whose position; the wallet's own if none.")
        ] = None,
        position: Annotated[Text | None, Field(description="A position's id.")] = None,
        target_health: Annotated[
            float | None, Field(ge=1, le=1_000, description="The health to reach, such as 1.8.")
        ] = None,
    ) -> str:
        """Make a plan, simulate it on the newest block, and store it for a person to decide on.

        It changes nothing on chain. The answer says what it would do, what the policy says, and
        the command that a person may type to carry it out.
        """
        if not self._busy.acquire(blocking=False):
            raise ToolError("another plan is being made: wait until it is done")
        try:
            self._check_rate()
            for name in (wallet, account):
                self._check_name(name)
            target = None if target_health is None else f"{target_health:g}"
            asked = wanted(self._data.config, plan, Asked(wallet, account, position, target))
            found = self._planner.propose(asked)
            stored = self._store(found, plan, why, wallet, account, position)
        except (AppError, ValueError) as error:
            raise ToolError(clean(self._data.config.scrub(str(error)))) from None
        finally:
            self._busy.release()
        return self._data.config.scrub(answer(_said(stored)))

    def _check_rate(self) -> None:
        since = self._data.clock() - HOUR_S
        query = select(func.count()).where(proposals.c.rule == RULE, proposals.c.at > since)
        with self._data.store.reading() as db:
            made = int(db.execute(query).scalar_one())
        if made >= self._per_hour:
            raise UsageError(f"{made} plans were proposed in the last hour: no more for now")

    def _check_name(self, name: str | None) -> None:
        """Names of the config only: no address that a stranger may have put into a text."""
        known = self._data.config.settings.wallets
        if name is not None and name not in known:
            raise UsageError(f"{name!r} is no wallet of the config; {did_you_mean(name, known)}")

    def _store(
        self,
        found: Proposed,
        name: str,
        why: str,
        wallet: str | None,
        account: str | None,
        position: str | None,
    ) -> Proposal:
        plan = found.plan
        with self._data.store.writing() as db:
            row = rows.put(
                db,
                at=self._data.clock(),
                expires_at=None if plan is None else float(plan.expires_at),
                plan=None if plan is None else plan.hash,
                name=name,
                alert="",
                rule=RULE,
                chain=found.made.chain if found.made else None,
                wallet=wallet or account or "",
                account=account or wallet or "",
                position=position,
                mode="propose",
                status=Status.FAILED if found.cause else Status.PROPOSED,
                cause=found.cause or f"a model asked for it: {clean(why)}",
                document=found.document,
                verdicts=list(found.verdicts) or None,
                command="" if found.path is None else self._planner.command(found.path),
            )
            self._record.made(db, row, "info", loud=False)
        return row


def _said(row: Proposal) -> dict[str, Any]:
    return {
        "proposal": row.id,
        "status": row.status.value,
        "text": row.cause,
        "executed": False,
        "hash": row.plan,
        "expires_at": row.expires_at,
        "verdicts": list(row.verdicts),
        "allowed_by_policy": row.allowed if row.verdicts else None,
        "plan": row.document,
        "command_for_a_person": row.command,
    }


def _nobody(*_: object) -> None:
    """Tell no channel: a model must not be able to ring anybody's telephone. The page shows it."""
