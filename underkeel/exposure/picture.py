"""The graph as Graphviz's DOT, and as SVG of our own where nothing is installed to draw it."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from protocols.exposure.state import Kind
from risk.exposure.graph import Graph, Node, NodeKind
from underkeel.exposure.assemble import ChainExposure

COLOURS: Final[Mapping[NodeKind, str]] = {
    NodeKind.POSITION: "#1f5f8b",
    NodeKind.CHAIN: "#555555",
    NodeKind.ACCOUNT: "#2e7d32",
    NodeKind.CODE: "#6a8caf",
    NodeKind.FORWARDER: "#9db4cc",
    NodeKind.ADMIN_CODE: "#b39ddb",
    NodeKind.TOKEN: "#f0b429",
    NodeKind.ORACLE: "#e07b39",
    NodeKind.BRIDGE: "#8d6e63",
    NodeKind.SPENDER: "#c2185b",
    NodeKind.CONTROL: "#b3261e",
}
HOLDERS: Final[Mapping[Kind, str]] = {Kind.EOA: "key", Kind.DELEGATED: "key with code"}
"""What people call who holds a power, where that is not its kind's name."""
BOX_W, BOX_H, GAP_X, GAP_Y, MARGIN = 150, 34, 90, 12, 24
INSIDE: Final = BOX_W - 16
"""Of a box, for text."""
LONGEST: Final = 28
"""Characters of a label; what is longer ends with an ellipsis, and is whole in the box's title."""
FITS: Final = 18
"""Characters that fit whatever they are; more are drawn as narrow as the box is."""


def dot(chains: Sequence[ChainExposure]) -> str:
    """Return every chain's graph as one DOT digraph, positions first."""
    lines = ["digraph exposure {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for chain in chains:
        prefix = chain.read.name
        for node in chain.graph.nodes.values():
            said = _quoted("\n".join(caption(node, chain.labels)))
            attributes = f'label="{said}", color="{COLOURS[node.kind]}"'
            lines.append(f'  "{_quoted(f"{prefix}/{node.id}")}" [{attributes}];')
        for edge in chain.graph.edges:
            ends = (f'"{_quoted(f"{prefix}/{end}")}"' for end in (edge.source, edge.target))
            lines.append(
                f"  {' -> '.join(ends)} "
                f'[label="{_quoted(edge.kind)}", tooltip="{_quoted(edge.evidence)}"];'
            )
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    plain = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def caption(node: Node, labels: Mapping[str, str]) -> tuple[str, str]:
    """Return two short lines: what a node is, and which."""
    name = node.id
    label = f" {labels[name]}" if name in labels else ""
    if node.kind is NodeKind.POSITION:
        parts = name.split(":")
        protocol = parts[1] if len(parts) > 1 else name
        return labels.get(name, protocol), _short(parts[3] if len(parts) > 3 else name)
    what = node.kind.value
    if node.kind is NodeKind.CHAIN:
        return what, name.removeprefix("chain:")
    if node.facts is not None:
        if node.facts.safe is not None:
            what = f"safe {node.facts.safe.threshold} of {len(node.facts.safe.owners)}"
        elif node.facts.proxies:
            what = f"{what} {node.facts.proxies[0].kind.value}"
        elif node.facts.timelock:
            what = f"timelock {node.facts.delay_s} s"
        elif node.kind is NodeKind.CONTROL:
            what = HOLDERS.get(node.facts.kind, node.facts.kind.value)
    return what + label, _short(name)


def _short(text: str) -> str:
    return f"{text[:8]}…{text[-6:]}" if len(text) > 18 else text


def columns(graph: Graph) -> list[list[Node]]:
    """Return the nodes by their distance from a position, the nearest first."""
    out: dict[str, list[str]] = {}
    for edge in graph.edges:
        out.setdefault(edge.source, []).append(edge.target)
    level = {n.id: 0 for n in graph.nodes.values() if n.kind is NodeKind.POSITION}
    todo = list(level)
    while todo:
        at = todo.pop(0)
        for target in out.get(at, ()):
            if target not in level:
                level[target] = level[at] + 1
                todo.append(target)
    found: list[list[Node]] = []
    for node in graph.nodes.values():
        depth = level.get(node.id, 1)
        while len(found) <= depth:
            found.append([])
        found[depth].append(node)
    return [sorted(column, key=lambda n: (n.kind.value, n.id)) for column in found]


def svg(chains: Sequence[ChainExposure]) -> str:
    """Return the graphs as SVG, one below the other: positions left, who rules them right."""
    parts: list[str] = []
    top, width = MARGIN, 0
    for chain in chains:
        layout = columns(chain.graph)
        at = chain.read.at
        parts.append(_text(MARGIN, top + 8, f"{chain.read.name}, block {at.number}", 14))
        place: dict[str, tuple[int, int]] = {}
        for i, column in enumerate(layout):
            for j, node in enumerate(column):
                place[node.id] = (
                    MARGIN + i * (BOX_W + GAP_X),
                    top + 24 + j * (BOX_H + GAP_Y),
                )
        for edge in chain.graph.edges:
            (x1, y1), (x2, y2) = place[edge.source], place[edge.target]
            middle = (x1 + BOX_W + x2) // 2
            parts.append(
                f'<path d="M{x1 + BOX_W} {y1 + BOX_H // 2} C{middle} {y1 + BOX_H // 2} '
                f'{middle} {y2 + BOX_H // 2} {x2} {y2 + BOX_H // 2}" fill="none" '
                f'stroke="#999999" stroke-opacity="{0.25 + 0.6 * edge.lgd:.2f}">'
                f"<title>{escape(f'{edge.kind}: {edge.evidence}')}</title></path>"
            )
        for column in layout:
            for node in column:
                parts += _box(node, chain.labels, *place[node.id])
        tallest = max((len(column) for column in layout), default=0)
        top += 24 + tallest * (BOX_H + GAP_Y) + MARGIN
        width = max(width, 2 * MARGIN + len(layout) * (BOX_W + GAP_X))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {max(width, 200)} {top}" '
        'role="img" aria-label="What positions stand on" font-family="sans-serif">'
        f'<title>What positions stand on</title><rect width="100%" height="100%" fill="#ffffff"/>'
        + "".join(parts)
        + "</svg>\n"
    )


def _box(node: Node, labels: Mapping[str, str], x: int, y: int) -> list[str]:
    what, which = caption(node, labels)
    title = escape(f"{what}: {node.id}")
    return [
        f'<rect x="{x}" y="{y}" width="{BOX_W}" height="{BOX_H}" rx="4" fill="#ffffff" '
        f'stroke="{COLOURS[node.kind]}" stroke-width="2"><title>{title}</title></rect>',
        _text(x + 8, y + 14, what if len(what) <= LONGEST else f"{what[: LONGEST - 1]}…", 10),
        _text(x + 8, y + 27, which, 10, "#555555"),
    ]


def _text(x: int, y: int, text: str, size: int, fill: str = "#222222") -> str:
    squeezed = size == 10 and len(text) > FITS
    fit = f' textLength="{INSIDE}" lengthAdjust="spacingAndGlyphs"' if squeezed else ""
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}"{fit}>{escape(text)}</text>'
