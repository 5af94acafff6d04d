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
    stale_after_s: Integer = Field(description="An older block is stale.")
    read_at: Moment | None = Field(description="When it was last tried.")
    success_at: Moment | None = Field(description="When it was last read whole.")
    requests: Integer | None = Field(description="HTTP requests of the last reading.")


class ActionDocument(Part):
    """What a POST did."""

    schema_: Literal["underkeel.action/1"] = Field(alias="schema")
    action: Literal["ack", "silence", "unsilence", "pause"]
    done: bool = Field(description="False: it was so already.")
    text: str
    id: str | None = Field(description="Of the alert or the silence.")


class ProblemDocument(Part):
    """Why a request failed, after RFC 9457; `application/problem+json`."""

    schema_: Literal["underkeel.problem/1"] = Field(alias="schema")
    type: str
    title: str
    status: int
    detail: str = Field(description="What to do about it.")
