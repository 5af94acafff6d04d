"""Who may take tokens, as a document."""

from typing import Literal

from pydantic import Field

from underkeel.documents.paging import ChainNow, Paging
from underkeel.documents.part import AddressText, Integer, Moment, Part


class Approval(Part):
    """What one spender may take from one owner."""

    chain: str
    owner: AddressText
    owner_name: str | None
    position: str
    asset: AddressText
    symbol: str
    decimals: Integer | None
    spender: AddressText
    spender_label: str | None = Field(description="What is known of it, such as a market's name.")
    amount_raw: Integer
    unlimited: bool
    takes_raw: Integer | None = Field(description="What it could take now; null: not known.")
    takes_usd: float | None
    admin_kind: str | None = Field(description="Who can change the spender; null: not known.")
    delay_s: Integer | None = Field(description="How long such a change takes at least.")
    block_number: Integer
    timestamp: Integer


class ApprovalsDocument(Part):
    """`/api/v1/approvals`, the costliest first."""

    schema_: Literal["underkeel.approvals/1"] = Field(alias="schema")
    generated_at: Moment
    chains: list[ChainNow]
    approvals: list[Approval]
    unlimited: Integer
    takeable_usd: float | None = Field(description="All together; null: a part is not known.")
    studied_at: Moment | None = Field(description="When what could be taken was computed.")
    page: Paging
