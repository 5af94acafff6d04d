"""What came of planning, as a document."""

from datetime import UTC, datetime

from executor.plan.codec import to_data
from executor.plan.types import Blocked, Infeasible, Nothing, Plan
from underkeel.documents.plan import PlanDocument
from underkeel.plans.make import Made


def plan_document(made: Made, now: float) -> PlanDocument:
    """Return the document; a plan's own part is the canonical form that its hash is over."""
    planned = made.planned
    plan = planned if isinstance(planned, Plan) else None
    match planned:
        case Plan():
            status, reason = "planned", planned.why
        case Nothing(reason=reason):
            status = "nothing"
        case Infeasible(reason=reason):
            status = "infeasible"
        case Blocked():
            status, reason = "blocked", "something is not known"
    return PlanDocument.model_validate(
        {
            "schema": "underkeel.plan/1",
            "name": planned.name,
            "chain": made.chain,
            "status": status,
            "reason": reason,
            "generated_at": datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "hash": None if plan is None else plan.hash,
            "plan": None if plan is None else to_data(plan),
            "lost": to_data(planned.lost) if isinstance(planned, Infeasible) else [],
            "unknown": list(planned.unknown) if isinstance(planned, Blocked) else [],
        }
    )
