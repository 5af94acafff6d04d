"""Alerts, their notifications and silences, as documents."""

from typing import Literal

from pydantic import Field

from underkeel.documents.paging import Paging
from underkeel.documents.part import Integer, Moment, Part

AlertState = Literal["ok", "pending", "firing", "acked", "resolved", "unknown"]
Severity = Literal["info", "warning", "critical"]


class AlertDelivery(Part):
    """One message about an alert to one channel."""

    id: str
    channel: str
    state: str = Field(description="What it tells of: firing, resolved, repeat, escalated …")
    severity: str
    title: str
    status: Literal["waiting", "sending", "delivered", "failed"]
    attempts: Integer
    created_at: Moment
    delivered_at: Moment | None
    next_at: Moment | None = Field(description="The next attempt.")
    repeated: bool = Field(description="Perhaps sent twice: an outcome was never learned.")
    detail: str | None = Field(description="What the channel answered last.")


class Alert(Part):
    """One rule, for one thing that it watches."""

    id: str = Field(description="The same as long as rule and labels are.")
    rule: str
    title: str
    state: AlertState
    severity: Severity | None
    metric: str | None
    unit: str | None
    labels: dict[str, str]
    chain: str | None
    wallet: str | None
    position: str | None = Field(description="A position's id.")
    value: float | None = Field(description="The last; null: unknown.")
    text: str = Field(description="What is the matter, in words.")
    cause: str | None = Field(description="Why the value is unknown.")
    since: Moment = Field(description="In this state.")
    changed_at: Moment = Field(description="Judged last with another result.")
    block_number: Integer | None
    acked_by: str | None
    acked_at: Moment | None
    silenced_by: str | None = Field(description="The silence that mutes it.")
    inhibited_by: str | None = Field(description="The rule that mutes it.")
    deliveries: list[AlertDelivery] = Field(description="The newest first.")


class AlertCounts(Part):
    """How many alerts are in which state."""

    critical: Integer = Field(description="Firing, not acknowledged.")
    warning: Integer
    info: Integer
    acked: Integer
    pending: Integer
    unknown: Integer
    silenced: Integer


class AlertsDocument(Part):
    """`/api/v1/alerts`."""

    schema_: Literal["underkeel.alerts/1"] = Field(alias="schema")
    generated_at: Moment
    counts: AlertCounts = Field(description="Of all, whatever the filters.")
    alerts: list[Alert] = Field(description="The worst first.")
    page: Paging


class Silence(Part):
    """What keeps messages back for a time; the alerts themselves go on."""

    id: str
    match: dict[str, str] = Field(description="Labels, `rule`, `severity` or `alert`; `*` is any.")
    created_at: Moment
    until: Moment
    ended_at: Moment | None = Field(description="Lifted before its time.")
    by: str
    reason: str
    active: bool


class SilencesDocument(Part):
    """`/api/v1/silences`."""

    schema_: Literal["underkeel.silences/1"] = Field(alias="schema")
    generated_at: Moment
    silences: list[Silence]
