"""What `underkeel db` says."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import Integer, Moment, Part


class LockPart(Part):
    """Which service writes."""

    holder: str
    epoch: Integer
    taken_at: Moment
    renewed_at: Moment


class DatabaseDocument(Part):
    """`underkeel db … --json`."""

    schema_: Literal["underkeel.database/1"] = Field(alias="schema")
    action: Literal["status", "upgrade", "prune", "backup"]
    place: str = Field(description="Its file, or its server without secrets.")
    backend: Literal["sqlite", "postgresql"]
    version: str = Field(description="Of the tables.")
    version_before: str | None = Field(
        default=None, description="Of `upgrade`; null: there were none."
    )
    mode: str
    instance: str
    chains: dict[str, Integer] = Field(description="Chain ids by name, as stamped.")
    size_bytes: Integer
    rows: dict[str, Integer] = Field(description="By table.")
    lock: LockPart | None = Field(description="Null: no service has it.")
    removed_rows: Integer | None = Field(default=None, description="Of `prune`.")
    freed_bytes: Integer | None = Field(default=None, description="Of `prune`.")
    backup: str | None = Field(default=None, description="The file that `backup` wrote.")
    backup_bytes: Integer | None = Field(default=None, description="Of `backup`.")
