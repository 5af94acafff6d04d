"""Put together what was read: the graph, every node's score, losses, exits, allowances."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from protocols.exposure.state import LinkKind
from protocols.types import Position, Price
from risk.exposure.control import ORDER, AdminKind
from risk.exposure.exits import Leaving, leaving
from risk.exposure.graph import Graph, build
from risk.exposure.loss import Exposed, Losses, losses
from risk.exposure.priors import Priors, UserFacts
from risk.exposure.score import Knowledge, Score, scores
from underkeel.exposure.reading import Read


@dataclass(frozen=True, slots=True)
class ChainExposure:
    """One chain, judged."""

    read: Read
    graph: Graph
    scores: Mapping[str, Score]
    exits: Mapping[str, tuple[Leaving, ...]]
    """By position."""
    labels: Mapping[str, str]
    """By node: what its token, feed or market calls itself, of a position its market; to show."""

    def ruled(self, position: str) -> tuple[AdminKind, int | None]:
        """Return the most dangerous who can change anything under a position, and how fast.

        The delay is the shortest of all; None where nobody can, or nobody is known.
        """
        below = self.graph.closure(position).items()
        controls = [
            control
            for name, part in below
            if part > 0.0 and (control := self.graph.nodes[name].control) is not None
        ]
        kind = max((c.kind for c in controls), key=ORDER.index, default=AdminKind.NONE)
        delays = [c.delay_s for c in controls if c.delay_s is not None]
        return kind, min(delays, default=None)


@dataclass(frozen=True, slots=True)
class Exposure:
    """All chains that could be read, judged together."""

    chains: tuple[ChainExposure, ...]
    losses: Losses
    priors: Priors

    @property
    def takeable_usd(self) -> float | None:
        """Return what all spenders together could take; None where any part has no price.

        Two spenders of one token can take it once: of each token and owner the most counts.
        """
        most: dict[tuple[str, str, str], float] = {}
        for chain in self.chains:
            for position, rows in chain.read.takings.items():
                for taking, usd in rows:
                    if taking.takes == 0:
                        continue
                    if usd is None:
                        return None
                    key = (chain.read.name, position, taking.allowance.token.address)
                    most[key] = max(most.get(key, 0.0), usd)
        return sum(most.values())

    @property
    def unknown(self) -> tuple[str, ...]:
        """Return everything that could not be read, each with where."""
        return tuple(text for chain in self.chains for text in unknowns(chain))


def unknowns(chain: ChainExposure) -> Iterable[str]:
    """Yield what could not be read of one chain."""
    for one in chain.read.dependencies:
        yield from (f"{one.position}: {cause}" for cause in one.unknown)
    for address, facts in chain.read.survey.facts.items():
        yield from (f"{address}: {cause}" for cause in facts.unknown)
    yield from (f"{a}: named, and too far away to follow" for a in chain.read.survey.unseen)


def assemble(
    reads: Sequence[Read], priors: Priors, facts: UserFacts, *, whole: bool = True
) -> Exposure:
    """Return the judgement of what was read; not `whole` where something was not."""
    chains: list[ChainExposure] = []
    exposed: list[Exposed] = []
    for read in reads:
        graph = build(read.dependencies, read.survey, priors.lgd)
        known = Knowledge(priors, facts, read.at.timestamp, read.changed, _problems(read))
        exits = {
            one.position: tuple(leaving(e, priors.repaid_per_day) for e in one.exits)
            for one in read.dependencies
        }
        chains.append(ChainExposure(read, graph, scores(graph, known), exits, _labels(read)))
        exposed += [
            Exposed(p.id, f"{p.protocol} {p.root}", read.name, read.ead_usd[p.id])
            for p in read.positions
        ]
    graphs = {chain.read.name: chain.graph for chain in chains}
    scored = {chain.read.name: chain.scores for chain in chains}
    return Exposure(
        tuple(chains), losses(graphs, scored, exposed, facts.cover, whole=whole), priors
    )


def _problems(read: Read) -> Mapping[str, tuple[str, ...]]:
    """Return, by feed or oracle, why the prices it gives are not to be trusted now."""
    found: dict[str, tuple[str, ...]] = {}
    prices = {p.id: _prices(p) for p in read.positions}
    for one in read.dependencies:
        for link in one.links:
            if link.kind in (LinkKind.FEED, LinkKind.ORACLE):
                for price in prices[one.position]:
                    if link.target in price.source:
                        told = found.get(link.target, ())
                        found[link.target] = tuple(dict.fromkeys((*told, *price.problems)))
    return found


def _prices(position: Position) -> tuple[Price, ...]:
    return tuple(leg.price for leg in position.legs if isinstance(leg.price, Price))


def _labels(read: Read) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for position in read.positions:
        found[position.id] = position.market
        told = found.setdefault(position.root, position.market)
        found[position.root] = _common(told, position.market) or told
        for leg in position.legs:
            found.setdefault(leg.token.address, leg.token.symbol)
            if isinstance(leg.price, Price) and leg.price.label:
                found.setdefault(leg.price.factor, leg.price.label)
    return found


def _common(one: str, other: str) -> str:
    """Return the words that two markets of one contract begin with."""
    words = []
    for mine, theirs in zip(one.split(), other.split(), strict=False):
        if mine != theirs:
            break
        words.append(mine)
    return " ".join(words)
