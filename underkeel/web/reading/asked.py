"""Plans that wait for somebody."""

from typing import Any, Final
from urllib.parse import urlencode

from pydantic import ValidationError
from sqlalchemy import Connection, Row, func, select

from underkeel.documents.paging import Paging
from underkeel.documents.plan import PlanDocument
from underkeel.documents.proposals import Proposal, ProposalsDocument, Verdict
from underkeel.store.tables import proposals
from underkeel.web.reading.common import moment, moment_or_none

WAITING: Final = "proposed"


def proposals_document(
    db: Connection,
    now: float,
    paused: str | None,
    *,
    status: str | None = None,
    alert: str | None = None,
    position: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> ProposalsDocument:
    """Return `underkeel.proposals/1`, the newest first."""
    equal = {"status": status, "alert": alert, "position": position}
    given = {name: value for name, value in equal.items() if value is not None}
    where = [proposals.c[name] == value for name, value in given.items()]
    total = db.execute(select(func.count()).select_from(proposals).where(*where)).scalar_one()
    query = select(proposals).where(*where).order_by(proposals.c.id.desc())
    rows = db.execute(query.limit(limit).offset(offset)).all()
    following = urlencode({**given, "limit": limit, "offset": offset + limit})
    return ProposalsDocument(
        schema="underkeel.proposals/1",
        generated_at=moment(now),
        paused=paused,
        proposals=[_proposal(row) for row in rows],
        page=Paging(
            total=str(total),
            limit=str(limit),
            offset=str(offset),
            next=following if offset + limit < total else None,
        ),
    )


def waiting(db: Connection) -> int:
    """Return how many plans wait."""
    query = select(func.count()).select_from(proposals).where(proposals.c.status == WAITING)
    return int(db.execute(query).scalar_one())


def _proposal(row: Row[Any]) -> Proposal:
    return Proposal.model_validate(
        {
            "id": str(row.id),
            "hash": row.plan,
            "at": moment(row.at),
            "changed_at": moment(row.changed_at),
            "mode": row.mode,
            "status": row.status,
            "plan": row.name,
            "chain": row.chain,
            "wallet": row.wallet or None,
            "alert": row.alert or None,
            "position": row.position,
            "command": row.command,
            "expires_at": moment_or_none(row.expires_at),
            "text": row.cause,
            "verdicts": [_verdict(one) for one in row.verdicts or ()],
            "document": _plan(row.document),
        }
    )


def _verdict(one: dict[str, Any]) -> Verdict:
    step = one.get("step")
    return Verdict(
        step=None if step is None else str(step),
        rule=str(one.get("rule", "")),
        ok=bool(one.get("ok")),
        text=str(one.get("text", "")),
    )


def _plan(found: Any) -> PlanDocument | None:
    """Return the plan's document; None where it was written by a version that is not understood."""
    try:
        return None if found is None else PlanDocument.model_validate(found)
    except ValidationError:
        return None
