"""Make the document `underkeel.stress/1`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from risk.greeks import Greeks
from risk.scenario.extreme import Peaks
from risk.scenario.types import Fate
from underkeel.documents import stress as models
from underkeel.documents.build import ENGINE_VERSION, utc
from underkeel.portfolio import Portfolio
from underkeel.stress.factors import Known
from underkeel.stress.grid import Grid
from underkeel.stress.run import Moved, Play, Result
from underkeel.stress.tail import Risk, beyond, split


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was asked for."""

    portfolio: Portfolio
    how: Play
    results: tuple[Result, ...]
    greeks: Mapping[str, Greeks]
    """By chain."""
    factors: tuple[Known, ...]
    unread: tuple[str, ...]
    grid: Grid | None = None
    risk: Risk | None = None

    @property
    def unknown(self) -> tuple[str, ...]:
        """Return what is in no number, each once."""
        found = [*self.unread, *(u for r in self.results for u in r.unknown)]
        found += self.grid.unknown if self.grid else ()
        found += self.risk.unknown if self.risk else ()
        found += [u for g in self.greeks.values() for u in g.unknown]
        return tuple(dict.fromkeys(found))

    def label(self, chain: str, factor: str) -> str:
        """Return what people call a factor."""
        told = (k.shown for k in self.factors if (k.chain, k.name) == (chain, factor))
        return next(told, factor)


def stress_document(report: Report, at: float) -> models.StressDocument:
    """Return `underkeel.stress/1`; what was not asked for is left out."""
    given: dict[str, Any] = {}
    if report.grid is not None:
        given["grid"] = _grid(report.grid)
    if report.risk is not None:
        given["risk"] = _risk(report, report.risk)
    return models.StressDocument(
        schema="underkeel.stress/1",
        generated_at=utc(at),
        engine_version=ENGINE_VERSION,
        chains=[
            models.StressChain(
                name=c.name,
                chain_id=str(c.chain_id),
                block_number=str(c.at.number) if c.at else None,
                block_hash=c.at.hash if c.at else None,
                timestamp=str(c.at.timestamp) if c.at else None,
            )
            for c in report.portfolio.chains
        ],
        accounts=list(report.portfolio.accounts),
        steps=str(report.how.steps),
        gas_usd=report.how.gas_usd,
        scenarios=[_scenario(r) for r in report.results],
        greeks=[
            models.StressGreek(
                chain=chain,
                factor=g.factor,
                label=report.label(chain, g.factor),
                delta_usd=g.delta_usd,
                gamma_usd_per_1pct=g.gamma_usd_per_1pct,
                vega_usd_per_volpt=g.vega_usd_per_volpt,
                theta_usd_per_day=g.theta_usd_per_day,
                lvr_usd_per_variance=g.lvr_usd_per_variance,
            )
            for chain, found in report.greeks.items()
            for g in found.by_factor
        ],
        unknown=list(report.unknown),
        **given,
    )


def _scenario(result: Result) -> models.StressScenario:
    given: dict[str, Any] = {"nodes": list(result.nodes)} if result.nodes else {}
    return models.StressScenario(
        name=result.name,
        title=result.title,
        source=result.source,
        loss_usd=None if result.blank else result.loss_usd,
        before_usd=None if result.blank else result.before_usd,
        after_usd=None if result.blank else result.after_usd,
        bad_debt_usd=result.bad_debt_usd,
        penalty_usd=result.penalty_usd,
        liquidated=str(result.liquidated),
        partial=bool(result.unknown),
        unknown=list(result.unknown),
        moves=[_move(m) for m in result.moved],
        positions=[_position(f) for f in result.fates],
        **given,
    )


def _move(moved: Moved) -> models.StressMove:
    return models.StressMove(
        chain=moved.known.chain,
        factor=moved.known.name,
        label=moved.known.shown,
        change_frac=moved.change_frac,
        why=moved.why,
        assumed=moved.assumed,
    )


