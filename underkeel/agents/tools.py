"""The tools that read: each gives one document of the store, as the pages and the JSON API do."""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Concatenate, Final, Literal, ParamSpec, cast

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from underkeel.agents.whatif import LEAST, MOST, what_if
from underkeel.agents.words import TooLong, answer, clean
from underkeel.errors import AppError
from underkeel.web.data import Data
from underkeel.web.reading.portfolio import Filter

log = logging.getLogger(__name__)

MOST_ROWS: Final = 100
NOT_YET: Final = "not computed yet: the monitor does so within some minutes of its start"

Text = Annotated[str, Field(max_length=200)]
Limit = Annotated[int, Field(ge=1, le=MOST_ROWS, description="Rows of one answer.")]
Offset = Annotated[int, Field(ge=0, le=1_000_000, description="Rows to pass over.")]
Fields = Annotated[
    list[Text] | None,
    Field(max_length=40, description="Top-level fields to give; all where none are named."),
]
Chain = Annotated[Text | None, Field(description="A chain's name in the config.")]
Wallet = Annotated[Text | None, Field(description="A wallet's name in the config, or its address.")]

P = ParamSpec("P")


def said(
    tool: Callable[Concatenate["Tools", P], BaseModel | Mapping[str, Any] | None],
) -> Callable[Concatenate["Tools", P], str]:
    """Make a tool's document its answer, and an expected failure of ours one the model reads."""

    @functools.wraps(tool)
    def asked(self: "Tools", *args: P.args, **kwargs: P.kwargs) -> str:
        try:
            found = tool(self, *args, **kwargs)
            if found is None:
                raise ToolError(NOT_YET)
            data = (
                found.model_dump(mode="json", by_alias=True)
                if isinstance(found, BaseModel)
                else found
            )
            return self.data.config.scrub(answer(_chosen(data, kwargs.get("fields"))))
        except (AppError, TooLong, ValueError) as error:
            raise ToolError(clean(self.data.config.scrub(str(error)))) from None

    return cast(Callable[Concatenate["Tools", P], str], asked)


def _chosen(data: Mapping[str, Any], fields: object) -> Mapping[str, Any]:
    """Return the top-level fields that are wanted; raises `ValueError` for one there is not."""
    if not isinstance(fields, list) or not fields:
        return data
    if strange := [name for name in fields if name not in data]:
        raise ValueError(f"no field is called {strange[0]!r}; there are {', '.join(data)}")
    return {name: one for name, one in data.items() if name in fields or name == "schema"}


