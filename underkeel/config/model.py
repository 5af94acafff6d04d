"""The config as pydantic models: every key that this version uses, and no other."""

from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from underkeel.config.alerts import AlertRow, alert_problems
from underkeel.config.channels import ChannelTable, HeartbeatTable
from underkeel.config.markets import MarketRow, market_row, market_schema
from underkeel.config.mcp import McpTable
from underkeel.config.monitor import MonitorTable
from underkeel.config.plans import PlanTable, plan_problems
from underkeel.config.problems import did_you_mean
from underkeel.config.signing import PolicyTable, SignerTable
from underkeel.config.steer import action_problems
from underkeel.config.storage import StorageTable
from underkeel.config.table import Table
from underkeel.config.values import (
    AddressText,
    Duration,
    HttpEndpoint,
    Name,
    Whole,
    WsEndpoint,
    refuse,
)
from underkeel.config.venues import VenueRow, venue_row, venue_schema
from underkeel.config.web import WebTable


class PriceTable(Table):
    """A price that the owner configures for a token."""

    token: AddressText = Field(description="The token, or the zero address for the native coin.")
    feed: str = Field(
        description="A Chainlink-style feed's address, or a price expression: docs/adapters/prices."
    )
    quote: str = Field(description='"USD", a symbol such as "ETH", or the token it counts in.')
    heartbeat: Duration | None = Field(
        default=None, description="The longest silence the feed promises; older is stale."
    )

    @field_validator("feed", "quote")
    @classmethod
    def _readable(cls, value: str, info: ValidationInfo) -> str:
        from protocols.prices import configured, expr

        try:
            return str(
                expr.parse(value) if info.field_name == "feed" else configured.parse_quote(value)
            )
        except ValueError as error:
            raise refuse(f"is not a {info.field_name}: {error}") from None

    @field_validator("heartbeat")
    @classmethod
    def _some_time(cls, value: int | None) -> int | None:
        if value == 0:
            raise refuse("is not a heartbeat", "write how long the feed may be silent")
        return value


