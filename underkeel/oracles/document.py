"""Make the document of the feeds."""

from collections.abc import Sequence
from typing import Final

from risk.oracle.types import FeedTrust, MarketGap, UpdateRule
from underkeel.documents import oracles as models
from underkeel.documents.build import ENGINE_VERSION, integer, utc
from underkeel.oracles.read import FeedReport
from underkeel.portfolio import ChainReport, Portfolio

MODEL_VERSION: Final = "oracle/1"


def document(
    portfolio: Portfolio, feeds: Sequence[FeedReport], at: float
) -> models.OraclesDocument:
    """Return `underkeel.oracles/1`."""
    return models.OraclesDocument(
        schema="underkeel.oracles/1",
        generated_at=utc(at),
        engine_version=ENGINE_VERSION,
        model_version=MODEL_VERSION,
        chains=[_chain(chain) for chain in portfolio.chains],
        feeds=[_feed(feed) for feed in feeds],
    )


def _chain(chain: ChainReport) -> models.OracleChain:
    at = chain.at
    return models.OracleChain(
        name=chain.name,
        chain_id=str(chain.chain_id),
        status="ok" if chain.fault is None else chain.fault.value,
        cause=chain.cause or None,
        block_number=integer(at.number if at else None),
        block_hash=at.hash if at else None,
        timestamp=integer(at.timestamp if at else None),
    )


def _feed(found: FeedReport) -> models.OracleFeed:
    trust, upkeep = found.trust, found.trust.upkeep
    return models.OracleFeed(
        chain=found.chain,
        feed=upkeep.feed,
        label=upkeep.label,
        verdict=trust.verdict.value,
        answer_raw=integer(upkeep.answer),
        decimals=integer(upkeep.decimals),
        round_id=integer(upkeep.round_id),
        updated_at=integer(upkeep.updated_at),
        age_s=integer(trust.age_s),
        promised_heartbeat_s=integer(trust.promised_s),
        minimum_raw=integer(upkeep.minimum),
        maximum_raw=integer(upkeep.maximum),
        rule=_rule(trust.rule),
        market=_market(trust.market),
        others=[
            models.OracleNeighbour(source=o.source, label=o.label, gap_frac=o.frac)
            for o in trust.others
        ],
        next=models.OracleNext(
            kind=trust.next.kind.value,
            in_s=integer(trust.next.in_s),
            price_raw=integer(trust.next.price_raw),
            why=trust.next.why,
        ),
        keepers=_keepers(trust),
        sequencer=None
        if trust.sequencer is None
        else models.OracleSequencer(
            state=trust.sequencer.state.value, since=integer(trust.sequencer.since)
        ),
        tokens=list(found.tokens),
        positions=list(found.positions),
        via=list(found.via),
        problems=list(trust.problems),
        unknown=list(trust.unknown),
    )


def _rule(found: UpdateRule) -> models.OracleRule:
    return models.OracleRule(
        heartbeat_s=integer(found.heartbeat_s),
        deviation_bps=found.deviation_bps,
        updates=str(found.updates),
        by_heartbeat=str(found.by_heartbeat),
        by_deviation=str(found.by_deviation),
        explained_frac=found.explained_frac,
        longest_s=integer(found.longest_s),
        quiet_bps=found.quiet_bps,
        overdue=str(found.overdue),
    )


def _market(found: MarketGap | None) -> models.OracleMarket | None:
    if found is None:
        return None
    return models.OracleMarket(
        pool=found.pool,
        source=found.source,
        against=found.against,
        mean_frac=found.mean_frac,
        spot_frac=found.spot_frac,
        depth_usd=found.depth_usd,
        fee_frac=found.fee_frac,
    )


def _keepers(trust: FeedTrust) -> models.OracleKeepers:
    upkeep = trust.upkeep
    return models.OracleKeepers(
        owner=upkeep.owner,
        aggregator=upkeep.aggregator,
        aggregator_kind=upkeep.aggregator_kind,
        aggregator_owner=upkeep.aggregator_owner,
        proposed=upkeep.proposed,
        access=upkeep.access,
        phases=[
            models.OraclePhase(phase=str(phase), aggregator=address)
            for phase, address in upkeep.phases
        ],
    )
