"""Make the JSON documents from a portfolio."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from protocols.types import Leg, Price, Unpriced
from risk.types import Assessment, Boundary, Liquidation, Status
from underkeel import __version__
from underkeel.documents import models
from underkeel.documents.facts import facts
from underkeel.documents.greeks import greek_parts
from underkeel.documents.hashing import inputs_hash
from underkeel.portfolio import ChainReport, Portfolio
from underkeel.valuation import Valuation, totals

ENGINE_VERSION: Final = f"underkeel {__version__}"
MODEL_VERSION: Final = "liquidation/1"
LATEST: Final = 253_402_300_799.0
"""The end of the year 9999: what a document's time can still say."""


def positions_document(portfolio: Portfolio, at: float) -> models.PositionsDocument:
    """Return `underkeel.positions/1`."""
    return models.PositionsDocument(
        schema="underkeel.positions/1", positions=_positions(portfolio), **common(portfolio, at)
    )


def risk_document(
    portfolio: Portfolio, at: float, shock: models.Shock | None = None
) -> models.RiskDocument:
    """Return `underkeel.risk/1`."""
    given: dict[str, Any] = common(portfolio, at)
    if shock is not None:
        given["shock"] = shock
    return models.RiskDocument(schema="underkeel.risk/1", positions=_positions(portfolio), **given)


def status_document(portfolio: Portfolio, at: float, mode: str) -> models.StatusDocument:
    """Return `underkeel.status/1`."""
    worst = worst_of(portfolio.assessments)
    return models.StatusDocument(
        schema="underkeel.status/1",
        mode=mode,
        attention=needs_attention(portfolio),
        worst=None
        if worst is None
        else models.Worst(
            id=worst.position.id,
            status=worst.liquidation.status,
            health_raw=integer(worst.liquidation.health_raw),
            health_scale=str(worst.liquidation.health_scale),
        ),
        **common(portfolio, at),
    )


def needs_attention(portfolio: Portfolio) -> bool:
    """Return whether anything is liquidatable, or not known."""
    bad = (Status.LIQUIDATABLE, Status.SOFT, Status.UNKNOWN)
    positions = portfolio.assessments
    return (
        any(a.liquidation.status in bad or a.position.unknown for a in positions)
        or bool(portfolio.unreadable)
        or any(chain.fault for chain in portfolio.chains)
    )


def worst_of(assessments: Iterable[Assessment]) -> Assessment | None:
    """Return the position nearest to liquidation, or past it; None where none has a health."""
    return min(
        (a for a in assessments if a.liquidation.health_raw is not None),
        key=lambda a: (a.liquidation.health_raw or 0) / a.liquidation.health_scale,
        default=None,
    )


