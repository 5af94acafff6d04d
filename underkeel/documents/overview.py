"""Everything at a glance, as a document."""

from typing import Literal

from pydantic import Field

from underkeel.documents.alerts import Alert, AlertCounts
from underkeel.documents.paging import ChainNow
from underkeel.documents.part import AddressText, Integer, Moment, Part
from underkeel.documents.system import SystemMonitor


class Nearest(Part):
    """A position with a debt, shortly."""

    id: str
    chain: str
    protocol: str
    market: str
    owner: AddressText
    owner_name: str | None
    status: Literal["safe", "liquidatable", "soft", "not_liquidatable", "unknown"]
    health_raw: Integer | None
    health_scale: Integer
    collateral_usd: float | None
    debt_usd: float | None = Field(description="Above zero.")
    distance_frac: float | None = Field(description="Of the nearest boundary; null: none known.")
    factor: str | None = Field(description="Whose price that boundary is.")
    time_to_liq_s: Integer | None
    timestamp: Integer = Field(description="Of the block it was read at.")
    block_number: Integer


class WalletSum(Part):
    """One watched account."""

    address: AddressText
    name: str | None
    positions: Integer
    equity_usd: float | None = Field(description="Null when anything is missing from it.")
    priced_usd: float
    worst: Nearest | None


class TrendPoint(Part):
    """How a part of the last day was."""

    at: Moment = Field(description="Its end.")
    equity_usd: float | None = Field(description="Null: unknown.")
    worst_health: float | None = Field(description="1 is the edge; null: unknown, or no debt.")


class OverviewTotals(Part):
    """Everything together."""

    equity_usd: float | None = Field(description="Null when anything is missing from it.")
    priced_usd: float = Field(description="What has a price, debts subtracted.")
    collateral_usd: float | None = Field(description="Of positions with a debt.")
    debt_usd: float | None = Field(description="Above zero; null: a part is unknown.")
    partial: bool
    unpriced: list[str]
    positions: Integer
    liquidatable: Integer
    unknown: Integer


class OverviewDocument(Part):
    """`/api/v1/overview`."""

    schema_: Literal["underkeel.overview/1"] = Field(alias="schema")
    generated_at: Moment
    mode: Literal["dry-run", "live"]
    paused: str | None = Field(description="Why nothing is signed; null: not paused.")
    monitor: SystemMonitor
    chains: list[ChainNow]
    totals: OverviewTotals
    worst: Nearest | None = Field(description="The position nearest to liquidation, or past it.")
    nearest: list[Nearest] = Field(description="The few nearest, the worst first.")
    wallets: list[WalletSum]
    counts: AlertCounts
    alerts: list[Alert] = Field(description="What is not ok and not silenced; the worst 100.")
    proposals: Integer = Field(description="Plans that wait for somebody.")
    trend: list[TrendPoint] = Field(description="Of the last day, the oldest first.")
    unknown: list[str] = Field(description="What could not be read, in words.")
