"""Make the document from what was found."""

from collections.abc import Iterator

from chain.types import InvalidAddress, parse_address
from risk.exposure.control import Way
from risk.exposure.graph import Node, NodeKind
from risk.exposure.score import Score
from underkeel.documents import exposure as d
from underkeel.documents.build import integer, utc
from underkeel.exposure.assemble import ChainExposure, Exposure
from underkeel.exposure.compare import Difference
from underkeel.exposure.run import Found


def document(found: Found, at: float) -> d.ExposureDocument:
    """Return `underkeel.exposure/1`."""
    exposure = found.exposure
    losses = exposure.losses
    given = {} if not found.differences else {"diff": [_diff(x) for x in found.differences]}
    return d.ExposureDocument(
        schema="underkeel.exposure/1",
        generated_at=utc(at),
        horizon_years=exposure.priors.horizon_years,
        chains=[_chain(chain) for chain in exposure.chains],
        accounts=list(found.portfolio.accounts),
        positions=list(_positions(exposure)),
        nodes=[
            _node(chain, node)
            for chain in exposure.chains
            for node in chain.graph.nodes.values()
            if node.kind is not NodeKind.POSITION
        ],
        edges=list(_edges(exposure)),
        el_usd=losses.el_usd,
        el_known_usd=losses.known_usd,
        net_el_usd=losses.net_usd,
        worst=[
            d.ExposureWorst(
                node=w.key,
                nodes=list(w.nodes),
                loss_usd=w.loss_usd,
                pd_annual=w.pd,
                positions=list(w.positions),
                unknown=list(w.unknown),
            )
            for w in losses.worst
        ],
        hhi=d.ExposureHhi(**losses.hhi),
        allowances=list(_allowances(exposure)),
        takeable_usd=exposure.takeable_usd,
        cover=[
            d.ExposureCover(name=c.cover.name, payout_usd=c.payout_usd, wrong_way=c.wrong_way)
            for c in losses.cover
        ],
        unknown=[
            *exposure.unknown,
            *(f"{name}: {cause}" for name, cause in found.failed),
            *(f"{c.name} {u.market}: {u.cause}" for c, u in found.portfolio.unreadable),
        ],
        **given,
    )


def _chain(chain: ChainExposure) -> d.ExposureChain:
    at = chain.read.at
    return d.ExposureChain(
        name=chain.read.name,
        chain_id=str(at.chain_id),
        block_number=str(at.number),
        block_hash=at.hash,
        timestamp=str(at.timestamp),
    )


def _positions(exposure: Exposure) -> Iterator[d.ExposedPosition]:
    chains = {chain.read.name: chain for chain in exposure.chains}
    for loss in exposure.losses.positions:
        chain = chains[loss.exposed.chain]
        kind, delay = chain.ruled(loss.exposed.id)
        direct = next(x for x in chain.read.dependencies if x.position == loss.exposed.id)
        yield d.ExposedPosition(
            id=loss.exposed.id,
            chain=loss.exposed.chain,
            protocol=loss.exposed.protocol,
            ead_usd=loss.exposed.ead_usd,
            el_usd=loss.el_usd,
            failure_frac=loss.pd,
            admin_kind=kind.value,
            delay_s=integer(delay),
            exits=[
                d.ExposureExit(
                    asset=one.exit.token,
                    claim_raw=str(one.exit.claim),
                    available_raw=integer(one.exit.available),
                    utilisation_frac=one.utilisation,
                    exit_days=one.days,
                    evidence=one.exit.evidence,
                )
                for one in chain.exits[loss.exposed.id]
            ],
            unknown=list(direct.unknown),
        )


def _node(chain: ChainExposure, node: Node) -> d.ExposureNode:
    facts, control = node.facts, node.control
    score: Score = chain.scores[node.id]
    delay = node.delay_s if control is None else control.delay_s
    return d.ExposureNode(
        chain=chain.read.name,
        id=node.id,
        kind=node.kind.value,
        label=chain.labels.get(node.id),
        address=_address(node.id),
        codehash=facts.codehash if facts else None,
        answers_as=facts.kind.value if facts else None,
        proxies=[proxy.kind.value for proxy in facts.proxies] if facts else [],
        admin_kind=control.kind.value if control else None,
        delay_s=integer(delay),
        ways=[_way(way) for way in control.ways] if control else [],
        hazard_annual=score.hazard,
        pd_annual=score.pd,
        base=score.base,
        factors=[
            d.ExposureFactor(
                name=f.name, value=f.value, multiplier=f.multiplier, evidence=f.evidence
            )
            for f in score.factors
        ],
        unknown=list(facts.unknown) if facts else ["it was not followed"],
    )


def _address(text: str) -> str | None:
    try:
        return parse_address(text)
    except InvalidAddress:
        return None


def _way(way: Way) -> d.ExposureWay:
    return d.ExposureWay(
        verb=way.verb.value,
        kind=way.kind.value,
        end=way.end,
        delay_s=integer(way.delay_s),
        steps=list(way.steps),
    )


def _edges(exposure: Exposure) -> Iterator[d.ExposureEdge]:
    for chain in exposure.chains:
        for edge in chain.graph.edges:
            yield d.ExposureEdge(
                chain=chain.read.name,
                source=edge.source,
                target=edge.target,
                kind=edge.kind,
                lgd=edge.lgd,
                evidence=edge.evidence,
            )


def _allowances(exposure: Exposure) -> Iterator[d.ExposureAllowance]:
    for chain in exposure.chains:
        for position, rows in chain.read.takings.items():
            for taking, usd in rows:
                given = taking.allowance
                yield d.ExposureAllowance(
                    chain=chain.read.name,
                    position=position,
                    asset=given.token.address,
                    symbol=given.token.symbol,
                    spender=given.spender,
                    allowance_raw=str(given.amount),
                    takes_raw=integer(taking.takes),
                    takes_usd=usd,
                )


def _diff(one: Difference) -> d.ExposureDiff:
    return d.ExposureDiff(
        chain=one.name,
        then_block=str(one.then),
        now_block=str(one.now),
        changes=[
            d.ExposureChange(
                subject=c.subject,
                what=c.what,
                before=c.before,
                after=c.after,
                evidence=c.evidence,
            )
            for c in one.changes
        ],
        effects=[
            d.ExposureEffect(
                position=e.position,
                health_scale=str(e.scale),
                then_raw=integer(e.then),
                now_raw=integer(e.now),
                under_old_rules_raw=integer(e.under_old_rules),
                cause=e.cause,
            )
            for e in one.effects
        ],
    )
