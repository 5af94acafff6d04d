"""Plans that wait for somebody, and what became of others, as a document."""

from typing import Literal

from pydantic import Field

from underkeel.documents.paging import Paging
from underkeel.documents.part import Integer, Moment, Part
from underkeel.documents.plan import PlanDocument


class Verdict(Part):
    """What the policy says to one step of a plan."""

    step: Integer | None = Field(description="Null: the whole plan.")
    rule: str
    ok: bool
    text: str


class Proposal(Part):
    """A plan that an alert asked for."""

    id: Integer
    hash: str | None = Field(description="The plan's; null: there was none to make.")
    at: Moment
    changed_at: Moment
    mode: str = Field(description="`propose` or `execute`: what the rule asked for.")
    status: Literal[
        "proposed", "executing", "done", "refused", "expired", "failed", "unknown", "withdrawn"
    ] = Field(description="`unknown`: it may have taken effect; never tried again by itself.")
    plan: str = Field(description="Its name.")
    chain: str | None
    wallet: str | None
    alert: str | None
    position: str | None
    command: str = Field(description="What carries it out, for a terminal.")
    expires_at: Moment | None
    text: str = Field(description="What became of it.")
    verdicts: list[Verdict]
    document: PlanDocument | None = Field(description="Null: there was none to make.")


class ProposalsDocument(Part):
    """`/api/v1/plans`, the newest first."""

    schema_: Literal["underkeel.proposals/1"] = Field(alias="schema")
    generated_at: Moment
    paused: str | None
    proposals: list[Proposal]
    page: Paging