def utc(at: float) -> str:
    """Return a time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(at: float) -> str:
    """Return a time of our own clock, to the millisecond, between 1970 and 9999."""
    bounded = min(max(at, 0.0), LATEST)
    text = datetime.fromtimestamp(bounded, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{int(bounded * 1000) % 1000:03d}Z"


def integer(value: int | None) -> str | None:
    """Return an integer as documents carry it."""
    return None if value is None else str(value)


def common(portfolio: Portfolio, at: float, *, hashed: bool = True) -> dict[str, Any]:
    """Return what every document of a portfolio holds beside its positions.

    Without `hashed` the chains have no hash of what was read: it is of more than one block.
    """
    positions = portfolio.assessments
    unknown = sum(
        1 for a in positions if a.liquidation.status is Status.UNKNOWN or a.position.unknown
    )
    unread = unknowns(portfolio)
    sums = portfolio_totals(portfolio)
    return {
        "generated_at": utc(at),
        "chains": [_chain(chain, portfolio, hashed=hashed) for chain in portfolio.chains],
        "accounts": list(portfolio.accounts),
        "unknown": unread,
        "totals": models.Totals(
            equity_usd=None if sums.partial else float(sums.priced_usd),
            priced_usd=float(sums.priced_usd),
            partial=sums.partial,
            unpriced=list(sums.unpriced),
            positions=str(len(positions)),
            liquidatable=str(
                sum(1 for a in positions if a.liquidation.status is Status.LIQUIDATABLE)
            ),
            unknown=str(unknown + len(unread)),
        ),
    }


def portfolio_totals(portfolio: Portfolio) -> Any:
    """Return what all positions are worth together."""
    valued = [
        ([a.position for a in chain.positions], chain.valuation)
        for chain in portfolio.chains
        if chain.valuation is not None
    ]
    down = sum(1 for chain in portfolio.chains if chain.fault)
    return totals(valued, len(portfolio.unreadable) + down)


def unknowns(portfolio: Portfolio) -> list[models.Unknown]:
    """Return everything that could not be read: whole chains, markets, accounts."""
    whole = [
        models.Unknown(
            chain=c.name, protocol=None, market=None, root=None, owner=None, cause=c.cause
        )
        for c in portfolio.chains
        if c.fault
    ]
    return whole + [
        models.Unknown(
            chain=chain.name,
            protocol=u.protocol,
            market=u.market,
            root=u.root,
            owner=u.owner,
            cause=u.cause,
        )
        for chain, u in portfolio.unreadable
    ]


def _chain(chain: ChainReport, portfolio: Portfolio, *, hashed: bool) -> models.Chain:
    at = chain.at
    digest = None
    if at is not None and hashed:
        found = [a.position for a in chain.positions]
        digest = inputs_hash(at, portfolio.accounts, chain.markets, chain.prices, found)
    return models.Chain(
        name=chain.name,
        chain_id=str(chain.chain_id),
        status="ok" if chain.fault is None else chain.fault.value,
        cause=chain.cause or None,
        block_number=integer(at.number if at else None),
        block_hash=at.hash if at else None,
        timestamp=integer(at.timestamp if at else None),
        age_s=integer(chain.age_s),
        engine_version=ENGINE_VERSION,
        model_version=MODEL_VERSION,
        inputs_hash=digest,
        requests=str(chain.requests),
    )


def _positions(portfolio: Portfolio) -> list[models.Position]:
    return [
        position(assessment, chain, portfolio)
        for chain in portfolio.chains
        for assessment in chain.positions
    ]


def position(found: Assessment, chain: ChainReport, portfolio: Portfolio) -> models.Position:
    """Return one position with everything that is known about it."""
    held, valuation = found.position, chain.valuation
    assert valuation is not None  # a chain with positions was read
    moving = greek_parts(held, valuation)
    given: dict[str, Any] = {"greeks": moving} if moving else {}
    return models.Position(
        id=held.id,
        chain=chain.name,
        protocol=held.protocol,
        version=held.version,
        market=held.market,
        root=held.root,
        owner=held.owner,
        owner_name=portfolio.names.get(held.owner),
        kind=held.kind,
        legs=[_leg(leg, valuation) for leg in held.legs],
        equity_usd=found.equity_usd,
        verified=held.verified,
        notes=list(held.notes),
        unknown=list(held.unknown),
        allowances=[
            models.Allowance(
                asset=given.token.address,
                symbol=given.token.symbol,
                spender=given.spender,
                amount_raw=str(given.amount),
                decimals=integer(given.token.decimals),
                unlimited=given.unlimited,
            )
            for given in held.allowances
        ],
        receipts=list(held.receipts),
        liquidation=_liquidation(found.liquidation),
        **given,
        facts=facts(found),
        provenance=models.Provenance(
            chain_id=str(held.at.chain_id),
            block_number=str(held.at.number),
            block_hash=held.at.hash,
            timestamp=str(held.at.timestamp),
            engine_version=ENGINE_VERSION,
            model_version=MODEL_VERSION,
            inputs_hash=inputs_hash(held),
        ),
    )


def _leg(leg: Leg, valuation: Valuation) -> models.Leg:
    price = leg.price if leg.price is not None else valuation.price(leg)
    value = valuation.usd(leg)
    known = price if isinstance(price, Price) else None
    aged = known.updated_at if known else None
    return models.Leg(
        asset=leg.token.address,
        symbol=leg.token.symbol,
        name=leg.name,
        amount_raw=str(leg.amount),
        decimals=integer(leg.token.decimals),
        side=leg.side.value,
        oracle_expr=price.source or None,
        price_raw=integer(known.raw if known else None),
        price_decimals=integer(known.decimals if known else None),
        price_quote=known.quote if known else None,
        price_age_s=integer(None if aged is None else valuation.at.timestamp - aged),
        price_problems=[price.cause] if isinstance(price, Unpriced) else list(price.problems),
        value_usd=None if value is None else float(value),
    )


def _liquidation(found: Liquidation) -> models.Liquidation:
    oracle = found.oracle
    return models.Liquidation(
        status=found.status.value,
        health_raw=integer(found.health_raw),
        health_scale=str(found.health_scale),
        boundary=[boundary(b) for b in found.boundary],
        time_to_liq_s=integer(found.time_to_liq_s),
        time_exact=found.time_exact,
        close_factor_frac=found.close_factor_frac,
        penalty_frac=found.penalty_frac,
        expected_loss_usd=found.expected_loss_usd,
        oracle=None
        if oracle is None
        else models.Oracle(
            age_s=integer(oracle.age_s),
            heartbeat_s=integer(oracle.heartbeat_s),
            deviation_bps=integer(oracle.deviation_bps),
            market_gap_bps=integer(oracle.market_gap_bps),
        ),
        blocked_by=list(found.blocked_by),
        causes=list(found.causes),
    )


def boundary(found: Boundary) -> models.Boundary:
    """Return where a factor makes a position liquidatable."""
    return models.Boundary.model_validate(
        {
            "factor": found.factor,
            "label": found.label,
            "price_raw": str(found.price_raw),
            "safe_price_raw": str(found.safe_price_raw),
            "current_raw": str(found.current_raw),
            "decimals": str(found.decimals),
            "distance_frac": found.distance_frac,
            "direction": found.direction.value,
            "mode": found.mode,
            "exact": found.exact,
        }
    )
