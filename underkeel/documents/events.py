"""What happened, as a document."""

from typing import Any, Literal

from pydantic import Field

from underkeel.documents.paging import Paging
from underkeel.documents.part import Integer, Moment, Part


class Event(Part):
    """Something that happened."""

    id: Integer = Field(description="Grows; the id of the stream's event.")
    at: Moment
    kind: str
    severity: str | None
    chain: str | None
    wallet: str | None
    position: str | None
    alert: str | None
    text: str
    body: dict[str, Any] = Field(description="What else is known of it.")


class EventsDocument(Part):
    """`/api/v1/events`, the newest first."""

    schema_: Literal["underkeel.events/1"] = Field(alias="schema")
    generated_at: Moment
    events: list[Event]
    page: Paging
