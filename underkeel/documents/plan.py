"""The document of a plan; the part `plan` is what its hash is over."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import AddressText, Hash, Integer, Part, Utc

Hex = str


class PlanBlock(Part):
    """The block that everything was read at."""

    chain_id: Integer
    number: Integer
    hash: Hash
    parent_hash: Hash
    timestamp: Integer


class PlanTrigger(Part):
    """Why something is to be done."""

    metric: str
    subject: str = Field(description="A position's id.")
    threshold: Integer = Field(description="In the metric's own integers.")
    observed: Integer
    block: Integer


class PlanCondition(Part):
    """What must hold afterwards."""

    name: str = Field(description="`health_factor`, `position_gone`, or side and asset of a leg.")
    subject: str
    at_least: Integer | None
    at_most: Integer | None


class PlanCall(Part):
    """What a transaction does."""

    to: AddressText
    value: Integer = Field(description="Wei.")
    data: Hex = Field(description="Call data, 0x and hex.")


class PlanStep(Part):
    """One transaction."""

    id: Hash = Field(description="Of the intent that carries it out.")
    what: str
    sender: AddressText
    call: PlanCall
    gas_used: Integer = Field(description="By simulation.")
    gas_limit: Integer
    guard: AddressText | None = Field(description="The guard contract that it goes through.")
    until: str = Field(description="How far it must be before the next one: `mined` or `done`.")
    deadline: Integer | None = Field(description="In the call itself.")
    zero: bool = Field(description="An answer other than zero means that nothing was done.")


class PlanLeg(Part):
    """One amount of a position."""

    asset: AddressText
    symbol: str
    decimals: Integer | None
    side: str
    name: str
    amount: Integer


class PlanPosition(Part):
    """What one position is."""

    id: str
    protocol: str
    market: str
    kind: str
    legs: list[PlanLeg]
    health_raw: Integer | None
    health_scale: Integer
    equity_usd: str | None = Field(description="Dollars as text, to the cent.")
    unknown: list[str]
    allowances: Integer = Field(description="How many others may take something.")


class PlanSwap(Part):
    """What a swap loses against the oracle."""

    token_in: str
    token_out: str
    amount_in: Integer
    amount_out: Integer
    cost_bps: Integer | None = Field(description="Below zero: the market pays more.")
    cost_usd: str | None
    route: str


class PlanCost(Part):
    """What all steps cost."""

    gas_used: Integer
    gas_price: Integer = Field(description="Wei per gas.")
    l1_fee_wei: Integer = Field(description="For data, where a chain charges it apart.")
    fee_wei: Integer
    fee_usd: str | None
    swaps: list[PlanSwap]
    loan_fee: Integer = Field(description="In base units of what is lent.")
    total_usd: str | None = Field(description="Null: a part is not known in dollars.")


class PlanLost(Part):
    """An action that was not chosen."""

    action: str
    reason: str
    cost_usd: str | None


class PlanPart(Part):
    """The plan itself."""

    name: str
    action: str
    chain_id: Integer
    block: PlanBlock
    time: Integer = Field(description="Of the simulated block; amounts are exact then.")
    expires_at: Integer
    account: AddressText
    wallet: AddressText = Field(description="Who signs, sends and pays.")
    what: str
    why: str
    trigger: PlanTrigger | None
    conditions: list[PlanCondition]
    steps: list[PlanStep]
    before: list[PlanPosition]
    after: list[PlanPosition] = Field(description="By simulation of all steps.")
    cost: PlanCost
    simulated_by: str = Field(description="`eth_simulateV1` or `eth_call`.")
    lost: list[PlanLost]
    notes: list[str]
    value_wei: Integer | None = Field(description="The expected loss that it avoids.")
    other_cost_wei: Integer = Field(description="Besides gas, where `value_wei` is known.")


class PlanDocument(Part):
    """`underkeel plan NAME --json`, and the file of `--out`."""

    schema_: Literal["underkeel.plan/1"] = Field(alias="schema")
    name: str
    chain: str | None = Field(description="What the config calls it.")
    status: Literal["planned", "nothing", "infeasible", "blocked"]
    reason: str = Field(description="Why there is a plan, or none.")
    generated_at: Utc
    hash: Hash | None = Field(description="SHA-256 over the plan in its canonical form.")
    plan: PlanPart | None
    lost: list[PlanLost] = Field(description="Why nothing works, where nothing does.")
    unknown: list[str] = Field(description="What is not known, where that blocks a plan.")
