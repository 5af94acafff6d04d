"""Parts that every document of the web API may hold."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import Hash, Integer, Moment, Part


class Paging(Part):
    """Which piece of a list this is."""

    total: Integer | None = Field(description="Of what the filters let through; null: not counted.")
    limit: Integer
    offset: Integer
    next: str | None = Field(description="The query of the next piece; null: there is none.")


class ChainNow(Part):
    """What is known of a chain, and how old that is."""

    name: str
    chain_id: Integer
    status: Literal["ok", "down", "stale"] = Field(description="Never `ok` on old data.")
    cause: str | None
    block_number: Integer | None = Field(description="The last one that was read whole.")
    block_hash: Hash | None
    timestamp: Integer | None = Field(description="Of that block, seconds since 1970.")
    age_s: Integer | None = Field(description="Of that block, when this document was made.")
    stale_after_s: Integer | None = Field(description="An older block is stale; null: none is.")
    read_at: Moment | None = Field(description="When it was last tried.")
    success_at: Moment | None = Field(description="When it was last read whole.")
    requests: Integer | None = Field(description="HTTP requests of the last reading.")


class HealthCheck(Part):
    """One thing that `/readyz` asks."""

    name: str
    ok: bool
    text: str


class ActionDocument(Part):
    """What a POST did."""

    schema_: Literal["underkeel.action/1"] = Field(alias="schema")
    action: Literal["ack", "silence", "unsilence", "pause"]
    text: str
    id: str | None = Field(description="Of the alert or the silence.")


class CsrfDocument(Part):
    """`/api/v1/csrf`."""

    schema_: Literal["underkeel.csrf/1"] = Field(alias="schema")
    token: str = Field(description="Of this session; for the header X-CSRF-Token.")


class HealthDocument(Part):
    """`/healthz` and `/readyz`."""

    schema_: Literal["underkeel.health/1"] = Field(alias="schema")
    ok: bool
    checks: list[HealthCheck] | None = Field(
        default=None, description="Present of `/readyz` for who may see everything."
    )


class ServingDocument(Part):
    """`underkeel dash --json`, once it answers."""

    schema_: Literal["underkeel.serving/1"] = Field(alias="schema")
    url: str
    port: Integer


class ProblemDocument(Part):
    """Why a request failed, after RFC 9457; `application/problem+json`."""

    schema_: Literal["underkeel.problem/1"] = Field(alias="schema")
    type: str
    title: str
    status: int
    detail: str = Field(description="What to do about it.")
