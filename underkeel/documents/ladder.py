"""What moving prices would do to every position with a debt, as a document."""

from typing import Literal

from pydantic import Field

from underkeel.documents.models import Boundary
from underkeel.documents.part import AddressText, Hash, Integer, Moment, Part

Standing = Literal["safe", "liquidatable", "soft", "not_liquidatable", "unknown"]


class LadderChain(Part):
    """The block that a chain's positions were read at."""

    name: str
    chain_id: Integer
    block_number: Integer | None
    block_hash: Hash | None
    timestamp: Integer | None
    cause: str | None = Field(description="Why it could not be read.")


class LadderFeed(Part):
    """One price that a factor moves."""

    chain: str
    factor: str
    label: str
    current_raw: Integer
    decimals: Integer


class LadderFactor(Part):
    """A name that moves prices on every chain at once, such as `ETH`."""

    name: str
    feeds: list[LadderFeed]
    positions: Integer = Field(description="Positions with a debt that it moves.")
    debt_usd: float | None = Field(description="Of those; null: a part is unknown.")


class LadderCurve(Part):
    """A position's health as one factor moves."""

    factor: str = Field(description="A name of `factors`.")
    health: list[float | None] = Field(description="By step, 1: the edge; null: not known.")
    status: list[Standing] = Field(description="By step.")
    boundary: Boundary | None = Field(
        description="The nearest exact liquidation price of its feeds; null: none, or unknown."
    )
    cause: str | None = Field(description="Why something is not known.")


class LadderChance(Part):
    """The chance of being liquidated before a time."""

    horizon_s: Integer
    p: float | None
    ci_lo: float | None
    ci_hi: float | None
    method: str
    cause: str | None


class LadderPosition(Part):
    """One position with a debt."""

    id: str
    chain: str
    protocol: str
    market: str
    owner: AddressText
    owner_name: str | None
    status: Standing
    health: float | None
    health_raw: Integer | None
    health_scale: Integer
    debt_usd: float | None
    equity_usd: float | None
    curves: list[LadderCurve]
    chances: list[LadderChance] = Field(description="Empty: not computed; see `chances_cause`.")
    chances_cause: str | None


class HeatMap(Part):
    """Two factors moved against each other; `[y][x]`."""

    x: str
    y: str
    x_steps: list[float] = Field(description="Fractions; −0.5 is half the price.")
    y_steps: list[float]
    equity_usd: list[list[float | None]] = Field(
        description="Of all positions it covers, before any liquidation."
    )
    liquidatable: list[list[int]] = Field(description="Positions past the edge.")
    unknown: list[list[int]] = Field(description="Positions whose health is not known there.")
    worst: list[list[float | None]] = Field(description="The least health; 1 is the edge.")
    positions: Integer = Field(description="With a debt, the worst: whose edge is looked at.")
    left_out: Integer = Field(description="With a debt, healthier: only in `equity_usd`.")
    equity_cause: str | None = Field(description="What `equity_usd` does not hold, in words.")


class LadderDocument(Part):
    """`/api/v1/ladder`."""

    schema_: Literal["underkeel.ladder/1"] = Field(alias="schema")
    generated_at: Moment
    engine_version: str
    model_version: str
    chains: list[LadderChain]
    steps: list[float] = Field(description="Fractions by which a factor moves.")
    factors: list[LadderFactor]
    positions: list[LadderPosition] = Field(description="The nearest to liquidation first.")
    left_out: Integer = Field(description="Positions with a debt beyond the worst that are here.")
    left_out_health: float | None = Field(description="The least health of those; 1 is the edge.")
    heat: HeatMap | None
    heat_cause: str | None = Field(description="Why there is no heat map.")
    unknown: list[str]
    took_s: float = Field(description="What computing it took.")
