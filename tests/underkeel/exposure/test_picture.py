"""The graph drawn, and how a PNG that cannot be drawn is told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from protocols.exposure.state import Facts, Kind, LinkKind
from risk.exposure.graph import build
from tests.risk.exposure.build import (
    PRIORS,
    contract,
    key,
    link,
    power,
    proxied,
    safe,
    stands,
    survey,
)
from tests.support.fake_chain import AT, address
from underkeel.cli.exposure import draw
from underkeel.errors import AppError
from underkeel.exposure.picture import caption, dot, svg


def chain() -> Any:
    lock = Facts(address(6), Kind.TIMELOCK, timelock="compound", delay_s=60, powers=(power(5),))
    found = survey(proxied(1, 2, power(6)), contract(2), contract(3, power(4)),
                   safe(4, (5, 7), 2), key(5), lock)  # fmt: skip
    position = f"1:aave-v3:{address(9)}:{address(8)}"
    direct = stands(position, link(position, 1), link(position, 3, LinkKind.FEED, 0.5))
    graph = build([direct], found, PRIORS.lgd)
    labels = {address(3): "ETH / USD"}
    return SimpleNamespace(
        graph=graph, labels=labels, read=SimpleNamespace(name='a "chain"', at=AT)
    )


def test_svg__a_graph__is_sound_xml_with_a_box_for_each_node() -> None:
    drawn = chain()
    root = ElementTree.fromstring(svg([drawn]))
    boxes = [e for e in root.iter() if e.tag.endswith("rect") and e.get("rx")]
    assert len(boxes) == len(drawn.graph.nodes)


def test_svg__long_names__stay_within_their_boxes_and_positions_say_their_market() -> None:
    drawn = chain()
    position = next(n for n in drawn.graph.nodes if n.startswith("1:"))
    drawn.labels[position] = "a market with WIDE LETTERS and a name that never ends"
    root = ElementTree.fromstring(svg([drawn]))
    small = [e for e in root.iter() if e.tag.endswith("text") and e.get("font-size") == "10"]
    assert any((e.text or "").startswith("a market with WIDE") for e in small)
    for text in small:
        assert len(text.text or "") <= 28
        # at the widest letter a line of eighteen fills its box; a longer one is told to fit
        assert len(text.text or "") <= 18 or text.get("textLength") == "134"


def test_dot__a_graph__quotes_what_must_be() -> None:
    text = dot([chain()])
    assert 'a \\"chain\\"' in text
    assert text.count("{") == text.count("}") == 1


def test_caption__each_kind__says_what_it_is() -> None:
    drawn = chain()
    said = {caption(node, drawn.labels)[0] for node in drawn.graph.nodes.values()}
    assert {"aave-v3", "proxy eip-1967-transparent", "safe 2 of 2", "timelock 60 s", "key",
            "oracle ETH / USD"} <= said  # fmt: skip


def test_draw__png__by_graphviz_or_said_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: Any = SimpleNamespace(exposure=SimpleNamespace(chains=[chain()]))
    target = tmp_path / "graph.png"
    which = "underkeel.cli.exposure.shutil.which"
    monkeypatch.setattr(which, lambda _: None)
    with pytest.raises(AppError, match="install graphviz"):
        draw(found, target)
    program = tmp_path / "dot"
    monkeypatch.setattr(which, lambda _: str(program))
    program.write_text('#!/bin/sh\ncat > "$3"\n')
    program.chmod(0o755)
    draw(found, target)
    assert target.read_text().startswith("digraph")
    program.write_text("#!/bin/sh\ncat >/dev/null\necho broken >&2\nexit 3\n")
    with pytest.raises(AppError, match="dot failed: broken"):
        draw(found, target)
