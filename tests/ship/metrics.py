"""The metrics that the registry really has: every one, from a store in which all were measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import insert

from executor.journal.tables import intents, metadata
from tests.underkeel.steer.build import row_of
from underkeel.monitor.metrics import collector
from underkeel.observe.metrics import METRICS
from underkeel.observe.types import Observation
from underkeel.store import chains, outbox
from underkeel.store.chains import ChainState
from underkeel.store.outbox import Message
from underkeel.store.samples import Sampler
from underkeel.store.store import Store
from underkeel.store.tables import deliveries, notifications

Known: TypeAlias = Mapping[str, set[str]]
"""By name: its labels."""
NOW = 1_790_000_000.0
SCRAPED = {"job", "instance"}
"""Labels that Prometheus itself adds."""
WORDS = {"by", "on", "unless", "or", "and", "ignoring", "le"}
LINE = re.compile(r"^(\w+)(?:\{(.*)\})? \S+$", re.MULTILINE)


def known(folder: Path) -> Known:
    """Return names and labels as a scrape shows them."""
    store = Store.open(
        f"sqlite:///{folder / 'keel.sqlite'}", mode="dry-run", chains={"base": 8453},
        clock=lambda: NOW,
    )  # fmt: skip
    metadata.create_all(store.engine)
    counts = {"cycle_s": 1, "interval_s": 1, "shedding": 1, "waiting": 0, "cycles": 1,
              "failures": 0, "skipped": 0, "reorgs": 0}  # fmt: skip
    state = ChainState(
        "base", 8453, "ok", cause="", block_number=1, block_hash="0x" + "11" * 32,
        block_timestamp=int(NOW), head_number=1, head_at=NOW, read_at=NOW, success_at=NOW,
        body={**counts, "endpoints": {"https://a": {"ok": 1}}},
    )  # fmt: skip
    seen = [
        Observation(
            name,
            tuple((label, "base" if label == "chain" else "x") for label in sorted(one.labels)),
            value, "" if value is not None else "unread", NOW, None,
        )
        for name, one in METRICS.items()
        for value in (Decimal(1),)
    ]  # fmt: skip
    lost = Observation("health_factor", (("chain", "base"),), None, "unread", NOW, None)
    with store.writing() as db:
        chains.put(db, state)
        Sampler(units={name: one.unit for name, one in METRICS.items()}).write(db, [*seen, lost])
        outbox.put(db, Message("1", "ops", "info", "t", "b"), NOW)
        seq = db.execute(notifications.select()).first()
        assert seq is not None
        db.execute(
            insert(deliveries).values(
                notification=seq.seq, channel="ops", attempt=1, began_at=NOW, outcome="delivered",
                cause="", repeated=False,
            )
        )  # fmt: skip
        db.execute(insert(intents).values(**row_of("0x1", "0x2", 0, "final")))
    registry = CollectorRegistry()
    registry.register(collector(store, lambda: NOW))
    found: dict[str, set[str]] = {"up": set(SCRAPED)}
    for name, labels in LINE.findall(generate_latest(registry).decode()):
        found[name] = {*re.findall(r'(\w+)="', labels), *SCRAPED}
    store.close()
    return found


def unknown_in(expr: str, metrics: Known) -> list[str]:
    """Return the metrics, and labels of theirs, that an expression names and that there are not."""
    missing = []
    for name, matchers in re.findall(r"\b(underkeel_\w+|up)\b(?:\{([^}]*)\})?", expr):
        if name not in metrics:
            missing.append(name)
            continue
        asked = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)
        missing += [f"{name}.{label}" for label in asked if label not in metrics[name]]
    return missing
