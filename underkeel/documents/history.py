"""What was measured over time, as a document."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import Integer, Moment, Part


class Point(Part):
    """A value, or what a span of values came to."""

    at: Moment
    value: float | None = Field(description="The last of the span; null: unknown.")
    low: float | None
    high: float | None
    count: Integer = Field(description="Samples in the span; 1: a single one.")
    unknown: Integer = Field(description="Samples of the span that were unknown.")
    cause: str | None = Field(description="Why the value is unknown.")
    block_number: Integer | None


class Series(Part):
    """One metric of one thing."""

    id: Integer
    metric: str
    unit: str
    labels: dict[str, str]
    points: list[Point] = Field(description="The oldest first.")
    cut: bool = Field(description="There were more points: the newest are here.")


class Measured(Part):
    """A metric there is."""

    metric: str
    unit: str
    series: Integer


class HistoryDocument(Part):
    """`/api/v1/history`."""

    schema_: Literal["underkeel.history/1"] = Field(alias="schema")
    generated_at: Moment
    resolution: Literal["raw", "hourly", "daily"]
    since: Moment
    until: Moment
    metrics: list[Measured] = Field(description="Everything there is to ask for.")
    series: list[Series]
    cut: bool = Field(description="More series matched than are here.")
