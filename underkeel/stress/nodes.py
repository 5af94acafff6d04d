"""Failures of what positions share: contracts, oracles, keys, issuers and bridges as scenarios.

The graph is `underkeel exposure`'s. Each position loses its equity times the greatest part along
any way to the node that fails, once, however many ways lead there; equal code at two addresses and
one key on two chains are one node. Nodes that take the very same from the very same positions are
one scenario.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chain.types import Address
from protocols.tokens import short
from risk.exposure.graph import Node, NodeKind
from risk.exposure.loss import qualified
from risk.scenario.play import play
from risk.scenario.types import Exposed, Fate
from underkeel.exposure.assemble import Exposure
from underkeel.stress.run import Book, Result, summed

WORDS: Final[Mapping[NodeKind, str]] = {
    NodeKind.BRIDGE: "bridge",
    NodeKind.TOKEN: "issuer",
    NodeKind.ORACLE: "oracle",
    NodeKind.CONTROL: "admin",
    NodeKind.CODE: "code",
    NodeKind.FORWARDER: "proxy",
    NodeKind.ADMIN_CODE: "admin contract",
}
"""What may fail, in the order in which it names a scenario. The chain itself and the owner's own
account are under everything, and in none."""
SHARED: Final = 2
"""Positions that must stand on a node; a bridge is told of whatever stands on it."""


@dataclass(frozen=True, slots=True)
class _Failing:
    """One node, as all chains know it."""

    kind: NodeKind
    label: str
    ids: tuple[str, ...]
    pd: float

    @property
    def told(self) -> str:
        """Return what it is and which."""
        return f"{WORDS[self.kind]} {self.label}"


def node_failures(
    book: Book, exposure: Exposure, failed: Sequence[tuple[str, str]]
) -> list[Result]:
    """Return what is lost where a shared node fails; `failed` are chains without a graph.

    A position whose graph is not whole is in the sums with what is known of it, and is listed.
    """
    nodes = _nodes(exposure)
    causes = _causes(book, exposure, failed)
    parts = {loss.exposed.id: loss.parts for loss in exposure.losses.positions}
    alike: dict[tuple[tuple[str, float], ...], list[_Failing]] = {}
    for key, node in nodes.items():
        hit = tuple(
            (one.position.id, round(part, 12))  # alike but for the order of products
            for one in book.positions
            if (part := parts.get(one.position.id, {}).get(key, 0.0)) > 0
        )
        if len(hit) >= (1 if node.kind is NodeKind.BRIDGE else SHARED):
            alike.setdefault(hit, []).append(node)
    still = {one.position.id: play(one, ()) for one in book.positions}
    found = [_failure(book, hit, nodes, still, causes) for hit, nodes in alike.items()]
    return sorted(found, key=lambda result: -result.loss_usd)


def _nodes(exposure: Exposure) -> dict[str, _Failing]:
    found: dict[str, _Failing] = {}
    for chain in exposure.chains:
        into: dict[str, list[str]] = {}
        for edge in chain.graph.edges:
            into.setdefault(edge.target, []).append(edge.source)
        for node in chain.graph.nodes.values():
            if node.kind not in WORDS:
                continue
            key = qualified(chain.read.name, node.key)
            old = found.get(key)
            label = old.label if old else _label(node, into, chain.labels)
            pd = max(chain.scores[node.id].pd, old.pd if old else 0.0)
            ids = (*(old.ids if old else ()), f"{chain.read.name}/{node.id}")
            found[key] = _Failing(old.kind if old else node.kind, label, ids, pd)
    return found


def _label(node: Node, into: Mapping[str, Sequence[str]], labels: Mapping[str, str]) -> str:
    """Return what people call a node: its own name, whose code it is, or its address."""
    if node.id.startswith("unknown:"):
        return f"unknown, of {short(Address(node.id.removeprefix('unknown:')))}"
    if node.id in labels:
        return labels[node.id]
    above = _above(node.id, into, labels)
    address = short(Address(node.id)) if node.id.startswith("0x") else node.id
    return f"{address} of {above}" if above else address


def _above(name: str, into: Mapping[str, Sequence[str]], labels: Mapping[str, str]) -> str:
    """Return the label of the nearest node that stands on one and has one; empty where none."""
    seen, now = {name}, [name]
    while now:
        sources = [source for at in now for source in into.get(at, ()) if source not in seen]
        found = next((labels[source] for source in sources if source in labels), "")
        if found:
            return found
        now = list(dict.fromkeys(sources))
        seen.update(now)
    return ""


def _causes(book: Book, exposure: Exposure, failed: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return, by position, why not all that it stands on is known."""
    found: dict[str, str] = {}
    for chain in exposure.chains:
        for one in chain.read.dependencies:
            if one.unknown:
                found[one.position] = f"what it stands on: {'; '.join(one.unknown)}"
    for name, cause in failed:
        for held in book.held.get(name, ()):
            found[held.position.id] = f"what it stands on was not read: {cause}"
    return found


def _failure(
    book: Book,
    hit: Sequence[tuple[str, float]],
    nodes: Sequence[_Failing],
    still: Mapping[str, Fate],
    causes: Mapping[str, str],
) -> Result:
    order = list(WORDS)
    ranked = sorted(nodes, key=lambda n: (order.index(n.kind), -n.pd, n.label))
    parts = dict(hit)
    fates = [_lost(one, still[one.position.id], parts) for one in book.positions]
    first, rest = ranked[0], len(ranked) - 1
    more = f", or any of {rest} more that {'take' if rest > 1 else 'takes'} the same"
    result = summed(
        name=f"fails: {first.told}",
        title=f"The {first.told} fails" + (more if rest else ""),
        source="what positions stand on, as `underkeel exposure` tells",
        moved=(),
        fates=fates,
        held=book.positions,
        unread=(*book.unread, *(f"{name}: {cause}" for name, cause in causes.items())),
    )
    return replace(result, nodes=tuple(i for node in ranked for i in node.ids))


def _lost(one: Exposed, fate: Fate, parts: Mapping[str, float]) -> Fate:
    part = parts.get(one.position.id, 0.0)
    if fate.after_usd is None or not part:
        return fate
    # what is owed beyond the position's worth is not forgiven, and not lost twice
    return replace(fate, after_usd=fate.after_usd - max(0.0, fate.after_usd) * part)
