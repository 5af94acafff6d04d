"""What changed in the code and the feeds that positions stand on, by the exposure study.

The study's document says of every contract its code and what it points to. A compact fingerprint
of that is stored per chain and compared with the next; what a study could not read keeps the value
it was last seen with, and is compared again once it can be read.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from underkeel.observe.changes import MOST_CHANGES, REMEMBERED_S, VERSION, of_changes
from underkeel.observe.metrics import Source, of_source
from underkeel.observe.types import Observed, Scope

KIND: Final = "code-fingerprint"
"""The kind of document that a fingerprint is stored as."""
CODE: Final = frozenset({"implementation", "beacon", "delegate"})
FEEDS: Final = frozenset({"source", "feed", "oracle"})
_METRICS: Final = of_source(Source.STUDY)


def observe_study(
    document: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]], now: float
) -> tuple[Observed, ...]:
    """Return, per chain of an `underkeel.exposure/1`, what changed within a week.

    `before` are the fingerprints by chain, as they were stored.
    """
    found = []
    for chain in document["chains"]:
        name = chain["name"]
        print_ = _compared(document, name, before.get(name), now, int(chain["block_number"]))
        told = tuple(of_changes(name, print_, ("chain", "subject", "what"), now))
        found.append(Observed(Scope(name, _METRICS), told, print_))
    return tuple(found)


def _compared(
    document: Mapping[str, Any],
    chain: str,
    before: Mapping[str, Any] | None,
    now: float,
    block: int,
) -> dict[str, Any]:
    known: dict[str, dict[str, str]] = {}
    changes: list[dict[str, Any]] = []
    if before and before.get("version") == VERSION:
        known = {key: dict(facts) for key, facts in before["facts"].items()}
        changes = [one for one in before["changes"] if now - one["at"] < REMEMBERED_S]
    for address, label, facts in _facts(document, chain):
        was = known.setdefault(address, {})
        for what, value in facts.items():
            if what in was and was[what] != value:
                changes.append(
                    {
                        "metric": "feed_change_age" if what.partition(" by ")[0] in FEEDS else
                        "implementation_change_age",
                        "subject": f"{label} {address}" if label else address,
                        "what": what,
                        "before": was[what],
                        "after": value,
                        "at": now,
                        "block": block,
                    }
                )  # fmt: skip
            was[what] = value
    return {
        "version": VERSION,
        "chain": chain,
        "facts": known,
        "changes": changes[-MOST_CHANGES:],
    }


def _facts(document: Mapping[str, Any], chain: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield address, label and facts of every contract that was read whole."""
    points: dict[str, dict[str, set[str]]] = {}
    for edge in document["edges"]:
        if edge["chain"] == chain and edge["kind"] in CODE | FEEDS:
            how = f"{edge['kind']} by {edge['evidence']}"
            points.setdefault(edge["source"], {}).setdefault(how, set()).add(edge["target"])
    for node in document["nodes"]:
        if node["chain"] != chain or node["address"] is None or node["unknown"]:
            continue
        facts = {
            kind: ", ".join(sorted(targets)) for kind, targets in points.get(node["id"], {}).items()
        }
        if node["codehash"]:
            facts["code"] = node["codehash"]
        if node["answers_as"] not in (None, "unknown"):
            facts["what it is"] = node["answers_as"]
        yield node["address"], node["label"] or "", facts
