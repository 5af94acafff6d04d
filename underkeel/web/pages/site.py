"""What the pages need of the app around them: documents to read, and the few acts there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from starlette.requests import Request

from underkeel.documents.alerts import AlertsDocument, SilencesDocument
from underkeel.documents.approvals import ApprovalsDocument
from underkeel.documents.events import EventsDocument
from underkeel.documents.exposure import ExposureDocument
from underkeel.documents.history import HistoryDocument
from underkeel.documents.ladder import LadderDocument
from underkeel.documents.models import RiskDocument
from underkeel.documents.overview import OverviewDocument
from underkeel.documents.proposals import ProposalsDocument
from underkeel.documents.system import SystemDocument
from underkeel.documents.txs import TxsDocument


class Reader(Protocol):
    """The documents; what has not been computed yet is None."""

    def overview(self) -> OverviewDocument: ...
    def risk(self) -> RiskDocument: ...
    def ladder(self) -> LadderDocument | None: ...
    def exposure(self) -> ExposureDocument | None: ...
    def plans(self) -> ProposalsDocument: ...
    def txs(self) -> TxsDocument: ...
    def alerts(self, *, state: str | None = None, limit: int | None = None) -> AlertsDocument: ...
    def silences(self) -> SilencesDocument: ...
    def events(
        self, filters: Mapping[str, str | None] | None = None, before: int | None = None
    ) -> EventsDocument: ...
    def approvals(self) -> ApprovalsDocument: ...
    def history(
        self, filters: Mapping[str, str] | None = None, *, since: float | None = None
    ) -> HistoryDocument: ...
    def system(self) -> SystemDocument: ...


class Acts(Protocol):
    """What a page may do; each returns what was done, in words."""

    def ack(self, key: str) -> str: ...
    def silence(self, match: Mapping[str, str], seconds: int, reason: str) -> str: ...
    def unsilence(self, key: str) -> str: ...
    def pause(self, reason: str) -> str: ...


class Guard(Protocol):
    """Who is asking, and whether a form is really theirs."""

    def csrf(self, request: Request) -> str:
        """Return what a form must bring back."""
        ...

    def may_write(self, request: Request, form: Mapping[str, Any]) -> bool:
        """Return whether a form comes from a page of ours."""
        ...

    @property
    def token(self) -> bool:
        """Whether a token is asked for: there is somebody to log out."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that the routes hold."""

    read: Reader
    acts: Acts
    guard: Guard
    zone: str


@dataclass(frozen=True, slots=True)
class Page:
    """One entry of the navigation."""

    key: str
    path: str
    title: str
    shortcut: str


PAGES: Final = (
    Page("overview", "/", "Overview", "o"),
    Page("positions", "/positions", "Positions", "p"),
    Page("risk", "/risk", "Risk", "r"),
    Page("exposure", "/exposure", "Exposure", "e"),
    Page("rebalance", "/rebalance", "Rebalance", "b"),
    Page("transactions", "/transactions", "Transactions", "t"),
    Page("alerts", "/alerts", "Alerts", "a"),
    Page("approvals", "/approvals", "Approvals", "v"),
    Page("history", "/history", "History", "h"),
    Page("system", "/system", "System", "s"),
)
"""In the order of the rail; `g` and the shortcut goes there."""
