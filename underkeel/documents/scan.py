"""The document of a scan."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import AddressText, Hash, Integer, Part, Utc


class ScanCounts(Part):
    """How many accounts of a market are what, before any filter."""

    accounts: Integer
    borrowers: Integer = Field(description="Who owes something, as far as known.")
    liquidatable: Integer = Field(description="The exact set's size.")
    unknown: Integer
    settled: Integer = Field(description="How many floats could not decide and integers did.")
    collateral_usd: float | None = Field(description="Of the known; null: not in dollars.")
    debt_usd: float | None


class ScanRow(Part):
    """One account of a market."""

    account: AddressText
    status: Literal["safe", "liquidatable", "not_liquidatable", "unknown"]
    health: float | None = Field(description="Below 1 if and only if liquidatable; null: no debt.")
    distance_frac: float | None = Field(description="Move of the nearest factor alone; 0: now.")
    factor: str | None
    collateral_usd: float | None = Field(description="What counts as collateral.")
    debt_usd: float | None
    cause: str | None = Field(description="Why the status is unknown, or what else is.")


class ScanPoint(Part):
    """A market with prices moved."""

    move_frac: float
    liquidatable: Integer
    collateral_usd: float | None = Field(description="Of the liquidatable, at the moved prices.")
    debt_usd: float | None
    shortfall_usd: float | None = Field(description="Debt that no collateral stands for any more.")


class ScanCurve(Part):
    """What could be liquidated as prices move together."""

    name: str
    factors: list[str]
    unknown: Integer = Field(description="Accounts that no point can judge.")
    points: list[ScanPoint]


class ScanByFunction(Part):
    """A contract whose balances were read by its functions."""

    contract: AddressText
    cause: str = Field(description="Why its storage was not believed.")


class ScanStorage(Part):
    """How the balances were read."""

    by_storage: Integer = Field(description="Contracts whose storage was proven and read.")
    by_function: list[ScanByFunction]


class ScanDocument(Part):
    """`underkeel scan MARKET --json`."""

    schema_: Literal["underkeel.scan/1"] = Field(alias="schema")
    generated_at: Utc
    engine_version: str
    chain: str
    chain_id: Integer
    block_number: Integer
    block_hash: Hash
    timestamp: Integer
    protocol: str
    market: str
    root: AddressText
    counts: ScanCounts
    rows: list[ScanRow] = Field(description="Unknown first, then the worst; filters applied.")
    curve: ScanCurve | None = Field(default=None, description="Present with --curve.")
    storage: ScanStorage | None = Field(default=None, description="Present with --storage.")
