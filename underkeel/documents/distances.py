"""The parts of the risk document that hang on joint moves: distances, chances and remedies."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import AddressText, Integer, Part


class Move(Part):
    """What one factor does in a joint move."""

    chain: str
    factor: str
    label: str
    return_frac: float = Field(description="Its simple return: −0.1 is a fall of 10 %.")
    current_raw: Integer | None
    price_raw: Integer | None = Field(
        description="Where the protocol first liquidates on the way there, in the oracle's own "
        "integers; null where it does not get there, or the move is not this position's."
    )
    safe_price_raw: Integer | None = Field(description="Just before, where it does not yet.")
    decimals: Integer | None


class Joint(Part):
    """The likeliest joint move of all prices that liquidates a position."""

    beta_sigma: float | None = Field(
        description="How many standard deviations away; 0: past it. Null: no move within reach."
    )
    horizon_s: Integer
    shock: list[Move]
    method: str = Field(description="`closed form in logs`, `convex`, `multistart` …")
    certified: bool = Field(
        description="Proven that no nearer move exists, for the real-valued "
        "margin; else the best that was found."
    )
    exact_multiple: float | None = Field(
        description="Where along the move integers first liquidate: 1 is exactly there."
    )
    exact: bool | None = Field(
        description="False: integers liquidate there, and perhaps earlier too; null: nowhere."
    )
    plane_beta_sigma: float | None = Field(
        description="h0 / √(gᵀΣg), first order in simple returns; null where it would have a "
        "price lose more than all of it."
    )
    assumed: list[str] = Field(description="Factors whose volatility was assumed, and why.")


class Chance(Part):
    """How likely it is liquidated before a horizon."""

    horizon_s: Integer
    method: str = Field(description="Simulation, or the closed form beside it as a check.")
    p: float | None
    ci_lo: float | None = Field(description="95 % of the simulation's own noise; null: none.")
    ci_hi: float | None
    cause: str | None = Field(description="Why p is null.")


class Remedy(Part):
    """The least amount of one asset that brings health to the target, by itself."""

    kind: Literal["repay", "add"]
    asset: AddressText
    symbol: str
    name: str = Field(description="Which debt, or `collateral`.")
    amount_raw: Integer | None = Field(description="Null: no amount of it is enough.")
    decimals: Integer | None
    usd: float | None
    health_raw: Integer | None = Field(
        description="What the contract answers afterwards; null: no debt is left."
    )
    whole: bool = Field(description="All of this debt: on Morpho repay its shares.")
    feasible: Literal["yes", "unknown", "no"]
    reasons: list[str]


class Remedies(Part):
    """How to reach a health; feasible and cheap ways first."""

    target_raw: Integer
    for_timestamp: Integer = Field(description="The block time that the amounts hold at.")
    already: bool
    each: list[Remedy]
    unknown: list[str] = Field(description="What could be done too, and why it is not computed.")


class Falls(Part):
    """One position in the order of falling."""

    id: str
    beta_sigma: float | None = Field(description="Of its own likeliest move; null: none in reach.")
    multiple: float | None = Field(
        description="Of the first one's move (in logs), at which this one falls too."
    )


class Unmeasured(Part):
    """A position with a debt that could not be measured."""

    id: str
    cause: str


class Volatility(Part):
    """What one factor is taken to do."""

    chain: str
    factor: str
    label: str
    sigma_daily: float = Field(description="Standard deviation of its log return over a day.")
    model: str = Field(description="The one that foretold best on held-out days, or `assumed`.")
    qlike: float | None = Field(description="Its score there; less is better.")
    assumed: str | None = Field(description="What was assumed in place of a history, and why.")


class Wallet(Part):
    """The likeliest joint move that liquidates any position, and the order of all."""

    beta_sigma: float | None
    horizon_s: Integer
    first: str | None = Field(description="The id of the position that falls first.")
    shock: list[Move]
    order: list[Falls]
    unmeasured: list[Unmeasured]
    covariance: str = Field(description="How it was estimated.")
    volatility: list[Volatility]
