"""The document `underkeel.oracles/1`: every feed, and what speaks for and against it."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import AddressText, Hash, Integer, Part, Utc


class OracleRule(Part):
    """When a feed speaks, learned from its own rounds."""

    heartbeat_s: Integer | None = Field(description="The silence after which it speaks anyway.")
    deviation_bps: float | None = Field(description="The move that makes it speak at once.")
    updates: Integer = Field(description="Learned from so many.")
    by_heartbeat: Integer
    by_deviation: Integer
    explained_frac: float | None = Field(description="Share of the updates the rule explains.")
    longest_s: Integer | None = Field(description="The longest silence seen.")
    quiet_bps: float | None = Field(description="Heartbeats brought moves up to this one.")
    overdue: Integer = Field(description="Silences longer than the heartbeat allows.")


class OracleMarket(Part):
    """What the deepest Uniswap v3 pool of the feed's token says."""

    pool: AddressText
    source: str
    against: str = Field(description="The other token; its own oracle price is relied on.")
    mean_frac: float = Field(description="Pool's mean price / feed's − 1.")
    spot_frac: float = Field(description="The same of the pool's price at the block.")
    depth_usd: float = Field(description="What moving the pool by 1 % takes.")
    fee_frac: float


class OracleNeighbour(Part):
    """Another feed of the same pair, or a product of two."""

    source: str
    label: str
    gap_frac: float = Field(description="Its price / this feed's − 1.")


class OracleNext(Part):
    """The update to come, by the learned rule."""

    kind: Literal["deviation", "overdue", "heartbeat", "unknown"]
    in_s: Integer | None = Field(description="From the block; 0: at once.")
    price_raw: Integer | None = Field(description="What it would say, going by the pool.")
    why: str


class OraclePhase(Part):
    """An earlier aggregator."""

    phase: Integer
    aggregator: AddressText


class OracleKeepers(Part):
    """Who can change what a feed says; null: nobody of that kind, or in `unknown`."""

    owner: AddressText | None = Field(description="May replace the aggregator.")
    aggregator: AddressText | None
    aggregator_kind: str
    aggregator_owner: AddressText | None
    proposed: AddressText | None = Field(description="An aggregator put forward by the owner.")
    access: AddressText | None = Field(description="Decides which contracts may read.")
    phases: list[OraclePhase] = Field(description="The latest first.")


class OracleSequencer(Part):
    """A rollup's sequencer."""

    state: Literal["up", "grace", "down", "unknown"]
    since: Integer | None


class OracleFeed(Part):
    """One feed."""

    chain: str
    feed: AddressText
    label: str
    verdict: Literal["sound", "doubtful", "unknown"]
    answer_raw: Integer | None
    decimals: Integer | None
    round_id: Integer | None
    updated_at: Integer | None
    age_s: Integer | None = Field(description="At the block.")
    promised_heartbeat_s: Integer | None = Field(description="As configured.")
    minimum_raw: Integer | None = Field(description="It never answers less.")
    maximum_raw: Integer | None
    rule: OracleRule
    market: OracleMarket | None
    others: list[OracleNeighbour]
    next: OracleNext
    keepers: OracleKeepers
    sequencer: OracleSequencer | None = Field(description="Null on a chain without one.")
    tokens: list[str] = Field(description="What it prices, by symbol.")
    positions: list[str] = Field(description="Ids of positions that hang on it.")
    via: list[AddressText] = Field(description="Oracles that prices name and that it is behind.")
    problems: list[str] = Field(description="What speaks against it.")
    unknown: list[str] = Field(description="What could not be learned, with causes.")


class OracleChain(Part):
    """One chain, and the block everything of it was read at."""

    name: str
    chain_id: Integer
    status: Literal["ok", "down", "stale"]
    cause: str | None
    block_number: Integer | None
    block_hash: Hash | None
    timestamp: Integer | None


class OraclesDocument(Part):
    """`underkeel oracles --json`."""

    schema_: Literal["underkeel.oracles/1"] = Field(alias="schema")
    generated_at: Utc
    engine_version: str
    model_version: str
    chains: list[OracleChain]
    feeds: list[OracleFeed]
