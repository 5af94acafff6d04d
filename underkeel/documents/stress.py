"""The document `underkeel.stress/1`: what shocks would do, liquidations on the way included."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import AddressText, Hash, Integer, Part, Utc


class StressChain(Part):
    """One chain at the block that was read."""

    name: str
    chain_id: Integer
    block_number: Integer | None = Field(description="Null: not read; see `unknown`.")
    block_hash: Hash | None
    timestamp: Integer | None


class StressMove(Part):
    """One price in a scenario."""

    chain: str
    factor: str
    label: str
    change_frac: float = Field(description="At the end of the path; 0: it stays.")
    why: str = Field(description="The name that moves it, or why it stays.")
    assumed: bool = Field(description="Moved by the scenario's `other`, not by its own name.")


class StressTaken(Part):
    """One liquidation call along the path."""

    step: Integer
    debt_asset: AddressText
    repaid_raw: Integer
    collateral_asset: AddressText
    seized_raw: Integer = Field(description="To the liquidator.")
    protocol_fee_raw: Integer


class StressPosition(Part):
    """What becomes of one position."""

    id: str
    before_usd: float | None
    after_usd: float | None = Field(
        description="What its owner is left with; null: not known, see `causes`."
    )
    loss_usd: float | None
    bad_debt_usd: float = Field(description="What its lenders are left with.")
    penalty_usd: float = Field(
        description="What liquidations took beyond the debt repaid, at that moment's prices."
    )
    end: Literal["none", "healthy", "closed", "stuck"] = Field(
        description="How its liquidations ended; `stuck`: still liquidatable."
    )
    status: Literal["safe", "liquidatable", "soft", "not_liquidatable", "unknown"]
    liquidations: list[StressTaken]
    causes: list[str]


class StressScenario(Part):
    """One scenario played to its end."""

    name: str
    title: str
    source: str = Field(description="Where its numbers are from.")
    loss_usd: float | None = Field(
        description="Of the positions whose fate is known; null: of none is it."
    )
    before_usd: float | None
    after_usd: float | None
    bad_debt_usd: float
    penalty_usd: float
    liquidated: Integer = Field(description="Positions.")
    partial: bool = Field(description="Something is in no sum; see `unknown`.")
    unknown: list[str]
    nodes: list[str] | None = Field(
        default=None,
        description="Present with --failures: what of the exposure graph fails, chain/address.",
    )
    moves: list[StressMove]
    positions: list[StressPosition]


class StressPoint(Part):
    """One cell of the grid."""

    first_frac: float
    second_frac: float
    loss_usd: float
    liquidated: Integer
    bad_debt_usd: float


class StressGrid(Part):
    """Two prices moved against each other."""

    first: str
    second: str
    first_factors: list[str]
    second_factors: list[str]
    before_usd: float
    worst: StressPoint
    points: list[StressPoint] = Field(description="Row by row: the first price's moves ascending.")
    unknown: list[str]


class StressTail(Part):
    """How bad it gets at one level of confidence."""

    level_frac: float
    var_usd: float
    es_usd: float = Field(description="The mean loss from there on.")
    var_low_usd: float = Field(description="95 % interval of `var_usd`, by the number of paths.")
    var_high_usd: float


class StressPart(Part):
    """One position's part of the expected shortfall at the highest level."""

    id: str
    es_usd: float = Field(description="Below zero: it hedges. All parts add up to the whole.")


class StressBeyond(Part):
    """Value at risk beyond what the paths reach, by the fitted tail."""

    level_frac: float
    var_usd: float
    var_se_usd: float = Field(description="Standard error.")
    es_usd: float
    es_se_usd: float


class StressPeaks(Part):
    """The generalised Pareto tail of losses above a threshold."""

    threshold_usd: float
    excesses: Integer = Field(description="Paths above the threshold.")
    shape: float = Field(description="ξ: 0 exponential, above 0 heavier, below 0 losses end.")
    shape_se: float
    scale_usd: float
    statistic: float = Field(description="Cramér and von Mises' W² of the fit.")
    beyond: list[StressBeyond]


class StressSweep(Part):
    """Value at risk with volatility and correlation forced up."""

    toward_one_frac: float = Field(description="s of C_s = (1 − s)·C + s·11ᵀ.")
    volatility_multiple: float
    var_usd: float = Field(description="At the highest level.")
    es_usd: float
    liquidated_frac: float


class StressWorst(Part):
    """The worst joint move found within so many sigmas."""

    sigmas: float
    loss_usd: float
    certified: bool = Field(description="False: a search; worse may exist.")
    moves: list[StressMove]


class StressRisk(Part):
    """What a portfolio may lose over a horizon."""

    horizon_s: Integer
    paths: Integer
    method: str
    tails: list[StressTail] = Field(description="Empty: no position's worth is known.")
    parts: list[StressPart] = Field(description="Largest first.")
    peaks: StressPeaks | None = Field(description="Null: no tail could be fitted.")
    peaks_cause: str = Field(description="Why not; empty where one was.")
    liquidated_frac: float = Field(description="Paths on which anything is liquidated.")
    sweep: list[StressSweep]
    worst: list[StressWorst]
    assumed: list[str] = Field(description="Prices without history, and what was assumed.")
    unknown: list[str]


class StressGreek(Part):
    """How all positions' dollars together move with one primitive price."""

    chain: str
    factor: str = Field(description="`constant`: moved by no price.")
    label: str
    delta_usd: float = Field(description="Dollars gained as it doubles, at this slope.")
    gamma_usd_per_1pct: float = Field(description="f²·∂²V/∂f² / 100.")
    vega_usd_per_volpt: float | None = Field(
        description="Over a year, per point of its annual volatility; null: volatility unknown."
    )
    theta_usd_per_day: float | None = Field(
        description="Interest of lending, less what arbitrage takes from ranges; null: unknown."
    )
    lvr_usd_per_variance: float = Field(
        description="What arbitrage takes a year, per unit of its own variance a year."
    )


class StressDocument(Part):
    """`underkeel stress --json`."""

    schema_: Literal["underkeel.stress/1"] = Field(alias="schema")
    generated_at: Utc
    engine_version: str
    chains: list[StressChain]
    accounts: list[AddressText]
    steps: Integer = Field(description="Between two points of a scenario's path.")
    gas_usd: float | None = Field(
        description="What a liquidation costs its caller; null: liquidators always act."
    )
    scenarios: list[StressScenario]
    grid: StressGrid | None = Field(default=None, description="Present with --grid.")
    risk: StressRisk | None = Field(default=None, description="Present with --paths.")
    greeks: list[StressGreek]
    unknown: list[str] = Field(description="What is in no number, with causes.")
