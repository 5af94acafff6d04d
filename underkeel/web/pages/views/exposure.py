"""Exposure: what positions stand on, what its failure may cost, and who can change it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from underkeel.cli import format as fmt
from underkeel.documents.exposure import (
    ExposedPosition,
    ExposureDocument,
    ExposureNode,
    ExposureWorst,
)
from underkeel.web.pages import words
from underkeel.web.pages.cells import (
    Cell,
    Column,
    Row,
    Table,
    address,
    link,
    name,
    number,
    state,
    unknown,
)
from underkeel.web.pages.cells import words as plain

KEEPERS: Final = {
    "none": ("✔", "nobody", "good"),
    "timelocked-governance": ("◔", "governance, delayed", ""),
    "governance": ("◔", "governance", ""),
    "timelocked-safe": ("◔", "several keys, delayed", ""),
    "timelocked-eoa": ("◆", "one key, delayed", "warn"),
    "safe": ("◆", "several keys", "warn"),
    "eoa": ("▲", "one key", "bad"),
    "unknown": ("?", "unknown", "unknown"),
}
"""By `AdminKind`."""
MOST: Final = 60
"""Streams in one drawing; the table has all."""


def view(document: ExposureDocument | None, names: Mapping[str, str], zone: str) -> dict[str, Any]:
    """Return what the page shows; without a study, that there is none yet."""
    if document is None:
        return {"studied": None}
    at = words.epoch(document.generated_at)
    assert at is not None
    labels = {f"{node.chain}/{node.id}": called(node) for node in document.nodes}
    return {
        "studied": {"at": int(at), "text": words.clock(at, zone)},
        "blocks": [
            {
                "chain": name(chain.name),
                "block": f"{int(chain.block_number):,}",
                "at": int(chain.timestamp),
                "cause": "",
            }
            for chain in document.chains
        ],
        "expected": words.dollars(
            document.el_usd if document.el_usd is not None else document.el_known_usd
        ),
        "whole": document.el_usd is not None,
        "takeable": words.dollars(document.takeable_usd, "what a spender could take is not known"),
        "horizon": document.horizon_years,
        "failures": failures(document.worst, labels),
        "streams": streams(document, labels, names),
        "keepers": keepers(document.nodes),
        "positions": positions(document.positions, names),
        "hhi": _hhi(document),
        "unknown": [name(text, 300) for text in document.unknown],
    }


def called(node: ExposureNode) -> str:
    """Return a node's own name, or what it is and where."""
    if node.label:
        return name(f"{node.label} ({node.kind})", 48)
    own = fmt.short(node.address) if node.address else node.id.removeprefix(f"{node.kind}:")
    return name(f"{node.kind} {own}", 48)


def failures(found: Sequence[ExposureWorst], labels: dict[str, str]) -> Table:
    """Return what each failure would cost: the treemap and its twin."""
    rows = [
        Row(
            (
                plain(_what(worst, labels)),
                words.dollars(worst.loss_usd),
                words.percent(worst.pd_annual),
                words.dollars(worst.loss_usd * worst.pd_annual),
                number(str(len(worst.positions)), len(worst.positions)),
                unknown(f"{len(worst.unknown)} more have no price")
                if worst.unknown
                else plain("–"),
            )
        )
        for worst in found
    ]
    return Table(
        "failures",
        "What one failure would cost, the costliest first",
        (
            Column("what", "If this fails", wide=True),
            Column("loss", "Loss, USD", number=True),
            Column("chance", "Chance in a year", number=True),
            Column("expected", "Expected, USD", number=True),
            Column("positions", "Positions", number=True),
            Column("unknown", "Not counted"),
        ),
        rows,
        "Nothing is known that could fail.",
        draw="treemap",
        title="Loss in dollars by what fails; the larger, the more",
    )


def _what(worst: ExposureWorst, labels: dict[str, str]) -> str:
    if worst.node in labels:
        return labels[worst.node]
    kind, _, rest = worst.node.partition(":")
    if kind == "code":
        first = labels.get(worst.nodes[0], "") if worst.nodes else ""
        times = f", wherever it stands ({len(worst.nodes)})" if len(worst.nodes) > 1 else ""
        return name(f"{first or f'code {fmt.short(rest)}'}{times}", 80)
    if kind == "key":
        return name(f"key {fmt.short(rest)}", 48)
    return name(worst.node, 48)


def streams(document: ExposureDocument, labels: dict[str, str], names: Mapping[str, str]) -> Table:
    """Return dollars from positions along what they stand on: the sankey and its twin.

    What a position has at stake goes out in equal parts to what it stands on directly, and so on;
    the parts say what hangs together, not what would be lost.
    """
    below: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in document.edges:
        if edge.source != edge.target:
            below[f"{edge.chain}/{edge.source}"].append((f"{edge.chain}/{edge.target}", edge.kind))
    held: dict[str, float] = defaultdict(float)
    for position in document.positions:
        start = f"{position.chain}/{position.id}"
        labels[start] = names.get(position.id, short(position))
        held[start] = position.ead_usd or 0.0
    value: dict[tuple[str, str, str], float] = defaultdict(float)
    for node, targets in _downwards(below):
        for target, kind in targets:
            if part := held[node] / len(targets):
                value[node, target, kind] += part
                held[target] += part
    most = sorted(value.items(), key=lambda item: -item[1])
    rows = [
        Row(
            (
                plain(labels.get(source, source)),
                plain(labels.get(target, target)),
                plain(kind),
                words.dollars(dollars),
            )
        )
        for (source, target, kind), dollars in most
    ]
    return Table(
        "streams",
        "What stands on what, and the dollars that hang on it",
        (
            Column("source", "This", wide=True),
            Column("target", "stands on", wide=True),
            Column("kind", "as"),
            Column("value", "USD", number=True),
        ),
        rows,
        "No position with a price stands on anything known.",
        draw="sankey",
        title=f"From positions to who rules them; the {MOST} largest streams are drawn",
    )


