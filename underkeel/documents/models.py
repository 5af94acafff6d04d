"""The JSON documents, as models: names and units are the published result schema.

Every integer is a decimal string, so that no reader loses digits; every fraction and dollar is a
number; `_s` is seconds, `_frac` a fraction, `_raw` base units or an oracle's own integer. Absent
knowledge is null, with the cause beside it; it is never zero.
"""

from typing import Literal

from pydantic import Field

from underkeel.documents import distances
from underkeel.documents.facts import Facts
from underkeel.documents.paging import Paging
from underkeel.documents.part import AddressText, Hash, Integer, Part, Utc


class Provenance(Part):
    """Where a number comes from."""

    chain_id: Integer
    block_number: Integer
    block_hash: Hash
    timestamp: Integer = Field(description="Of the block, seconds since 1970.")
    engine_version: str = Field(description="The program that read and judged.")
    model_version: str = Field(description="The version of the rules it judged by.")
    inputs_hash: Hash = Field(description="SHA-256 of everything that went into the judgement.")


class Leg(Part):
    """One amount inside a position."""

    asset: AddressText = Field(description="The token; the zero address is the native coin.")
    symbol: str
    name: str = Field(description="Which of several legs of one token; often empty.")
    amount_raw: Integer
    decimals: Integer | None
    side: Literal["asset", "collateral", "debt", "reward", "fee"]
    oracle_expr: str | None = Field(description="What the price is made of.")
    price_raw: Integer | None
    price_decimals: Integer | None
    price_quote: str | None = Field(description='"USD", a symbol, or a token address.')
    price_age_s: Integer | None = Field(description="At the block.")
    price_problems: list[str] = Field(description="Why not to trust the price, or why none.")
    value_usd: float | None = Field(description="Negative for a debt.")


class Allowance(Part):
    """What a spender may take from the owner."""

    asset: AddressText
    symbol: str
    spender: AddressText
    amount_raw: Integer
    decimals: Integer | None
    unlimited: bool


class Boundary(Part):
    """Where one factor alone makes the position liquidatable."""

    factor: str = Field(description="The feed or oracle that moves, by its address.")
    label: str = Field(description="What the oracle calls it; may be empty.")
    price_raw: Integer = Field(description="The liquidatable price nearest to safety.")
    safe_price_raw: Integer = Field(description="Its neighbour on the safe side.")
    current_raw: Integer
    decimals: Integer
    distance_frac: float = Field(description="price_raw / current_raw − 1.")
    direction: Literal["down", "up"] = Field(description="Which way it must move to get there.")
    mode: Literal["jump", "adiabatic", "spot"] = Field(
        description="How it moves: `spot` as the oracle says; the others are for bands of an AMM."
    )
    exact: bool = Field(description="False: the search gave up; about there.")


class Oracle(Part):
    """The least trustworthy price behind the position."""

    age_s: Integer | None = Field(description="At the block.")
    heartbeat_s: Integer | None = Field(description="The longest silence it promises.")
    deviation_bps: Integer | None = Field(description="The move that makes it speak, if known.")
    market_gap_bps: Integer | None = Field(description="How far from the market, if known.")


class Liquidation(Part):
    """How far from liquidation, by the protocol's own rule."""

    status: Literal["safe", "liquidatable", "soft", "not_liquidatable", "unknown"]
    health_raw: Integer | None
    health_scale: Integer = Field(description="health_raw < health_scale: liquidatable.")
    boundary: list[Boundary] = Field(description="Nearest first.")
    time_to_liq_s: Integer | None = Field(
        description="From the block, by interest alone, at constant prices; null with a health: "
        "not in sight."
    )
    time_exact: bool = Field(description="False: about then.")
    close_factor_frac: float | None = Field(description="How much of a debt one call may repay.")
    penalty_frac: float | None = Field(description="The liquidator's bonus of the worst pair.")
    expected_loss_usd: float | None = Field(
        description="What a liquidator would take beyond the debt, liquidated at the boundary."
    )
    oracle: Oracle | None
    blocked_by: list[str] = Field(description="Why the protocol would refuse to liquidate now.")
    causes: list[str] = Field(description="Why the status is unknown.")
    joint: distances.Joint | None = Field(
        default=None, description="Present with --full or --horizon, of a position with a debt."
    )
    prob: list[distances.Chance] | None = Field(
        default=None, description="Present where `joint` is."
    )
    oracle_distance_frac: float | None = Field(
        default=None,
        description="By how much all collateral may change at the oracle's prices: liquidation.",
    )
    economic_distance_frac: float | None = Field(
        default=None,
        description="The same at market prices: the debt is no longer borne; null: not known.",
    )
    economic_causes: list[str] | None = Field(
        default=None, description="Why the market price of a part is not known."
    )


class Greek(Part):
    """How a position's dollars V move with one primitive price f."""

    factor: str = Field(description="The feed, oracle or ratio; `constant`: moved by no price.")
    label: str = Field(description="What the oracle calls it; may be empty.")
    delta_usd: float = Field(description="f·∂V/∂f: gained as f doubles, at this slope.")
    gamma_usd_per_1pct: float = Field(description="f²·∂²V/∂f²/100.")
    vega_usd_per_volpt: float | None = Field(
        description="Over a year, per point of f's annual volatility; null: volatility unknown."
    )
    theta_usd_per_day: float | None = Field(
        description="Interest of lending, less what arbitrage takes from a range; null: unknown."
    )
    lvr_usd_per_variance: float = Field(
        description="What arbitrage takes a year, per unit of f's own variance a year."
    )


