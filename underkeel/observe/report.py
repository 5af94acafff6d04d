"""Observations of one chain's report."""

from collections.abc import Mapping
from typing import Any

from underkeel.config.model import Settings
from underkeel.observe.metrics import CHAIN_METRICS
from underkeel.observe.types import Gap, Observed, Scope, labels
from underkeel.portfolio import ChainReport


def observe(
    report: ChainReport,
    settings: Settings,
    now: float,
    before: Mapping[str, Any] | None = None,
    success_at: float | None = None,
) -> Observed:
    """Return everything that a report says, and what it leaves out.

    `before` is the last fingerprint of this chain as it was stored, `success_at` when the chain
    was last read whole, by our clock; None: never.
    """
    gaps = (Gap(labels(chain=report.name), report.cause or "the chain was not read"),)
    scope = Scope(report.name, CHAIN_METRICS, report.at, () if report.at else gaps)
    return Observed(scope, (), dict(before or {}))
