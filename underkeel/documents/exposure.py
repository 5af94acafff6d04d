"""The document `underkeel.exposure/1`: what positions stand on, and what that may cost."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import AddressText, Hash, Integer, Part, Utc


class ExposureChain(Part):
    """One chain at the block that was read."""

    name: str
    chain_id: Integer
    block_number: Integer
    block_hash: Hash
    timestamp: Integer


class ExposureFactor(Part):
    """One multiplier of a hazard, and what it rests on."""

    name: str
    value: str = Field(description="As found; `unknown` counts against the node.")
    multiplier: float
    evidence: str


class ExposureWay(Part):
    """One way to change a contract."""

    verb: Literal["upgrade", "own", "execute", "mint", "pause", "set-oracle", "configure", "fee"]
    kind: str = Field(description="Who stands at its end.")
    end: str = Field(description="The address, or `unknown:` and the contract.")
    delay_s: Integer | None = Field(description="Null: a circle, of which nobody is known.")
    steps: list[str] = Field(description="From the contract to the end.")


class ExposureNode(Part):
    """One thing that can fail."""

    chain: str
    id: str
    kind: str
    label: str | None = Field(description="What its token, feed or market calls itself.")
    address: AddressText | None
    codehash: Hash | None
    answers_as: str | None = Field(
        description="What is at the address: `eoa`, `contract`, `safe`, …; null: not followed."
    )
    proxies: list[str] = Field(description="How it borrows its code.")
    admin_kind: str | None = Field(
        description="The most dangerous who can change it; null: it is no contract."
    )
    delay_s: Integer | None = Field(
        description="The shortest of all ways to a change; of an admin, to any harm it can do."
    )
    ways: list[ExposureWay]
    hazard_annual: float = Field(description="λ = λ0·Πm, failures a year.")
    pd_annual: float = Field(description="1 − exp(−λ·horizon).")
    base: float = Field(description="λ0.")
    factors: list[ExposureFactor]
    unknown: list[str] = Field(description="What could not be read of it.")


class ExposureEdge(Part):
    """One thing stands on another."""

    chain: str
    source: str
    target: str
    kind: str
    lgd: float = Field(description="The part that is lost when the target fails.")
    evidence: str


class ExposureExit(Part):
    """What of a position can leave now."""

    asset: AddressText
    claim_raw: Integer
    available_raw: Integer | None
    utilisation_frac: float | None
    exit_days: float | None = Field(
        description="At the stated prior of repayment; null: not known."
    )
    evidence: str


class ExposedPosition(Part):
    """One position, and what it is expected to lose."""

    id: str
    chain: str
    protocol: str
    ead_usd: float | None = Field(description="What could be lost: equity, at least 0.")
    el_usd: float | None
    failure_frac: float = Field(description="Expected part lost within the horizon.")
    admin_kind: str = Field(description="The most dangerous who can change anything under it.")
    delay_s: Integer | None = Field(
        description="The shortest way to a change of anything under it; null: none is known."
    )
    exits: list[ExposureExit]
    unknown: list[str]


class ExposureWorst(Part):
    """The failure of one node, or of one code wherever it stands."""

    node: str = Field(description="`chain/id`, `code:` and the hash, or `key:` and the address.")
    nodes: list[str]
    loss_usd: float = Field(description="Of the positions that have a price.")
    pd_annual: float
    positions: list[str]
    unknown: list[str] = Field(description="Positions without a price that stand on it too.")


class ExposureAllowance(Part):
    """What a spender could take now."""

    chain: str
    position: str
    asset: AddressText
    symbol: str
    spender: AddressText
    allowance_raw: Integer
    takes_raw: Integer | None = Field(description="min(balance, allowance); null: not known.")
    takes_usd: float | None


class ExposureCover(Part):
    """What an insurance is expected to pay."""

    name: str
    payout_usd: float
    wrong_way: bool = Field(description="The insurer is among what it insures: it pays nothing.")


class ExposureHhi(Part):
    """Herfindahl indexes of what hangs on each: 1 is all on one; null: on none."""

    protocol: float | None
    codehash: float | None
    oracle: float | None
    admin: float | None
    bridge: float | None
    chain: float | None


class ExposureChange(Part):
    """One thing that is not as it was."""

    subject: str
    what: str
    before: str
    after: str
    evidence: str


class ExposureEffect(Part):
    """A position's health, then and now."""

    position: str
    health_scale: Integer
    then_raw: Integer | None
    now_raw: Integer | None
    under_old_rules_raw: Integer | None = Field(
        description="Present amounts and prices, earlier rules; null: that cannot be told."
    )
    cause: str


class ExposureDiff(Part):
    """What changed between two blocks."""

    chain: str
    then_block: Integer
    now_block: Integer
    changes: list[ExposureChange]
    effects: list[ExposureEffect]


class ExposureDocument(Part):
    """What positions stand on, who can change it and how fast, and what that may cost."""

    schema_: Literal["underkeel.exposure/1"] = Field(alias="schema")
    generated_at: Utc
    horizon_years: float
    chains: list[ExposureChain]
    accounts: list[AddressText]
    positions: list[ExposedPosition]
    nodes: list[ExposureNode]
    edges: list[ExposureEdge]
    el_usd: float | None = Field(
        description="Expected loss within the horizon; null where a position has no price."
    )
    el_known_usd: float = Field(description="Of the positions that have one: a lower bound.")
    net_el_usd: float | None = Field(description="Less what insurances are expected to pay.")
    worst: list[ExposureWorst] = Field(description="The costliest first.")
    hhi: ExposureHhi
    allowances: list[ExposureAllowance]
    takeable_usd: float | None = Field(description="What all spenders together could take.")
    cover: list[ExposureCover]
    unknown: list[str]
    diff: list[ExposureDiff] | None = Field(default=None, description="With `--diff`.")
