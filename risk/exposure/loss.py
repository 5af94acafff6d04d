"""What is expected to be lost, what the worst failures would take, and how concentrated it all is.

EL = Σ EAD_i·[1 − Π_n(1 − PD_n·LGD_ni)] over the set of unique nodes of each position: a node that
is reached twice counts once, and so does code that stands at two addresses.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from risk.exposure.graph import Graph, NodeKind
from risk.exposure.priors import Cover
from risk.exposure.score import Score


@dataclass(frozen=True, slots=True)
class Exposed:
    """One position, and what could be lost of it."""

    id: str
    protocol: str
    """Adapter and market, as one counts protocols."""
    chain: str
    ead_usd: float | None
    """Exposure at default; None where it has no price, and never a part of it."""


@dataclass(frozen=True, slots=True)
class PositionLoss:
    """What one position is expected to lose."""

    exposed: Exposed
    parts: Mapping[str, float]
    """LGD by node key: code by its hash, everything else by its id."""
    el_usd: float | None
    pd: float
    """Probability that anything at all it stands on fails, weighted by what that takes."""


@dataclass(frozen=True, slots=True)
class Worst:
    """One node's failure."""

    key: str
    nodes: tuple[str, ...]
    """Every address of that code, or the one node."""
    loss_usd: float
    """Of the positions whose value is known."""
    positions: tuple[str, ...]
    unknown: tuple[str, ...]
    """Positions that stand on it and whose value is not known."""
    pd: float


@dataclass(frozen=True, slots=True)
class Covered:
    """What an insurance is expected to pay."""

    cover: Cover
    payout_usd: float
    wrong_way: bool
    """The insurer is among what it insures, or stands on it."""


@dataclass(frozen=True, slots=True)
class Losses:
    """The whole."""

    positions: tuple[PositionLoss, ...]
    known_usd: float
    """Expected loss of the positions whose value is known."""
    el_usd: float | None
    """None where any position or its value is not known: then `known_usd` is a lower bound."""
    worst: tuple[Worst, ...]
    hhi: Mapping[str, float | None]
    cover: tuple[Covered, ...]

    @property
    def net_usd(self) -> float | None:
        """Return the expected loss less what insurances are expected to pay; at least 0."""
        if self.el_usd is None:
            return None
        return max(0.0, self.el_usd - sum(c.payout_usd for c in self.cover))


def expected_fraction(nodes: Iterable[tuple[float, float]]) -> float:
    """Return 1 − Π(1 − PD·LGD) over independent nodes given as (PD, LGD)."""
    return 1.0 - prod(1.0 - pd * lgd for pd, lgd in nodes)


def losses(
    graphs: Mapping[str, Graph],
    scored: Mapping[str, Mapping[str, Score]],
    exposed: Sequence[Exposed],
    cover: Sequence[Cover] = (),
    *,
    whole: bool = True,
) -> Losses:
    """Return losses over several chains; graphs and scores by the name in `Exposed.chain`.

    Not `whole` where there may be positions that were not read: the sum is then not known.
    """
    chances: dict[str, float] = {}
    members: dict[str, dict[str, None]] = {}
    for chain, graph in graphs.items():
        for node in graph.nodes.values():
            if node.kind is not NodeKind.POSITION:
                key = qualified(chain, node.key)
                members.setdefault(key, {})[qualified(chain, node.id)] = None
                chances[key] = max(chances.get(key, 0.0), scored[chain][node.id].pd)
    found = tuple(_position(graphs[one.chain], one, chances) for one in exposed)
    unknown = not whole or any(p.el_usd is None for p in found)
    known = sum(p.el_usd for p in found if p.el_usd is not None)
    worst = _worst(found, chances, members)
    return Losses(
        positions=found,
        known_usd=known,
        el_usd=None if unknown else known,
        worst=worst,
        hhi=_concentration(graphs, found),
        cover=tuple(_covered(c, worst) for c in cover),
    )


def qualified(chain: str, key: str) -> str:
    """Return a key that is one over all chains where what it names is: code and keys are."""
    return key if key.startswith(("code:", "key:")) else f"{chain}/{key}"


def _position(graph: Graph, one: Exposed, chances: Mapping[str, float]) -> PositionLoss:
    parts: dict[str, float] = {}
    for name, part in graph.closure(one.id).items():
        key = qualified(one.chain, graph.nodes[name].key)
        parts[key] = max(parts.get(key, 0.0), part)
    fraction = expected_fraction((chances[key], part) for key, part in parts.items())
    loss = None if one.ead_usd is None else one.ead_usd * fraction
    return PositionLoss(one, parts, loss, fraction)


def _worst(
    found: Sequence[PositionLoss],
    chances: Mapping[str, float],
    members: Mapping[str, Mapping[str, None]],
) -> tuple[Worst, ...]:
    rows: list[Worst] = []
    for key, nodes in members.items():
        hit = [p for p in found if p.parts.get(key, 0.0) > 0.0]
        if hit:
            loss = sum((p.exposed.ead_usd or 0.0) * p.parts[key] for p in hit)
            unknown = tuple(p.exposed.id for p in hit if p.exposed.ead_usd is None)
            ids = tuple(p.exposed.id for p in hit)
            rows.append(Worst(key, tuple(nodes), loss, ids, unknown, chances[key]))
    return tuple(sorted(rows, key=lambda w: (-w.loss_usd, -w.pd, w.key)))


_BY_KIND: Final[Mapping[str, tuple[NodeKind, ...]]] = {
    "codehash": (NodeKind.CODE,),
    "oracle": (NodeKind.ORACLE,),
    "admin": (NodeKind.CONTROL,),
    "bridge": (NodeKind.BRIDGE,),
    "chain": (NodeKind.CHAIN,),
}


def _concentration(
    graphs: Mapping[str, Graph], found: Sequence[PositionLoss]
) -> Mapping[str, float | None]:
    """Return the Herfindahl index of what hangs on each, by kind; None where nothing does."""
    kinds: dict[str, NodeKind] = {}
    for chain, graph in graphs.items():
        kinds |= {qualified(chain, n.key): n.kind for n in graph.nodes.values()}
    protocols: dict[str, float] = {}
    for p in found:
        amount = p.exposed.ead_usd or 0.0
        protocols[p.exposed.protocol] = protocols.get(p.exposed.protocol, 0.0) + amount
    result: dict[str, float | None] = {"protocol": herfindahl(protocols.values())}
    for name, wanted in _BY_KIND.items():
        amounts: dict[str, float] = {}
        for p in found:
            for key, part in p.parts.items():
                if kinds[key] in wanted:
                    amounts[key] = amounts.get(key, 0.0) + (p.exposed.ead_usd or 0.0) * part
        result[name] = herfindahl(amounts.values())
    return result


def herfindahl(amounts: Iterable[float]) -> float | None:
    """Return Σ shares², from 1/n for n equal parts to 1 for one; None for nothing."""
    given = [a for a in amounts if a > 0.0]
    total = sum(given)
    return sum((a / total) ** 2 for a in given) if total else None


def _covered(cover: Cover, worst: Sequence[Worst]) -> Covered:
    """Return what a policy is expected to pay: for the likeliest claim, not above its limit."""
    hit = [w for w in worst if {n.rpartition("/")[2].lower() for n in w.nodes} & set(cover.covers)]
    wrong_way = bool(cover.insurer) and cover.insurer in cover.covers
    if wrong_way:
        return Covered(cover, 0.0, wrong_way)
    due = sum(w.pd * min(w.loss_usd, cover.limit_usd) for w in hit)
    return Covered(cover, cover.pays * min(due, cover.limit_usd), wrong_way)
