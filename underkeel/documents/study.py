"""Fill the parts of the risk document that hang on joint moves."""

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Any

from underkeel.distance.remedies import Way, Ways
from underkeel.documents import distances, models

if TYPE_CHECKING:  # brings arrays and histories along
    from risk.distance.economic import Apart
    from risk.distance.joint import Joint
    from underkeel.distance.study import Found, Study


def enriched(
    position: models.Position,
    study: "Study | None",
    ways: Mapping[str, Ways],
    apart: "Mapping[str, Apart]",
) -> models.Position:
    """Return a position with what was computed of it besides; what was not stays absent."""
    inner: dict[str, Any] = {}
    found = study.found.get(position.id) if study is not None else None
    if study is not None and found is not None:
        inner["joint"] = _joint(position.chain, found, study)
        inner["prob"] = [_chance(chance) for chance in found.chances]
        if position.liquidation.oracle is not None:
            known = _oracle(position.chain, found, study)
            inner["oracle"] = position.liquidation.oracle.model_copy(update=known)
    if (both := apart.get(position.id)) is not None:
        inner["oracle_distance_frac"] = both.oracle_frac
        inner["economic_distance_frac"] = both.economic_frac
        inner["economic_causes"] = list(both.causes)
    outer: dict[str, Any] = {}
    if inner:
        outer["liquidation"] = position.liquidation.model_copy(update=inner)
    if (some := ways.get(position.id)) is not None:
        outer["remedies"] = _remedies(some)
    return position.model_copy(update=outer) if outer else position


def extended(
    document: models.RiskDocument,
    study: "Study | None",
    ways: Mapping[str, Ways],
    apart: "Mapping[str, Apart]",
) -> models.RiskDocument:
    """Return the risk document with what was computed besides; what was not stays absent."""
    positions = [enriched(position, study, ways, apart) for position in document.positions]
    more: dict[str, Any] = {"positions": positions}
    if study is not None:
        more["joint"] = wallet_part(study)
    return document.model_copy(update=more)


def wallet_part(study: "Study") -> distances.Wallet:
    """Return who falls first and what was assumed."""
    wallet = study.wallet
    return distances.Wallet(
        beta_sigma=wallet.beta,
        horizon_s=str(study.horizon_s),
        first=wallet.order[0].name if wallet.order and wallet.order[0].joint else None,
        shock=[
            distances.Move(
                chain=study.sources[key][0],
                factor=study.sources[key][1],
                label=study.labels[key],
                return_frac=float(moved),
                current_raw=None,
                price_raw=None,
                safe_price_raw=None,
                decimals=None,
            )
            for key, moved in zip(wallet.factors, wallet.shock, strict=True)
        ],
        order=[
            distances.Falls(
                id=fall.name,
                beta_sigma=None if fall.joint is None else fall.joint.beta,
                multiple=fall.multiple,
            )
            for fall in wallet.order
        ],
        unmeasured=[
            distances.Unmeasured(id=name, cause=cause) for name, cause in study.unmeasured.items()
        ],
        covariance=study.covariance.method,
        volatility=[
            distances.Volatility(
                chain=study.sources[v.factor][0],
                factor=study.sources[v.factor][1],
                label=study.labels[v.factor],
                sigma_daily=v.sigma_daily,
                model=v.model,
                qlike=next((s.qlike for s in v.scores if s.model == v.model), None),
                assumed=v.assumed or None,
            )
            for v in study.residuals.volatility
        ],
    )


def _oracle(chain: str, found: "Found", study: "Study") -> dict[str, str | None]:
    """Return the coarsest deviation and the widest gap of a position's feeds, in whole bps.

    A deviation that is not known of every feed is not known of the position.
    """
    trusts = [study.trusts.get(f"{chain} {factor.name}") for factor in found.factors]
    deviations = [None if trust is None else trust.rule.deviation_bps for trust in trusts]
    known = [deviation for deviation in deviations if deviation is not None]
    gaps = [trust.market.mean_frac for trust in trusts if trust and trust.market]
    widest = max(gaps, key=abs, default=None)
    coarsest = max(known) if known and len(known) == len(deviations) else None
    return {
        "deviation_bps": _text(None if coarsest is None else ceil(coarsest)),
        "market_gap_bps": _text(None if widest is None else round(widest * 10_000)),
    }


def _joint(chain: str, found: "Found", study: "Study") -> distances.Joint:
    joint, plane = found.joint, found.plane
    return distances.Joint(
        beta_sigma=None if joint is None else joint.beta,
        horizon_s=str(study.horizon_s),
        shock=[] if joint is None else _moves(chain, found, joint),
        method="none within reach" if joint is None else joint.method,
        certified=joint is not None and joint.certified,
        exact_multiple=None if found.edge is None else found.edge.multiple,
        exact=None if found.edge is None else found.edge.exact,
        plane_beta_sigma=None if plane is None or plane.rejected else plane.beta,
        assumed=list(found.assumed),
    )


def _moves(chain: str, found: "Found", joint: "Joint") -> list[distances.Move]:
    there = found.edge.liquidatable if found.edge else {}
    before = found.edge.safe if found.edge else {}
    return [
        distances.Move(
            chain=chain,
            factor=factor.name,
            label=factor.label,
            return_frac=float(moved),
            current_raw=str(factor.raw),
            price_raw=_text(there.get(factor.name, factor.raw if there else None)),
            safe_price_raw=_text(before.get(factor.name, factor.raw if before else None)),
            decimals=str(factor.decimals),
        )
        for factor, moved in zip(found.factors, joint.shock, strict=True)
    ]


def _chance(chance: Any) -> distances.Chance:
    return distances.Chance(
        horizon_s=str(chance.horizon_s),
        method=chance.method,
        p=chance.p,
        ci_lo=chance.ci_lo,
        ci_hi=chance.ci_hi,
        cause=chance.cause or None,
    )


def _remedies(ways: Ways) -> distances.Remedies:
    found = ways.found
    unknown = [ways.cause] if found is None else list(found.unknown)
    return distances.Remedies(
        target_raw=str(ways.target_raw),
        for_timestamp=str(ways.at),
        already=found is not None and found.already,
        each=[_way(way) for way in ways.each],
        unknown=unknown,
    )


def _way(way: Way) -> distances.Remedy:
    remedy = way.remedy
    return distances.Remedy(
        kind=remedy.kind.value,
        asset=remedy.asset,
        symbol=remedy.symbol,
        name=remedy.name,
        amount_raw=_text(remedy.amount),
        decimals=_text(remedy.decimals),
        usd=way.usd,
        health_raw=_text(remedy.health_raw),
        whole=remedy.whole,
        feasible=way.feasible.value,
        reasons=list(way.reasons),
    )


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


__all__ = ["extended"]