class ChainTable(Table):
    """One chain: how to reach it, and what to read there besides the known markets."""

    chain_id: Annotated[Whole, Field(ge=1, le=2**63)] = Field(
        description="Checked against what every endpoint says."
    )
    rpc: tuple[HttpEndpoint, ...] = Field(
        min_length=1, description="URLs, env:NAME or file:PATH, in order of preference."
    )
    ws: WsEndpoint | None = Field(
        default=None, description="Where new heads are announced; polling where absent."
    )
    quorum: Annotated[Whole, Field(ge=1)] = Field(
        default=1, description="How many endpoints must agree on every answer."
    )
    max_block_age: Duration | None = Field(
        default=None, description="An older head is stale: nothing is then called safe."
    )
    multicall3: AddressText | None = Field(
        default=None, description="Where Multicall3 is, if not at the network's usual address."
    )
    head_lag: Annotated[Whole, Field(ge=0, le=100_000)] = Field(
        default=0, description="Read this many blocks behind the head."
    )
    max_price_age: Duration | None = Field(
        default=None, description="An older price is stale, whatever its feed promises."
    )
    defaults: bool = Field(
        default=True, description="Read the known markets of this chain as well."
    )
    discover: bool = Field(
        default=True, description="Search the chain's logs for markets and approvals."
    )
    markets: tuple[Annotated[MarketRow, BeforeValidator(market_row)], ...] = ()
    prices: tuple[PriceTable, ...] = ()
    venues: tuple[Annotated[VenueRow, BeforeValidator(venue_row)], ...] = ()

    @field_validator("rpc", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _quorum_fits(self) -> "ChainTable":
        if self.quorum > len(self.rpc):
            raise refuse(
                f"quorum = {self.quorum} needs as many endpoints, and rpc has {len(self.rpc)}",
                "add endpoints or lower quorum",
            )
        return self


class WalletTable(Table):
    """One account: to watch, and with a signer to act for."""

    address: AddressText
    kind: Literal["eoa", "safe", "contract", "watch"] = Field(
        default="watch", description="What it is; doctor checks that the chain agrees."
    )
    signer: SignerTable | None = Field(
        default=None, description="What signs for it; loaded only where that was asked for twice."
    )

    @model_validator(mode="after")
    def _can_sign(self) -> "WalletTable":
        if self.signer is not None and self.kind in ("safe", "contract"):
            raise refuse(
                f'kind = "{self.kind}" has no key',
                "give its owner a [wallets.NAME] with the signer",
            )
        return self

    @property
    def own(self) -> bool:
        """Whether it is the owner's: a watched account may be anybody's."""
        return self.signer is not None or self.kind != "watch"


class HistoryTable(Table):
    """How far back prices are looked at, and the files that tell what the chain does not."""

    days: Annotated[Whole, Field(ge=1, le=36_500)] = Field(
        default=365, description="How far back histories reach."
    )
    rounds: Annotated[Whole, Field(ge=100, le=1_000_000)] = Field(
        default=20_000, description="About how many rounds of one feed are read at most."
    )
    files: dict[Name, str] = Field(
        default_factory=dict,
        description="Factor, label or base, and the CSV or Parquet file with its history.",
    )


class Settings(Table):
    """The whole config."""

    model_config = ConfigDict(title="underkeel.toml")

    version: Literal[1] = Field(description="The version of this format.")
    mode: Literal["dry-run", "live"] = Field(
        default="dry-run", description="Live lets `execute --execute` load a signer and send."
    )
    timezone: str = Field(default="UTC", description="For display; JSON is always UTC.")
    chains: dict[Name, ChainTable] = Field(default_factory=dict)
    wallets: dict[Name, WalletTable] = Field(default_factory=dict)
    policy: dict[Name, PolicyTable] = Field(default_factory=dict)
    storage: StorageTable = Field(default_factory=StorageTable)
    channels: dict[Name, ChannelTable] = Field(default_factory=dict)
    heartbeat: HeartbeatTable | None = None
    web: WebTable | None = None
    history: HistoryTable = Field(default_factory=HistoryTable)
    monitor: MonitorTable = Field(default_factory=MonitorTable)
    mcp: McpTable = Field(default_factory=McpTable)
    plan: tuple[PlanTable, ...] = ()
    alert: tuple[AlertRow, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        zones = available_timezones()
        if value not in zones and value != "UTC":  # a machine without zone data has UTC
            raise refuse(f"{value!r} is not a time zone", did_you_mean(value, zones))
        return value

    @model_validator(mode="after")
    def _nothing_twice(self) -> "Settings":
        _once("chain_id", {name: chain.chain_id for name, chain in self.chains.items()})
        _once("address", {name: wallet.address for name, wallet in self.wallets.items()})
        return self

    @model_validator(mode="after")
    def _plans_fit(self) -> "Settings":
        plan_problems(self.plan, self.wallets, self.chains)
        return self

    @model_validator(mode="after")
    def _alerts_fit(self) -> "Settings":
        alert_problems(self.alert, self.channels, self.wallets, self.chains)
        acting = [(row.id, row.expr, row.action) for row in self.alert if row.action is not None]
        action_problems(acting, self.plan, len(self.wallets))
        return self

    @model_validator(mode="after")
    def _policies_fit(self) -> "Settings":
        for name, policy in self.policy.items():
            if name not in self.wallets:
                what = f"[policy.{name}] is for no wallet"
                raise refuse(what, did_you_mean(name, self.wallets))
            for chain in policy.chains:
                if chain not in self.chains:
                    what = f"[policy.{name}] names the chain {chain!r}, which is not there"
                    raise refuse(what, did_you_mean(chain, self.chains))
        return self


def _once(key: str, values: dict[str, Any]) -> None:
    seen: dict[Any, str] = {}
    for name, value in values.items():
        if value in seen:
            raise refuse(
                f"{seen[value]!r} and {name!r} have the same {key}",
                "remove one: what is in both would count twice",
            )
        seen[value] = name


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the config, with the market tables of every adapter."""
    schema = Settings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["$defs"]["ChainTable"]["properties"]["markets"] = {
        "type": "array",
        "default": [],
        "items": market_schema(),
    }
    schema["$defs"]["ChainTable"]["properties"]["venues"] = {
        "type": "array",
        "default": [],
        "items": venue_schema(),
    }
    return schema
