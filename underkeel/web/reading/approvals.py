"""Who may take tokens: allowances as they were read, with what a study says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from underkeel.documents import models
from underkeel.documents.approvals import Approval, ApprovalsDocument
from underkeel.documents.exposure import ExposureAllowance, ExposureDocument, ExposureNode
from underkeel.web.reading.common import moment, piece
from underkeel.web.reading.portfolio import Held

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Studied:
    """What the exposure study says."""

    takings: Mapping[Key, ExposureAllowance]
    """By position, asset and spender."""
    nodes: Mapping[tuple[str, str], ExposureNode]
    """By chain and address."""
    at: float | None

    @classmethod
    def of(cls, document: ExposureDocument | None, at: float | None) -> "Studied":
        """Return what a document holds."""
        if document is None:
            return cls({}, {}, None)
        takings = {(a.position, a.asset, a.spender): a for a in document.allowances}
        nodes = {(n.chain, n.address): n for n in document.nodes if n.address}
        return cls(takings, nodes, at)


def approvals_document(
    all_: Held,
    studied: Studied,
    now: float,
    *,
    chain: str | None = None,
    wallet: str | None = None,
    unlimited: bool | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> ApprovalsDocument:
    """Return `underkeel.approvals/1`: what could cost most first, the unknown before the rest."""
    every = [_approval(one, given, studied) for one in all_.positions for given in one.allowances]
    found = [
        one
        for one in every
        if chain in (None, one.chain)
        and wallet in (None, one.owner, one.owner_name)
        and unlimited in (None, one.unlimited)
    ]
    found.sort(key=_order)
    asked = {"chain": chain, "wallet": wallet, "unlimited": unlimited}
    rows, page = piece(found, limit, offset, **asked)
    return ApprovalsDocument(
        schema="underkeel.approvals/1",
        generated_at=moment(now),
        chains=list(all_.chains),
        approvals=rows,
        unlimited=str(sum(1 for one in every if one.unlimited)),
        takeable_usd=_together(every),
        studied_at=None if studied.at is None else moment(studied.at),
        page=page,
    )


def _together(every: Sequence[Approval]) -> float | None:
    """Return what all spenders can take: a balance is gone once, whoever takes it."""
    most: dict[Key, float] = {}
    for one in every:
        if one.takes_usd is None:
            return None
        key = (one.chain, one.owner, one.asset)
        most[key] = max(most.get(key, 0.0), one.takes_usd)
    return sum(most.values())


def _approval(one: models.Position, given: models.Allowance, studied: Studied) -> Approval:
    taking = studied.takings.get((one.id, given.asset, given.spender))
    same = taking is not None and taking.allowance_raw == given.amount_raw
    node = studied.nodes.get((one.chain, given.spender))
    return Approval(
        chain=one.chain,
        owner=one.owner,
        owner_name=one.owner_name,
        position=one.id,
        asset=given.asset,
        symbol=given.symbol,
        decimals=given.decimals,
        spender=given.spender,
        spender_label=node.label if node else None,
        amount_raw=given.amount_raw,
        unlimited=given.unlimited,
        takes_raw=taking.takes_raw if taking and same else None,
        takes_usd=taking.takes_usd if taking and same else None,
        admin_kind=node.admin_kind if node else None,
        delay_s=node.delay_s if node else None,
        block_number=one.provenance.block_number,
        timestamp=one.provenance.timestamp,
    )


def _order(one: Approval) -> tuple[int, float, bool, str, str]:
    known = one.takes_usd is not None
    return (known, -(one.takes_usd or 0.0), not one.unlimited, one.symbol, one.spender)
