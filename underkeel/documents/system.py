"""How the service itself is, as a document."""

from typing import Literal

from pydantic import Field

from underkeel.documents.paging import ChainNow, HealthCheck
from underkeel.documents.part import AddressText, Integer, Moment, Part


class SystemWallet(Part):
    """One wallet of the config."""

    name: str
    address: AddressText
    kind: str
    signer: str | None = Field(description="The kind of what signs for it; null: nothing does.")
    policy: bool


class SystemMonitor(Part):
    """Who watches."""

    running: bool = Field(description="Somebody holds the lock of the database.")
    holder: str | None
    until: Moment | None = Field(description="The lock runs out unless it is renewed.")
    cycle_at: Moment | None = Field(description="The last complete cycle of any chain.")


class SystemDocumentRow(Part):
    """One stored document."""

    kind: str
    chain: str
    at: Moment
    block_number: Integer | None
    version: Integer


class SystemStore(Part):
    """The database."""

    backend: Literal["sqlite", "postgresql"]
    schema_version: str | None
    size_bytes: Integer | None
    documents: list[SystemDocumentRow]


class SystemChannel(Part):
    """Where messages go."""

    name: str
    pending: Integer
    delivered: Integer
    failed: Integer = Field(description="Given up.")
    last_at: Moment | None
    last: str | None = Field(description="The outcome of the last attempt.")
    detail: str | None


class SystemDocument(Part):
    """`/api/v1/system`."""

    schema_: Literal["underkeel.system/1"] = Field(alias="schema")
    generated_at: Moment
    engine_version: str
    mode: Literal["dry-run", "live"]
    timezone: str
    paused: str | None = Field(description="Why nothing is signed; null: not paused.")
    ready: bool
    checks: list[HealthCheck]
    monitor: SystemMonitor
    chains: list[ChainNow]
    wallets: list[SystemWallet]
    store: SystemStore
    channels: list[SystemChannel]