class Tools:
    """Every tool that reads; safe between threads."""

    def __init__(self, data: Data) -> None:
        self.data = data

    @property
    def all(self) -> Sequence[Callable[..., str]]:
        """Return the tools, in the order that they are listed in."""
        return (
            self.overview, self.positions, self.risk, self.what_if, self.ladder, self.exposure,
            self.oracles, self.approvals, self.alerts, self.events, self.history, self.plans,
            self.transactions, self.system,
        )  # fmt: skip

    @said
    def overview(self, fields: Fields = None) -> BaseModel:
        """Worth, worst health, what fires, and how old and whole all of it is. Ask this first."""
        return self.data.overview()

    @said
    def positions(
        self,
        chain: Chain = None,
        wallet: Wallet = None,
        protocol: Text | None = None,
        limit: Limit = 20,
        offset: Offset = 0,
        fields: Fields = None,
    ) -> BaseModel:
        """All positions with their assets, debts and the block they were read at."""
        wanted = Filter(chain=chain, wallet=wallet, protocol=protocol)
        return self.data.positions(wanted, limit=limit, offset=offset)

    @said
    def risk(
        self,
        chain: Chain = None,
        wallet: Wallet = None,
        status: Annotated[
            Literal["safe", "liquidatable", "soft", "not_liquidatable", "unknown"] | None,
            Field(description="Only positions of this status."),
        ] = None,
        position: Annotated[Text | None, Field(description="A position's id.")] = None,
        limit: Limit = 20,
        offset: Offset = 0,
        fields: Fields = None,
    ) -> BaseModel:
        """Positions nearest to liquidation first: exact health, liquidation prices, distance."""
        wanted = Filter(chain=chain, wallet=wallet, status=status, id=position)
        return self.data.risk(wanted, limit=limit, offset=offset)

    @said
    def what_if(
        self,
        factor: Annotated[Text, Field(description="Such as ETH; `ladder` lists all factors.")],
        percent: Annotated[
            float, Field(ge=100 * LEAST, le=100 * MOST, description="-20 is a fall by a fifth.")
        ],
    ) -> Mapping[str, Any]:
        """What would be liquidated if one price moved, by the ladder that was stored last."""
        ladder = self.data.ladder()
        if ladder is None:
            raise ToolError(NOT_YET)
        now = self.data.overview().chains
        doubts = {c.name: c.cause or f"its chain is {c.status}" for c in now if c.status != "ok"}
        return what_if(ladder, factor, percent / 100, doubts)

    @said
    def ladder(self, fields: Fields = None) -> BaseModel | None:
        """Health of every debt as prices move, a two-asset heat map, chances of liquidation."""
        return self.data.ladder()

    @said
    def exposure(self, fields: Fields = None) -> BaseModel | None:
        """What is lost if one contract, oracle or admin fails, and who may upgrade what."""
        return self.data.exposure()

    @said
    def oracles(self, fields: Fields = None) -> BaseModel | None:
        """The feeds behind prices: age, promised heartbeat, distance from the market."""
        return self.data.oracles()

    @said
    def approvals(
        self,
        chain: Chain = None,
        wallet: Wallet = None,
        unlimited: bool | None = None,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> BaseModel:
        """Who may take which tokens."""
        return self.data.approvals(
            chain=chain, wallet=wallet, unlimited=unlimited, limit=limit, offset=offset
        )

    @said
    def alerts(
        self,
        state: Annotated[
            Text | None, Field(description="firing, pending, acked, resolved or unknown.")
        ] = None,
        severity: Annotated[Text | None, Field(description="info, warning or critical.")] = None,
        limit: Limit = 20,
        offset: Offset = 0,
        fields: Fields = None,
    ) -> BaseModel:
        """Alerts: what fires, since when, on which value; who was told."""
        return self.data.alerts(state=state, severity=severity, limit=limit, offset=offset)

    @said
    def events(
        self,
        kind: Text | None = None,
        severity: Text | None = None,
        chain: Chain = None,
        before: Annotated[int | None, Field(ge=1, description="Only events of a lower id.")] = None,
        limit: Limit = 20,
    ) -> BaseModel:
        """What happened, the newest first."""
        return self.data.events({"kind": kind, "severity": severity, "chain": chain}, before, limit)

    @said
    def history(
        self,
        metric: Annotated[Text, Field(description="Such as health_factor or equity_usd.")],
        labels: Annotated[
            dict[Text, Text] | None, Field(max_length=8, description="Such as chain or position.")
        ] = None,
        days: Annotated[float, Field(gt=0, le=3_650, description="How far back.")] = 1,
        limit: Annotated[int, Field(ge=1, le=500, description="Points of each series.")] = 100,
    ) -> BaseModel:
        """How a metric moved; a gap is a time at which it was unknown."""
        now = self.data.clock()
        return self.data.history(
            {**(labels or {}), "metric": metric}, since=now - 86_400 * days, until=now, limit=limit
        )

    @said
    def plans(
        self,
        status: Annotated[Text | None, Field(description="proposed, done, refused, …")] = None,
        position: Annotated[Text | None, Field(description="A position's id.")] = None,
        limit: Annotated[int, Field(ge=1, le=20, description="Rows of one answer.")] = 5,
        offset: Offset = 0,
    ) -> BaseModel:
        """Plans that alerts, people or models asked for: their effect, and what the policy says."""
        return self.data.plans(status=status, position=position, limit=limit, offset=offset)

    @said
    def transactions(
        self,
        chain: Chain = None,
        wallet: Wallet = None,
        open_only: bool = False,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> BaseModel:
        """The executor's transactions, and what became of each."""
        return self.data.txs(
            chain=chain, wallet=wallet, open_only=open_only, limit=limit, offset=offset
        )

    @said
    def system(self, fields: Fields = None) -> BaseModel:
        """How the service itself is: chains, endpoints, channels, the database."""
        return self.data.system()
