"""The JSON API: every answer is a document with a `schema`, every failure a problem document."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from underkeel.documents.alerts import AlertsDocument, SilencesDocument
from underkeel.documents.approvals import ApprovalsDocument
from underkeel.documents.events import EventsDocument
from underkeel.documents.exposure import ExposureDocument
from underkeel.documents.history import HistoryDocument
from underkeel.documents.ladder import LadderDocument
from underkeel.documents.models import PositionsDocument, RiskDocument
from underkeel.documents.oracles import OraclesDocument
from underkeel.documents.overview import OverviewDocument
from underkeel.documents.paging import ActionDocument, CsrfDocument
from underkeel.documents.part import Part
from underkeel.documents.proposals import ProposalsDocument
from underkeel.documents.system import SystemDocument
from underkeel.documents.txs import TxsDocument
from underkeel.web.acts import LEAST_S, MOST_S, Acts
from underkeel.web.auth import Keys
from underkeel.web.data import EVENT_FILTERS, Data
from underkeel.web.problems import MEDIA, Refusal
from underkeel.web.reading.portfolio import Filter
from underkeel.web.stream import Hub

ROOT: Final = "/api/v1"
MOST: Final = 1_000
FEW: Final = 200
VOLATILE: Final[Mapping[str, Any]] = {
    "generated_at": True,
    "since": True,
    "until": True,
    "chains": {"__all__": {"age_s", "read_at", "requests"}},
    "monitor": {"until"},
}
"""Changes at every request without anything having happened."""

Text = Annotated[str | None, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="How many to leave out before.")]
Position = Annotated[str | None, Query(max_length=400, description="A position's id.")]
IfNoneMatch = Annotated[str | None, Header(max_length=400, include_in_schema=False)]
Seconds = Annotated[float | None, Query(ge=0, le=253_402_300_799, allow_inf_nan=False)]
AlertKey = Annotated[str, Field(min_length=1, max_length=200)]

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    code: {
        "description": text,
        "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
    for code, text in {
        "401": "Show the token.",
        "404": "Not computed yet.",
        "414": "The query is too long.",
        "421": "Called by a name that is not ours.",
        "422": "The query makes no sense.",
        "429": "Too many wrong tokens came from there.",
        "503": "The database does not answer, or too many listen; ask again.",
    }.items()
}
WRITE_PROBLEMS: Final = PROBLEMS | {
    code: PROBLEMS["422"] | {"description": text}
    for code, text in {
        "400": "The request is not whole.",
        "403": "From another site, or without our CSRF token.",
        "409": "It is so already.",
        "413": "Too large.",
    }.items()
}
T = TypeVar("T", bound=Part)


class Ack(BaseModel):
    """Which alert is acknowledged."""

    model_config = ConfigDict(extra="forbid")
    id: AlertKey


class SilenceBody(BaseModel):
    """What to hold back, for how long."""

    model_config = ConfigDict(extra="forbid")
    match: dict[str, Annotated[str, Field(max_length=400)]] = Field(
        description="Labels, `rule`, `severity` or `alert`; `*` is any text.",
        min_length=1,
        max_length=12,
    )
    seconds: int = Field(ge=LEAST_S, le=MOST_S)
    reason: str = Field(default="", max_length=400)


class Unsilence(BaseModel):
    """Which silence ends."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(pattern="^[0-9]{1,18}$")


