"""What `alert test` prints as JSON."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import Integer, Moment, Part


class ChannelTest(Part):
    """One test message and what became of it: the row in the database says the same."""

    channel: str
    place: str = Field(description="Where it leads, without what is secret.")
    id: str = Field(description="Of the message.")
    at: Moment
    outcome: Literal["delivered", "failed", "refused", "unknown"] = Field(
        description="Refused: trying again would not help. Unknown: it may have arrived."
    )
    code: Integer | None = Field(description="The HTTP status, where there was one.")
    cause: str | None
    took_s: float


class AlertTestDocument(Part):
    """`underkeel alert test --json`."""

    schema_: Literal["underkeel.alert-test/1"] = Field(alias="schema")
    generated_at: Moment
    tests: list[ChannelTest]