def _position(fate: Fate) -> models.StressPosition:
    return models.StressPosition(
        id=fate.position.id,
        before_usd=fate.before_usd,
        after_usd=fate.after_usd,
        loss_usd=fate.loss_usd,
        bad_debt_usd=fate.bad_debt_usd,
        penalty_usd=fate.penalty_usd,
        end=fate.end.value,
        status=fate.status.value,
        liquidations=[
            models.StressTaken(
                step=str(t.step),
                debt_asset=t.debt,
                repaid_raw=str(t.repaid),
                collateral_asset=t.collateral,
                seized_raw=str(t.seized),
                protocol_fee_raw=str(t.fee),
            )
            for t in fate.taken
        ],
        causes=list(fate.causes),
    )


def _grid(grid: Grid) -> models.StressGrid:
    def point(i: int, j: int) -> models.StressPoint:
        return models.StressPoint(
            first_frac=grid.moves[0][i],
            second_frac=grid.moves[1][j],
            loss_usd=grid.loss_usd[i][j],
            liquidated=str(grid.liquidated[i][j]),
            bad_debt_usd=grid.bad_debt_usd[i][j],
        )

    return models.StressGrid(
        first=grid.names[0],
        second=grid.names[1],
        first_factors=[k.name for k in grid.factors[0]],
        second_factors=[k.name for k in grid.factors[1]],
        before_usd=grid.before_usd,
        worst=point(*grid.worst),
        points=[point(i, j) for i in range(len(grid.moves[0])) for j in range(len(grid.moves[1]))],
        unknown=list(grid.unknown),
    )


def _risk(report: Report, risk: Risk) -> models.StressRisk:
    return models.StressRisk(
        horizon_s=str(risk.horizon_s),
        paths=str(risk.paths),
        method=risk.method,
        tails=[
            models.StressTail(
                level_frac=t.level,
                var_usd=t.var_usd,
                es_usd=t.es_usd,
                var_low_usd=t.var_low_usd,
                var_high_usd=t.var_high_usd,
            )
            for t in risk.tails
        ],
        parts=[
            models.StressPart(id=name, es_usd=part)
            for name, part in sorted(risk.parts.items(), key=lambda row: -row[1])
        ],
        peaks=_peaks(risk.peaks) if isinstance(risk.peaks, Peaks) else None,
        peaks_cause="" if isinstance(risk.peaks, Peaks) else risk.peaks,
        liquidated_frac=risk.liquidated_frac,
        sweep=[
            models.StressSweep(
                toward_one_frac=s.toward_one,
                volatility_multiple=s.volatility,
                var_usd=s.tail.var_usd,
                es_usd=s.tail.es_usd,
                liquidated_frac=s.liquidated_frac,
            )
            for s in risk.sweep
        ],
        worst=[
            models.StressWorst(
                sigmas=w.sigmas,
                loss_usd=w.loss_usd,
                certified=w.certified,
                moves=_moves(report, w.moves),
            )
            for w in risk.worst
        ],
        assumed=[f"{report.label(*split(name))}: {why}" for name, why in risk.assumed.items()],
        unknown=list(risk.unknown),
    )


def _peaks(found: Peaks) -> models.StressPeaks:
    return models.StressPeaks(
        threshold_usd=found.threshold,
        excesses=str(found.excesses),
        shape=found.shape,
        shape_se=found.shape_se,
        scale_usd=found.scale,
        statistic=found.statistic,
        beyond=[
            models.StressBeyond(
                level_frac=b.level,
                var_usd=b.var_usd,
                var_se_usd=b.var_se_usd,
                es_usd=b.es_usd,
                es_se_usd=b.es_se_usd,
            )
            for b in beyond(found)
        ],
    )


def _moves(report: Report, moves: Mapping[str, float]) -> list[models.StressMove]:
    found = []
    for name, many in moves.items():
        chain, factor = split(name)
        found.append(
            models.StressMove(
                chain=chain,
                factor=factor,
                label=report.label(chain, factor),
                change_frac=many - 1,
                why="searched",
                assumed=False,
            )
        )
    return found
