"""What `execute` and `tx` print as JSON."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import AddressText, Hash, Integer, Part, Utc


class RefusalPart(Part):
    """One reason of the policy."""

    rule: str
    what: str
    todo: str


class StepPart(Part):
    """One transaction, exactly as it would be signed now."""

    id: Hash = Field(description="Of the intent: the same whenever this plan is carried out.")
    what: str
    kind: Integer = Field(description="0 legacy, 2 fee market, 4 set code.")
    nonce: Integer
    to: AddressText
    value: Integer = Field(description="Wei.")
    data: str
    gas: Integer
    max_fee: Integer = Field(description="Wei per gas.")
    max_tip: Integer
    signing_hash: Hash = Field(description="What the key would sign.")
    usd: str | None = Field(description="What it counts for; null where that is not known.")
    refusals: list[RefusalPart]


class EndedPart(Part):
    """How one transaction ended."""

    id: Hash
    end: str = Field(
        description="done, mined, reverted, refused, cancelled, waiting, or unknown: it may still "
        "take effect."
    )
    state: str
    hash: Hash | None
    reason: str


class ExecuteDocument(Part):
    """`underkeel execute PLAN --json`."""

    schema_: Literal["underkeel.execute/1"] = Field(alias="schema")
    generated_at: Utc
    mode: Literal["dry-run", "live"]
    plan: Hash
    name: str
    chain: str
    chain_id: Integer
    wallet: AddressText
    account: AddressText
    signer: str | None
    expires_at: Integer
    simulation: str | None = Field(description="Why the plan does not hold now; null if it does.")
    total_usd: str | None
    steps: list[StepPart]
    ended: list[EndedPart] | None = Field(default=None, description="Present after a live run.")


class ProposalDocument(Part):
    """`underkeel execute PLAN --json` for a Safe."""

    schema_: Literal["underkeel.proposal/1"] = Field(alias="schema")
    generated_at: Utc
    plan: Hash
    chain: str
    chain_id: Integer
    safe: AddressText
    hash: Hash = Field(description="What owners sign: the Safe's own getTransactionHash.")
    proposal: dict[str, str | int | None] | None = Field(
        description="The body that Safe's transaction service takes; null until an owner signs."
    )


class TxPart(Part):
    """One transaction of the journal."""

    id: Hash
    chain: str
    wallet: str
    state: str
    nonce: Integer | None
    what: str
    hash: Hash | None
    attempts: Integer
    max_fee: Integer | None
    deadline: Integer
    reason: str


class TxDocument(Part):
    """`underkeel tx list --json`."""

    schema_: Literal["underkeel.tx/1"] = Field(alias="schema")
    generated_at: Utc
    paused: str | None
    transactions: list[TxPart]


class WishDocument(Part):
    """`underkeel tx speedup|cancel --json`."""

    schema_: Literal["underkeel.wish/1"] = Field(alias="schema")
    id: Hash
    wish: str
    state: str
