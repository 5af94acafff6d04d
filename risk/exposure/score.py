"""The explained hazard of a node: λ = λ0 · Πm, every m with what it rests on.

Who can change a contract, and how fast, multiplies the hazard of the one who can, once, and not
that of every contract he can change: ten contracts under one key are one key's risk.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import expm1, prod

from protocols.exposure.state import Kind, LinkKind
from risk.exposure.control import AdminKind
from risk.exposure.graph import Graph, Node, NodeKind
from risk.exposure.priors import ContractFact, Priors, UserFacts

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Factor:
    """One multiplier, and why it is what it is."""

    name: str
    value: str
    """As found; `unknown` where it could not be had, which counts against the node."""
    multiplier: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Score:
    """The hazard of one node."""

    base: float
    factors: tuple[Factor, ...]
    horizon_years: float

    @property
    def hazard(self) -> float:
        """Return failures a year."""
        return self.base * prod(f.multiplier for f in self.factors)

    @property
    def pd(self) -> float:
        """Return the probability of at least one failure within the horizon."""
        return -expm1(-self.hazard * self.horizon_years)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the score rests on beside the graph."""

    priors: Priors
    facts: UserFacts
    now: int
    """The block's time."""
    changed: Mapping[str, int] = field(default_factory=dict)
    """By address: the earliest time at which the code was as it is now, where history tells."""
    problems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By address of an oracle: why its price is not to be trusted now; empty where it is fresh."""


def scores(graph: Graph, known: Knowledge) -> Mapping[str, Score]:
    """Return the score of every node but the positions themselves."""
    return {
        node.id: Score(
            known.priors.base[node.kind.value],
            tuple(_factors(node, graph, known)),
            known.priors.horizon_years,
        )
        for node in graph.nodes.values()
        if node.kind is not NodeKind.POSITION
    }


def _factors(node: Node, graph: Graph, known: Knowledge) -> Iterator[Factor]:
    facts = node.facts
    fact = known.facts.of(node.id, facts.codehash if facts else None)
    if node.kind in (NodeKind.CODE, NodeKind.FORWARDER, NodeKind.ADMIN_CODE):
        yield from _code(node, graph, known, fact)
    if node.kind is NodeKind.CONTROL:
        yield from _holder(node, known)
    if node.kind is NodeKind.ACCOUNT:
        yield from _signatures(node, known)
    if node.kind is NodeKind.ORACLE:
        yield from _oracle(node, graph, known)
    if node.kind is NodeKind.BRIDGE:
        bridge = fact.bridge
        yield _factor(known, "bridge", bridge, "facts file" if bridge else "no fact given")
    if fact.incidents is not None:
        yield _factor(known, "incidents", len(fact.incidents), "; ".join(fact.incidents))
    if facts is not None and facts.unknown:
        yield _factor(known, "readable", "no", "; ".join(facts.unknown))
    elif facts is None and node.kind not in (NodeKind.CHAIN, NodeKind.CONTROL):
        yield _factor(known, "readable", None, "it was not followed")


def _factor(known: Knowledge, name: str, value: float | str | None, evidence: str) -> Factor:
    shown = "unknown" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return Factor(name, shown, known.priors.multiplier[name].at(value), evidence)


def _code(node: Node, graph: Graph, known: Knowledge, fact: ContractFact) -> Iterator[Factor]:
    facts = node.facts
    since = known.changed.get(node.id)
    told = "the chain's own history"
    if since is None and fact.changed is not None:
        midnight = datetime(fact.changed.year, fact.changed.month, fact.changed.day, tzinfo=UTC)
        since, told = int(midnight.timestamp()), "facts file"
    days = None if since is None else max(0.0, (known.now - since) / DAY_S)
    yield _factor(known, "age", days, told if days is not None else "no history was read")
    if node.kind is NodeKind.FORWARDER:
        return  # it only passes on; the rest is asked of what it runs
    verified = None if fact.verified is None else "yes" if fact.verified else "no"
    yield _factor(known, "verified", verified, "facts file" if verified else "no fact given")
    audits = None if fact.audits is None else len(fact.audits)
    yield _factor(known, "audits", audits, "; ".join(fact.audits or ()) or "no fact given")
    yield _factor(known, "survived", fact.survived, "facts file" if fact.survived else
                  "no fact given")  # fmt: skip
    pausable = facts.pausable if facts else None
    word = None if pausable is None else "yes" if pausable else "no"
    yield _factor(known, "pausable", word, "paused()")
    named = len({e.target for e in graph.edges if e.source == node.id and e.kind in _NAMING})
    yield _factor(known, "dependencies", named if facts else None, "what it names itself")


_NAMING = frozenset(kind.value for kind in LinkKind)


def _holder(node: Node, known: Knowledge) -> Iterator[Factor]:
    facts = node.facts
    kind = AdminKind.UNKNOWN
    if facts is not None:
        kind = _ADMIN.get(facts.kind, AdminKind.UNKNOWN)
        if facts.safe is not None:
            kind = AdminKind.SAFE if facts.safe.standard else AdminKind.UNKNOWN
            if facts.safe.threshold == 1:
                kind = AdminKind.EOA
    if node.delay_s and kind is not AdminKind.UNKNOWN:
        kind = AdminKind(f"timelocked-{kind.value}")
    word = None if kind is AdminKind.UNKNOWN else kind.value
    what = "; ".join(facts.unknown) if facts and facts.unknown else "what answers at the address"
    yield _factor(known, "admin", word, what if facts else "it could not be found or followed")
    yield _factor(known, "delay", float(node.delay_s or 0), "the shortest of all ways")
    yield from _signatures(node, known)


def _signatures(node: Node, known: Knowledge) -> Iterator[Factor]:
    safe = node.facts.safe if node.facts else None
    if safe is not None:
        signers = f"{safe.threshold} of {len(safe.owners)}"
        modules = f", {len(safe.modules)} modules" if safe.modules else ""
        yield _factor(known, "signatures", safe.threshold, signers + modules)


_ADMIN: Mapping[Kind, AdminKind] = {
    Kind.EOA: AdminKind.EOA,
    Kind.DELEGATED: AdminKind.EOA,
    Kind.GOVERNOR: AdminKind.GOVERNANCE,
}


def _oracle(node: Node, graph: Graph, known: Knowledge) -> Iterator[Factor]:
    kinds = {edge.kind for edge in graph.edges if edge.target == node.id}
    onward = {edge.kind for edge in graph.edges if edge.source == node.id}
    feed = LinkKind.FEED.value in kinds or LinkKind.SOURCE.value in kinds
    made = bool({LinkKind.FEED.value, LinkKind.SOURCE.value} & onward)
    kind = "feed" if feed or made else "opaque"
    yield _factor(known, "oracle", kind, "what it says it is made of")
    problems = known.problems.get(node.id)
    if problems is None:
        if LinkKind.FEED.value in kinds:
            yield _factor(known, "stale", None, "its age was not read")
    else:
        word = "stale" if problems else "fresh"
        yield _factor(known, "stale", word, "; ".join(problems) or "within its heartbeat")
