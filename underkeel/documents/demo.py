"""The document of the demo: what would happen unwatched, and what happened watched."""

from typing import Literal

from pydantic import Field

from underkeel.documents.models import Health, Liquidator, RiskDocument
from underkeel.documents.part import Hash, Integer, Part


class Change(Part):
    """How one position changed in the demo's crash."""

    id: str
    before: Health
    after: Health
    becomes_liquidatable: bool
    equity_before_usd: float | None
    equity_after_usd: float | None
    liquidator: Liquidator | None
    proof: str | None = Field(description="What a real liquidation did, in a snapshot.")


class DemoSaved(Part):
    """One position that a guard brought to safety in the demo."""

    id: str
    form: Literal["delegate", "module"]
    guard: str
    plan: str = Field(description="The plan's hash.")
    what: str
    transaction: str | None = Field(description="Its hash.")
    health_before: str | None
    health_after: str | None = Field(description="As the plan said before it was signed.")
    health_end: Health | None = Field(description="After the rest of the fall.")
    cost_usd: str | None


class DemoRescue(Part):
    """The fall once more, watched: alerts whose actions are carried out."""

    warning: str
    saved: list[DemoSaved]
    crash: str
    end: RiskDocument


class DemoEntry(Part):
    """One thing that happened while the service watched."""

    t: float = Field(description="Seconds since the demo began.")
    kind: str = Field(
        description="chain, price, alert, plan, transaction, receipt; others are the service's."
    )
    text: str
    block: Integer | None = Field(description="Where the fact is from, if it is from a block.")
    severity: str | None
    alert: str | None = Field(description="The alert's key, or its rule.")
    transaction: Hash | None


class DemoDocument(Part):
    """`underkeel demo --once --json`."""

    schema_: Literal["underkeel.demo/2"] = Field(alias="schema")
    node: Literal["anvil", "eth-tester"]
    shock: str
    before: RiskDocument
    after: RiskDocument
    changes: list[Change]
    rescue: DemoRescue | None = Field(description="None on the in-process EVM.")
    dashboard: str | None = Field(description="Where the pages were; none without a rescue.")
    receipts: int | None = Field(description="Signed webhooks that the demo's receiver took.")
    timeline: list[DemoEntry] = Field(description="In the order that it became known.")