class Position(Part):
    """What one owner holds in one market, at one block."""

    id: str = Field(description="The same at every block: chain id, protocol, root, owner, part.")
    chain: str = Field(description="Its name in the config.")
    protocol: str = Field(description="The adapter.")
    version: str = Field(description="Of the protocol's rules, as the adapter tells them apart.")
    market: str
    root: AddressText = Field(description="The market's; the zero address for a wallet.")
    owner: AddressText
    owner_name: str | None
    kind: str = Field(description="`lending`, `vault`, `liquidity`, `wallet`.")
    legs: list[Leg]
    equity_usd: float | None = Field(description="Rewards not counted.")
    verified: bool = Field(description="False: the contract's rules or numbers are not as we know.")
    notes: list[str]
    unknown: list[str] = Field(description="Parts that could not be read, with causes.")
    allowances: list[Allowance]
    receipts: list[AddressText] | None = Field(
        default=None,
        description="Tokens in the owner's wallet that stand for it: not to be counted twice.",
    )
    liquidation: Liquidation
    greeks: list[Greek] | None = Field(default=None, description="Present where computed.")
    remedies: distances.Remedies | None = Field(
        default=None, description="Present with --target-health, of a position with a debt."
    )
    facts: Facts | None = Field(description="What only this protocol's positions have, if any.")
    provenance: Provenance


class Unknown(Part):
    """A market, or one account in it, that could not be read."""

    chain: str
    protocol: str | None = Field(description="Null: the whole chain.")
    market: str | None
    root: AddressText | None
    owner: AddressText | None = Field(description="Null: every watched account.")
    cause: str


class Chain(Part):
    """One chain, and the block everything of it was read at."""

    name: str
    chain_id: Integer
    status: Literal["ok", "down", "stale"]
    cause: str | None
    block_number: Integer | None
    block_hash: Hash | None
    timestamp: Integer | None
    age_s: Integer | None = Field(description="Of the block when it was read.")
    engine_version: str
    model_version: str
    inputs_hash: Hash | None
    requests: Integer = Field(description="HTTP requests made.")


class Totals(Part):
    """Everything together."""

    equity_usd: float | None = Field(description="Null when anything is missing from it.")
    priced_usd: float = Field(description="What has a price, debts subtracted.")
    partial: bool
    unpriced: list[str]
    positions: Integer
    liquidatable: Integer
    unknown: Integer = Field(description="Positions, and what could not be read at all.")


class Shocked(Part):
    """A factor and where a shock moves it."""

    shock: str
    chain: str
    factor: str
    label: str
    change_frac: float
    from_raw: Integer
    to_raw: Integer
    decimals: Integer


class Liquidator(Part):
    """The most profitable single liquidation."""

    debt_asset: AddressText
    repaid_raw: Integer
    collateral_asset: AddressText
    seized_raw: Integer = Field(description="What the liquidator receives.")
    protocol_fee_raw: Integer
    profit_usd: float | None = Field(description="Before gas.")


class Health(Part):
    """A position's health under some prices."""

    status: Literal["safe", "liquidatable", "soft", "not_liquidatable", "unknown"]
    health_raw: Integer | None


class ShockedPosition(Part):
    """What a shock does to one position."""

    id: str
    before: Health
    after: Health
    health_scale: Integer
    becomes_liquidatable: bool
    liquidator: Liquidator | None = Field(description="What one would take after the shock.")


class Shock(Part):
    """A scenario: factors moved at once, everything else as at the block."""

    factors: list[Shocked]
    positions: list[ShockedPosition] = Field(description="Those that the factors move.")


class Document(Part):
    """What every report holds."""

    generated_at: Utc
    chains: list[Chain]
    accounts: list[AddressText]
    unknown: list[Unknown]
    totals: Totals


class PositionsDocument(Document):
    """`underkeel positions --json`."""

    schema_: Literal["underkeel.positions/1"] = Field(alias="schema")
    positions: list[Position]
    page: Paging | None = Field(default=None, description="Present over HTTP.")


class RiskDocument(Document):
    """`underkeel risk --json`."""

    schema_: Literal["underkeel.risk/1"] = Field(alias="schema")
    positions: list[Position]
    shock: Shock | None = Field(default=None, description="Present with --shock.")
    joint: distances.Wallet | None = Field(
        default=None, description="Present with --full or --horizon."
    )
    page: Paging | None = Field(default=None, description="Present over HTTP.")


class Worst(Part):
    """The position nearest to liquidation."""

    id: str
    status: str
    health_raw: Integer | None
    health_scale: Integer


class StatusDocument(Document):
    """`underkeel status --json`."""

    schema_: Literal["underkeel.status/1"] = Field(alias="schema")
    mode: str
    attention: bool = Field(description="Something is liquidatable or unknown: exit code 3.")
    worst: Worst | None


class Check(Part):
    """One thing that doctor looked at."""

    name: str
    status: Literal["ok", "warning", "failed"]
    found: str
    todo: str | None


class DoctorDocument(Part):
    """`underkeel doctor --json`."""

    schema_: Literal["underkeel.doctor/1"] = Field(alias="schema")
    generated_at: Utc
    checks: list[Check]
