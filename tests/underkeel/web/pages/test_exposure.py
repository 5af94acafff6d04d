"""What stands on what: dollars go down, each once, and circles end."""

from __future__ import annotations

from tests.e2e.web import documents as made
from tests.e2e.web import studies
from underkeel.documents.exposure import ExposureDocument
from underkeel.web.pages.views.exposure import called, streams


def flows(document: ExposureDocument) -> dict[tuple[str, str], float]:
    table = streams(document, {}, {})
    return {
        (row.cells[0].text.split("/")[-1], row.cells[1].text.split("/")[-1]): float(
            row.cells[3].sort or 0
        )
        for row in table.rows
    }


def document(*edges: tuple[str, str]) -> ExposureDocument:
    found = studies.exposure(0, made.ethereum(0))
    first = next(p for p in found.positions if p.ead_usd)
    like = found.edges[0]
    ends = [
        like.model_copy(update={"source": first.id if a == "me" else a, "target": b})
        for a, b in edges
    ]
    position = first.model_copy(update={"ead_usd": 100.0})
    return found.model_copy(update={"edges": ends, "positions": [position]})


def test_streams__two_ways_to_one_thing__meet_there_again() -> None:
    found = flows(document(("me", "a"), ("me", "b"), ("a", "c"), ("b", "c"), ("c", "d")))
    assert found["c", "d"] == 100.0
    assert found["a", "c"] == found["b", "c"] == 50.0


def test_streams__circle__ends() -> None:
    found = flows(document(("me", "a"), ("a", "b"), ("b", "a"), ("b", "c")))
    assert found["a", "b"] == 100.0
    assert ("b", "a") not in found
    assert found["b", "c"] == 100.0


def test_streams__long_lattice__is_no_matter_of_paths() -> None:
    edges = [("me", "a0"), ("me", "b0")]
    for i in range(60):
        edges += [(f"{x}{i}", f"{y}{i + 1}") for x in "ab" for y in "ab"]
    found = flows(document(*edges))
    assert sum(v for (_, target), v in found.items() if target.endswith("60")) == 100.0


def test_called__chain_without_a_name__says_that_it_is_one_once() -> None:
    node = studies.exposure(0, made.ethereum(0)).nodes[0]
    given = {"id": "chain:10", "kind": "chain", "label": "", "address": None}
    assert called(node.model_copy(update=given)) == "chain 10"
