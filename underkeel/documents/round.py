"""What one round of `run --once` saw: `underkeel.round/1`."""

from typing import Literal

from pydantic import Field

from underkeel.documents.build import integer, utc
from underkeel.documents.part import Hash, Integer, Part, Utc
from underkeel.portfolio import ChainReport


class RoundChain(Part):
    """One chain."""

    name: str
    chain_id: Integer
    status: Literal["ok", "down", "stale"]
    cause: str | None
    block_number: Integer | None
    block_hash: Hash | None
    positions: Integer
    unknown: Integer = Field(description="Markets and accounts that could not be read.")


class RoundDocument(Part):
    """`run --once --json`."""

    schema_: Literal["underkeel.round/1"] = Field(alias="schema")
    generated_at: Utc
    chains: list[RoundChain]
    alerts_firing: Integer
    messages_waiting: Integer = Field(description="Not delivered yet; the next run tries again.")
    cause: str | None = Field(description="Why nothing could be written; null: it was.")


def round_document(
    reports: tuple[ChainReport, ...], firing: int, waiting: int, cause: str, at: float
) -> RoundDocument:
    """Return the document of a round."""
    return RoundDocument(
        schema="underkeel.round/1",
        generated_at=utc(at),
        chains=[_chain(report) for report in reports],
        alerts_firing=str(firing),
        messages_waiting=str(waiting),
        cause=cause or None,
    )


def _chain(report: ChainReport) -> RoundChain:
    return RoundChain(
        name=report.name,
        chain_id=str(report.chain_id),
        status="ok" if report.fault is None else report.fault.value,
        cause=report.cause or None,
        block_number=integer(report.at.number if report.at else None),
        block_hash=report.at.hash if report.at else None,
        positions=str(len(report.positions)),
        unknown=str(len(report.unreadable)),
    )