class Pause(BaseModel):
    """Why nothing is to be signed any more."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(default="", max_length=400)


def routes(data: Data, acts: Acts, hub: Hub, keys: Keys) -> APIRouter:
    """Return every route under `/api/v1`."""
    router = APIRouter(prefix=ROOT, responses=PROBLEMS, tags=["read"])
    _portfolio(router, data)
    _studies(router, data)
    _told(router, data)
    _stream(router, hub)
    _acting(router, acts, keys)
    return router


def _portfolio(router: APIRouter, data: Data) -> None:
    @router.get("/overview", response_model=OverviewDocument)
    def overview(request: Request, if_none_match: IfNoneMatch = None) -> Response:
        """Everything at a glance."""
        return _by_content(data.overview(), if_none_match)

    def wanted(
        chain: Text = None,
        wallet: Annotated[Text, Query(description="A name of the config, or an address.")] = None,
        protocol: Text = None,
        market: Text = None,
        kind: Text = None,
        status: Text = None,
        id: Position = None,
    ) -> Filter:
        return Filter(chain, wallet, protocol, market, kind, status, id)

    @router.get("/positions", response_model=PositionsDocument)
    def positions(
        request: Request,
        wanted: Annotated[Filter, _depends(wanted)],
        limit: Limit = FEW,
        offset: Offset = 0,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Everything the accounts hold; totals are of all, whatever the filters."""
        return _by_version(
            request, data.version("risk"), if_none_match,
            lambda: data.positions(wanted, limit=limit, offset=offset),
        )  # fmt: skip

    @router.get("/risk", response_model=RiskDocument)
    def risk(
        request: Request,
        wanted: Annotated[Filter, _depends(wanted)],
        limit: Limit = FEW,
        offset: Offset = 0,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """The same, the nearest to liquidation first."""
        return _by_version(
            request, data.version("risk"), if_none_match,
            lambda: data.risk(wanted, limit=limit, offset=offset),
        )  # fmt: skip

    @router.get("/approvals", response_model=ApprovalsDocument)
    def approvals(
        chain: Text = None,
        wallet: Text = None,
        unlimited: bool | None = None,
        limit: Limit = FEW,
        offset: Offset = 0,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Who may take tokens, the costliest first."""
        found = data.approvals(
            chain=chain, wallet=wallet, unlimited=unlimited, limit=limit, offset=offset
        )
        return _by_content(found, if_none_match)


def _studies(router: APIRouter, data: Data) -> None:
    def study(
        kind: str, request: Request, tag: str | None, make: Callable[[], T | None]
    ) -> Response:
        def made() -> T:
            if (found := make()) is None:
                raise Refusal(404, f"{kind} was not computed yet: a running monitor does that")
            return found

        return _by_version(request, data.version(kind), tag, made)

    @router.get("/exposure", response_model=ExposureDocument)
    def exposure(request: Request, if_none_match: IfNoneMatch = None) -> Response:
        """What positions stand on, and who can change it."""
        return study("exposure", request, if_none_match, data.exposure)

    @router.get("/oracles", response_model=OraclesDocument)
    def oracles(request: Request, if_none_match: IfNoneMatch = None) -> Response:
        """The feeds behind prices, and how far to trust each."""
        return study("oracles", request, if_none_match, data.oracles)

    @router.get("/ladder", response_model=LadderDocument)
    def ladder(request: Request, if_none_match: IfNoneMatch = None) -> Response:
        """What moving prices would do to every position with a debt."""
        return study("ladder", request, if_none_match, data.ladder)


def _told(router: APIRouter, data: Data) -> None:
    @router.get("/plans", response_model=ProposalsDocument)
    def plans(
        status: Text = None,
        alert: Text = None,
        position: Position = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        offset: Offset = 0,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Plans that alerts asked for, the newest first."""
        found = data.plans(
            status=status, alert=alert, position=position, limit=limit, offset=offset
        )
        return _by_content(found, if_none_match)

    @router.get("/txs", response_model=TxsDocument)
    def txs(
        chain: Text = None,
        wallet: Text = None,
        state: Text = None,
        open: bool = False,
        limit: Limit = FEW,
        offset: Offset = 0,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Transactions of the executor's journal, and each wallet's nonces."""
        found = data.txs(
            chain=chain, wallet=wallet, state=state, open_only=open, limit=limit, offset=offset
        )
        return _by_content(found, if_none_match)

    @router.get("/alerts", response_model=AlertsDocument)
    def alerts(
        state: Annotated[Text, Query(description="Without one: all but `ok`.")] = None,
        severity: Text = None,
        rule: Text = None,
        chain: Text = None,
        position: Position = None,
        limit: Limit = FEW,
        offset: Offset = 0,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Alerts with what was sent of them, the worst first."""
        found = data.alerts(
            state=state, severity=severity, rule=rule, chain=chain, position=position,
            limit=limit, offset=offset,
        )  # fmt: skip
        return _by_content(found, if_none_match)

    @router.get("/silences", response_model=SilencesDocument)
    def silences(if_none_match: IfNoneMatch = None) -> Response:
        """Silences in force, then the newest of the others."""
        return _by_content(data.silences(), if_none_match)

    @router.get("/events", response_model=EventsDocument)
    def events(
        kind: Text = None,
        severity: Text = None,
        chain: Text = None,
        wallet: Text = None,
        position: Position = None,
        alert: Text = None,
        before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
        limit: Limit = 100,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """What happened, the newest first."""
        given = (kind, severity, chain, wallet, position, alert)
        found = data.events(dict(zip(EVENT_FILTERS, given, strict=True)), before, limit)
        return _by_content(found, if_none_match)

    @router.get("/history", response_model=HistoryDocument)
    def history(
        request: Request,
        metric: Text = None,
        chain: Text = None,
        wallet: Text = None,
        protocol: Text = None,
        market: Text = None,
        position: Position = None,
        asset: Text = None,
        since: Seconds = None,
        until: Seconds = None,
        resolution: Literal["raw", "hourly", "daily"] | None = None,
        limit: Annotated[int, Query(ge=1, le=2_000)] = 500,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """What was measured, by default in the last day; labels narrow it."""
        labels = {
            "metric": metric, "chain": chain, "wallet": wallet, "protocol": protocol,
            "market": market, "position": position, "asset": asset,
        }  # fmt: skip
        given = {name: value for name, value in labels.items() if value is not None}
        found = data.history(given, since=since, until=until, grain=resolution, limit=limit)
        return _by_content(found, if_none_match)

    @router.get("/system", response_model=SystemDocument)
    def system(if_none_match: IfNoneMatch = None) -> Response:
        """How the service itself is."""
        return _by_content(data.system(), if_none_match)


def _stream(router: APIRouter, hub: Hub) -> None:
    @router.get(
        "/stream",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def stream(
        last_event_id: Annotated[str | None, Header(max_length=40)] = None,
        since: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    ) -> Response:
        """Server-sent events: `event`, `snapshot`; resumes by `Last-Event-ID` (or `since`)."""
        last = since
        if last_event_id is not None and last_event_id.isascii() and last_event_id.isdecimal():
            last = min(int(last_event_id), 2**62)
        frames = await hub.listen(last)
        return StreamingResponse(
            frames, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )


def _acting(router: APIRouter, acts: Acts, keys: Keys) -> None:
    def done(action: str, text: str, id_: str | None = None) -> ActionDocument:
        return ActionDocument.model_validate(
            {"schema": "underkeel.action/1", "action": action, "text": text, "id": id_}
        )

    given: dict[str, Any] = {
        "response_model": ActionDocument,
        "responses": WRITE_PROBLEMS,
        "tags": ["act"],
    }

    @router.get("/csrf", response_model=CsrfDocument, tags=["act"])
    def csrf(request: Request) -> CsrfDocument:
        """What a POST must repeat in `X-CSRF-Token`, unless it shows the token as Bearer."""
        token = keys.csrf(request.state.caller.session)
        return CsrfDocument(schema="underkeel.csrf/1", token=token)

    @router.post("/alerts/ack", **given)
    def ack(body: Ack) -> ActionDocument:
        """Acknowledge an alert: no more reminders of it, and it does not escalate."""
        return done("ack", acts.ack(body.id), body.id)

    @router.post("/alerts/silence", **given)
    def silence(body: SilenceBody) -> ActionDocument:
        """Hold back messages for a time; alerts themselves go on."""
        id_ = acts.silence(body.match, body.seconds, body.reason)
        return done("silence", f"silenced for {body.seconds} s", id_)

    @router.post("/alerts/unsilence", **given)
    def unsilence(body: Unsilence) -> ActionDocument:
        """End a silence before its time."""
        return done("unsilence", acts.unsilence(body.id), body.id)

    @router.post("/pause", **given)
    def pause(body: Pause) -> ActionDocument:
        """Stop everything from being signed; only `underkeel resume` undoes it."""
        return done("pause", acts.pause(body.reason))


def _depends(function: Callable[..., Any]) -> Any:
    from fastapi import Depends

    return Depends(function)


def _by_version(
    request: Request, version: str, given: str | None, make: Callable[[], BaseModel]
) -> Response:
    """Answer 304 where nothing was written since; the document is not even read then."""
    tag = _tag(f"{version} {request.url.path}?{request.url.query}".encode())
    if _same(tag, given):
        return Response(status_code=304, headers={"ETag": tag})
    return _json(make().model_dump_json(by_alias=True, exclude_unset=True).encode(), tag)


def _by_content(document: BaseModel, given: str | None) -> Response:
    """Answer 304 where the document says the same as before, but for its age."""
    lasting = document.model_dump_json(by_alias=True, exclude=dict(VOLATILE), exclude_unset=True)
    tag = _tag(lasting.encode())
    if _same(tag, given):
        return Response(status_code=304, headers={"ETag": tag})
    return _json(document.model_dump_json(by_alias=True, exclude_unset=True).encode(), tag)


def _json(body: bytes, tag: str) -> Response:
    return Response(body, media_type="application/json", headers={"ETag": tag})


def _tag(text: bytes) -> str:
    return f'W/"{hashlib.sha256(text).hexdigest()[:32]}"'


def _same(tag: str, given: str | None) -> bool:
    return given is not None and tag in (part.strip() for part in given.split(","))