Ways = list[tuple[str, str]]


def _downwards(below: dict[str, Ways]) -> list[tuple[str, Ways]]:
    """Return nodes, each after all that stand on it; what would close a circle is left out."""
    found: list[tuple[str, Ways]] = []
    state: dict[str, bool] = {}
    for start in list(below):
        todo = [(start, False)]
        while todo:
            node, done = todo.pop()
            if done:
                state[node] = True
                # those still open are above it: a way to one of them would be a circle
                found.append((node, [w for w in below.get(node, ()) if state.get(w[0])]))
            elif node not in state:
                state[node] = False
                todo.append((node, True))
                todo += [(target, False) for target, _ in below.get(node, ())]
    return found[::-1]


def short(position: ExposedPosition) -> str:
    """Return a position's protocol and part."""
    return name(f"{position.protocol} {words.part(position.id)}".strip(), 48)


def keeper(kind: str | None) -> Cell:
    """Return who rules, as an icon and a word."""
    return state(*KEEPERS.get(kind or "unknown", ("◔", name(kind or "unknown", 24), "")))


def keepers(nodes: Sequence[ExposureNode]) -> Table:
    """Return who can change each contract and how fast, the most dangerous first."""
    rows = []
    for node in sorted(nodes, key=lambda n: -n.hazard_annual):
        if node.admin_kind is None or node.address is None:
            continue
        verbs = sorted({way.verb for way in node.ways})
        ends = sorted({way.end for way in node.ways})
        rows.append(
            Row(
                (
                    address(node.address, called(node)),
                    plain(name(node.chain)),
                    keeper(node.admin_kind),
                    plain(", ".join(verbs) or "–"),
                    words.seconds(node.delay_s, none="–")
                    if node.delay_s != "0"
                    else number("at once", 0),
                    Cell(
                        "; ".join(ends),
                        "lines",
                        None,
                        {"items": [words.identity(end) for end in ends[:3]], "left": len(ends) - 3},
                    ),
                    words.percent(node.pd_annual),
                    unknown("; ".join(node.unknown)) if node.unknown else plain("–"),
                ),
                tone={"eoa": "bad", "unknown": "unknown"}.get(node.admin_kind, ""),
            )
        )
    return Table(
        "keepers",
        "Who can change what you stand on, and how fast",
        (
            Column("contract", "Contract", wide=True),
            Column("chain", "Chain"),
            Column("keeper", "Ruled by"),
            Column("verbs", "may"),
            Column("delay", "after", number=True),
            Column("ends", "Who"),
            Column("pd", "Fails in a year", number=True),
            Column("unknown", "Not known"),
        ),
        rows,
        "No contract is known under any position.",
        filtered=True,
    )


def positions(found: Sequence[ExposedPosition], names: Mapping[str, str]) -> Table:
    """Return what each position is expected to lose, and whether it can leave."""
    rows = []
    for position in found:
        exits = [e.exit_days for e in position.exits]
        days = max((e for e in exits if e is not None), default=None)
        rows.append(
            Row(
                (
                    link(
                        names.get(position.id, short(position)),
                        words.page_of(position.id),
                        f"{position.chain} · {position.protocol}",
                    ),
                    words.dollars(position.ead_usd),
                    words.percent(position.failure_frac),
                    words.dollars(position.el_usd),
                    keeper(position.admin_kind),
                    number("–", None)
                    if not exits
                    else unknown("not known")
                    if None in exits
                    else number("now" if not days else f"{days:,.1f} d", days),
                    unknown("; ".join(position.unknown)) if position.unknown else plain("–"),
                )
            )
        )
    return Table(
        "exposed",
        "What each position is expected to lose",
        (
            Column("position", "Position", wide=True),
            Column("stake", "At stake, USD", number=True),
            Column("part", "Expected part", number=True),
            Column("expected", "Expected, USD", number=True),
            Column("keeper", "Ruled by"),
            Column("exit", "Can leave", number=True),
            Column("unknown", "Not known"),
        ),
        rows,
        "No position is known.",
    )


def _hhi(document: ExposureDocument) -> Table:
    rows = [
        Row((plain(f"by {kind}"), number("–", None) if v is None else number(f"{v:.2f}", v)))
        for kind, v in document.hhi.model_dump().items()
    ]
    return Table(
        "hhi",
        "How much hangs on one: 1 is everything",
        (Column("what", "Counted"), Column("hhi", "Herfindahl index", number=True)),
        rows,
    )
