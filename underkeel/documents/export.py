"""What `underkeel export` writes as JSON."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import Integer, Part


class ExportDocument(Part):
    """`underkeel export … --format json`; with `--json` and another format, all but the rows."""

    schema_: Literal["underkeel.export/1"] = Field(alias="schema")
    kind: Literal["positions", "events", "transactions"]
    generated_at: str = Field(description="ISO-8601, UTC.")
    mode: str
    timezone: str = Field(description="Of every column that does not end in _utc.")
    from_: str = Field(alias="from", description="Inclusive, UTC.")
    to: str = Field(description="Exclusive, UTC.")
    columns: list[str] = Field(description="docs/export.md says what each holds.")
    data: list[dict[str, str | float | bool | None]] | None = Field(
        default=None, description="A row per leg of a position, per event, per transaction."
    )
    rows: Integer
    format: Literal["csv", "parquet", "json"] | None = Field(
        default=None, description="Of the file."
    )
    file: str | None = Field(default=None, description="What was written.")
