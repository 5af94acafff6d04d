"""The graph of what positions stand on, and how much of each goes with each node.

Nodes are the chain, contracts, accounts and unknowns; every one is there once, however many
positions stand on it. An edge carries the part of the value that is lost when its target fails;
a position's loss at a node is the greatest over all paths of the product along the path.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from protocols.exposure.state import (
    BURNED,
    Dependencies,
    Facts,
    Kind,
    Link,
    LinkKind,
    Survey,
)
from risk.exposure.control import Control, control, ends, powers_of


class NodeKind(StrEnum):
    """What can fail."""

    POSITION = "position"
    CHAIN = "chain"
    ACCOUNT = "account"
    """The owner's own."""
    CODE = "code"
    FORWARDER = "proxy"
    ADMIN_CODE = "admin-contract"
    TOKEN = "token"
    ORACLE = "oracle"
    BRIDGE = "bridge"
    SPENDER = "spender"
    CONTROL = "control"
    """A key, a Safe or a vote that can change something, or an unknown who can."""


@dataclass(frozen=True, slots=True)
class Node:
    """One thing that can fail."""

    id: str
    kind: NodeKind
    facts: Facts | None = None
    control: Control | None = None
    """Of contracts: who can change them."""
    delay_s: int | None = None
    """Of who controls: the shortest delay to any harm; None for everything else."""

    @property
    def key(self) -> str:
        """Return under what it fails: equal code fails together, on whichever chain, and so does
        what one key commands; everything else fails alone.
        """
        if self.facts is not None and self.facts.kind in (Kind.EOA, Kind.DELEGATED):
            return f"key:{self.id}"
        hashed = self.kind in (NodeKind.CODE, NodeKind.FORWARDER, NodeKind.ADMIN_CODE)
        if hashed and self.facts is not None and self.facts.codehash is not None:
            return f"code:{self.facts.codehash}"
        return self.id


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` stands on `target`, and loses `lgd` of itself when that fails."""

    source: str
    target: str
    kind: str
    lgd: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything that some positions stand on, on one chain at one block."""

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]

    def closure(self, start: str) -> Mapping[str, float]:
        """Return every node that a position stands on, and the part it takes; without itself."""
        out: dict[str, list[Edge]] = {}
        for edge in self.edges:
            out.setdefault(edge.source, []).append(edge)
        reached: dict[str, float] = {start: 1.0}
        todo = [start]
        while todo:
            at = todo.pop()
            for edge in out.get(at, ()):
                part = reached[at] * edge.lgd
                if part > reached.get(edge.target, -1.0):
                    reached[edge.target] = part
                    todo.append(edge.target)
        del reached[start]
        return reached


_BY_LINK: Final[Mapping[LinkKind, NodeKind]] = {
    LinkKind.CHAIN: NodeKind.CHAIN,
    LinkKind.ACCOUNT: NodeKind.ACCOUNT,
    LinkKind.BRIDGE: NodeKind.BRIDGE,
    LinkKind.ORACLE: NodeKind.ORACLE,
    LinkKind.FEED: NodeKind.ORACLE,
    LinkKind.SOURCE: NodeKind.ORACLE,
    LinkKind.TOKEN: NodeKind.TOKEN,
    LinkKind.MARKET: NodeKind.TOKEN,
}
"""What a node is, by why it is there; the first that fits. Everything else is code."""


def build(dependencies: Sequence[Dependencies], survey: Survey, lgd: Mapping[str, float]) -> Graph:
    """Return the graph; `lgd` has the part lost by the kind of a link or the verb of a power."""
    links = [link for one in dependencies for link in one.links]
    links += [link for one in survey.facts.values() for link in one.links]
    why = _reasons(links)
    powers = powers_of(survey)
    edges = [
        Edge(link.source, link.target, link.kind.value, _part(link, survey, lgd) * link.share,
             link.evidence)
        for link in links
        if link.target not in BURNED
    ]  # fmt: skip
    controls = {a: control(survey, a) for a, facts in survey.facts.items() if _is_code(facts)}
    for address, held in powers.items():
        for power in held:
            target = power.holder or f"unknown:{address}"
            verb = power.verb.value
            edges.append(Edge(address, target, verb, lgd[verb], power.evidence))
    least = ends(controls.values())
    edges += [
        _circle(way.end, lgd)
        for one in controls.values()
        for way in one.ways
        if way.delay_s is None
    ]
    nodes: dict[str, Node] = {one.position: Node(one.position, NodeKind.POSITION)
                              for one in dependencies}  # fmt: skip
    for name in dict.fromkeys(name for e in edges for name in (e.source, e.target)):
        if name not in nodes:
            facts = survey.facts.get(name)  # type: ignore[call-overload]
            kind = _kind(name, facts, why.get(name, ()))
            judged = controls.get(name)  # type: ignore[call-overload]
            delay = least.get(name, 0) if kind is NodeKind.CONTROL else None
            nodes[name] = Node(name, kind, facts, judged, delay)
    return Graph(nodes, _single(edges))


def _part(link: Link, survey: Survey, lgd: Mapping[str, float]) -> float:
    """Return the part lost; a contract made of feeds loses all of itself with one of them."""
    composed = link.kind is LinkKind.FEED and link.source in survey.facts
    return lgd[LinkKind.SOURCE.value if composed else link.kind.value]


def _circle(end: str, lgd: Mapping[str, float]) -> Edge:
    """Return the edge from a contract that is owned in a circle to the unknown behind it."""
    return Edge(end.removeprefix("unknown:"), end, "own", lgd["own"], "owned in a circle")


def _reasons(links: Iterable[Link]) -> Mapping[str, tuple[LinkKind, ...]]:
    found: dict[str, tuple[LinkKind, ...]] = {}
    for link in links:
        found[link.target] = (*found.get(link.target, ()), link.kind)
    return found


def _is_code(facts: Facts) -> bool:
    return facts.kind in (Kind.CONTRACT, Kind.TIMELOCK, Kind.GONE, Kind.UNKNOWN)


def _kind(name: str, facts: Facts | None, reasons: Sequence[LinkKind]) -> NodeKind:
    for link, kind in _BY_LINK.items():
        if link in reasons:
            return kind
    if name.startswith("unknown:") or (facts is None and not reasons):
        return NodeKind.CONTROL
    if facts is None:
        return NodeKind.CODE
    if all(link is LinkKind.SPENDER for link in reasons) and reasons:
        return NodeKind.SPENDER  # and nothing else: a protocol that one is in is told as itself
    if facts.kind in (Kind.EOA, Kind.DELEGATED, Kind.SAFE, Kind.GOVERNOR):
        return NodeKind.CONTROL
    if not reasons or facts.kind is Kind.TIMELOCK:
        return NodeKind.CONTROL if facts.kind is Kind.UNKNOWN else NodeKind.ADMIN_CODE
    return NodeKind.FORWARDER if facts.proxies else NodeKind.CODE


def _single(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Return each edge once, at its greatest part."""
    best: dict[tuple[str, str, str], Edge] = {}
    for edge in edges:
        key = (edge.source, edge.target, edge.kind)
        if key not in best or edge.lgd > best[key].lgd:
            best[key] = edge
    return tuple(best.values())
