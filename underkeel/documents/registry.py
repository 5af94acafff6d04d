"""Every document there is, by the name in its `schema` field."""

from underkeel.documents.alerts import AlertsDocument, SilencesDocument
from underkeel.documents.approvals import ApprovalsDocument
from underkeel.documents.channels import AlertTestDocument
from underkeel.documents.demo import DemoDocument
from underkeel.documents.events import EventsDocument
from underkeel.documents.execution import (
    ExecuteDocument,
    ProposalDocument,
    TxDocument,
    WishDocument,
)
from underkeel.documents.export import ExportDocument
from underkeel.documents.exposure import ExposureDocument
from underkeel.documents.history import HistoryDocument
from underkeel.documents.ladder import LadderDocument
from underkeel.documents.models import (
    DoctorDocument,
    PositionsDocument,
    RiskDocument,
    StatusDocument,
)
from underkeel.documents.oracles import OraclesDocument
from underkeel.documents.overview import OverviewDocument
from underkeel.documents.paging import (
    ActionDocument,
    CsrfDocument,
    HealthDocument,
    ProblemDocument,
    ServingDocument,
)
from underkeel.documents.part import Part
from underkeel.documents.plan import PlanDocument
from underkeel.documents.proposals import ProposalsDocument
from underkeel.documents.round import RoundDocument
from underkeel.documents.scan import ScanDocument
from underkeel.documents.storage import DatabaseDocument
from underkeel.documents.stress import StressDocument
from underkeel.documents.system import SystemDocument
from underkeel.documents.txs import TxsDocument
from underkeel.documents.wallets import PauseDocument, WalletDocument, WalletsDocument

DOCUMENTS: dict[str, type[Part]] = {
    "underkeel.positions/1": PositionsDocument,
    "underkeel.risk/1": RiskDocument,
    "underkeel.status/1": StatusDocument,
    "underkeel.demo/2": DemoDocument,
    "underkeel.doctor/1": DoctorDocument,
    "underkeel.scan/1": ScanDocument,
    "underkeel.stress/1": StressDocument,
    "underkeel.exposure/1": ExposureDocument,
    "underkeel.oracles/1": OraclesDocument,
    "underkeel.plan/1": PlanDocument,
    "underkeel.execute/1": ExecuteDocument,
    "underkeel.proposal/1": ProposalDocument,
    "underkeel.tx/1": TxDocument,
    "underkeel.wish/1": WishDocument,
    "underkeel.wallets/1": WalletsDocument,
    "underkeel.wallet/1": WalletDocument,
    "underkeel.pause/1": PauseDocument,
    "underkeel.round/1": RoundDocument,
    "underkeel.alert-test/1": AlertTestDocument,
    "underkeel.overview/1": OverviewDocument,
    "underkeel.ladder/1": LadderDocument,
    "underkeel.approvals/1": ApprovalsDocument,
    "underkeel.proposals/1": ProposalsDocument,
    "underkeel.txs/1": TxsDocument,
    "underkeel.alerts/1": AlertsDocument,
    "underkeel.silences/1": SilencesDocument,
    "underkeel.events/1": EventsDocument,
    "underkeel.history/1": HistoryDocument,
    "underkeel.system/1": SystemDocument,
    "underkeel.action/1": ActionDocument,
    "underkeel.csrf/1": CsrfDocument,
    "underkeel.health/1": HealthDocument,
    "underkeel.serving/1": ServingDocument,
    "underkeel.problem/1": ProblemDocument,
    "underkeel.database/1": DatabaseDocument,
    "underkeel.export/1": ExportDocument,
}
