"""Transactions of the executor's journal, in the order of their nonces, as a document."""

from typing import Literal

from pydantic import Field

from underkeel.documents.paging import Paging
from underkeel.documents.part import AddressText, Hash, Integer, Moment, Part


class TxAttempt(Part):
    """One signed payload; its bytes are never shown."""

    hash: Hash
    kind: Literal["effect", "noop"]
    max_fee: Integer = Field(description="Wei per gas.")
    max_tip: Integer
    gas: Integer
    channels: str = Field(description="Where it was sent.")
    reply: str
    signed_at: Moment
    first_block: Integer | None = Field(description="The head when it was first sent.")
    last_block: Integer | None


class TxReceipt(Part):
    """Where it was mined, as last recorded."""

    hash: Hash
    block_hash: Hash
    block_number: Integer
    success: bool
    cost_wei: Integer


class Tx(Part):
    """One transaction that was wanted."""

    id: str
    chain: str | None = Field(description="Null: a chain that is not in the config.")
    chain_id: Integer
    wallet: AddressText
    wallet_name: str | None
    state: str
    open: bool = Field(description="Not over yet.")
    nonce: Integer | None
    plan: str
    step: Integer
    reason: str
    recorded_at: Moment
    changed_at: Moment
    attempts: list[TxAttempt]
    receipt: TxReceipt | None
    reserved_wei: Integer | None
    reserved_usd: float | None


class TxLane(Part):
    """A wallet's nonces on one chain."""

    chain: str | None
    chain_id: Integer
    wallet: AddressText
    wallet_name: str | None
    final_nonce: Integer | None = Field(description="All below are finally spent.")
    final_block: Integer | None
    whole: bool = Field(description="Every payload that was ever sent is recorded.")
    gap: Integer = Field(description="Nonces above the final one that no transaction here has.")
    open: list[str] = Field(description="Ids of open transactions, by nonce; the unbound last.")


class TxsDocument(Part):
    """`/api/v1/txs`, the newest first."""

    schema_: Literal["underkeel.txs/1"] = Field(alias="schema")
    generated_at: Moment
    mode: Literal["dry-run", "live"]
    paused: str | None
    lanes: list[TxLane]
    transactions: list[Tx]
    page: Paging
