"""What an observation is. One list of them feeds the alerts, the charts and Prometheus."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from chain.types import BlockRef

Labels = tuple[tuple[str, str], ...]
"""Sorted by name; chain, wallet, protocol, market, position, asset, spender, source …"""


def labels(**given: str) -> Labels:
    """Return labels in their one order."""
    return tuple(sorted(given.items()))


@dataclass(frozen=True, slots=True)
class Observation:
    """One value of one series at one time."""

    metric: str
    """A key of `underkeel.observe.metrics.METRICS`."""
    labels: Labels
    value: Decimal | None
    """In the metric's unit, exact where the chain's number is; None: unknown."""
    cause: str
    """Why it is unknown; empty where it is known."""
    at: float
    """Seconds since 1970: the block's time, or our clock's for what has no block."""
    block: BlockRef | None
    note: str = ""
    """What people should read beside the value, e.g. `liquidation threshold 83 % → 80 %`."""

    @property
    def series(self) -> tuple[str, Labels]:
        """Return what the value is one of."""
        return self.metric, self.labels


@dataclass(frozen=True, slots=True)
class Gap:
    """What could not be read: a series that it may hide is unknown where it is absent."""

    labels: Labels
    """A hidden series has all of these."""
    cause: str
    since: float | None = None
    """When it was last read, by our clock, where that is known."""
    positions: str = ""
    """A hidden series is of a position whose id begins so; empty: of any, or of none."""
    metrics: frozenset[str] = frozenset()
    """It hides only these; empty: all."""

    def hides(self, metric: str, labels: Labels) -> bool:
        """Tell whether a series may have been there, unread."""
        if self.metrics and metric not in self.metrics:
            return False
        if self.positions and not dict(labels).get("position", "").startswith(self.positions):
            return False
        return set(self.labels) <= set(labels)


@dataclass(frozen=True, slots=True)
class Scope:
    """What one reading was about: which series are in it or else are no longer there."""

    chain: str
    """Its name in the config; empty for what is of the service and of no chain."""
    metrics: frozenset[str]
    """The metrics that the reading gives; series of others are untouched by it."""
    block: BlockRef | None = None
    """None: there is no block, by failure or by nature."""
    gaps: tuple[Gap, ...] = ()
    only: frozenset[str] | None = None
    """The ids of the positions that it was about; None: all. What is of no position always is."""

    def about(self, metric: str, labels: Labels) -> bool:
        """Tell whether the reading would have told of this series, had it been there."""
        if metric not in self.metrics:
            return False
        if self.only is None:
            return True
        position = dict(labels).get("position")
        return position is None or position in self.only

    def hidden(self, metric: str, labels: Labels) -> Gap | None:
        """Return why a series that is absent may yet be there; None: it is gone."""
        return next((gap for gap in self.gaps if gap.hides(metric, labels)), None)


@dataclass(frozen=True, slots=True)
class Observed:
    """The observations of one reading, and what they leave out."""

    scope: Scope
    observations: tuple[Observation, ...]
    fingerprint: dict[str, object] = field(default_factory=dict, compare=False)
    """The rules, oracles and code that positions stand on, to be stored and compared with."""


def absent(
    observed: Observed, known: Iterable[tuple[str, Labels]], at: float
) -> tuple[tuple[Observation, ...], tuple[tuple[str, Labels], ...]]:
    """Return, of the series known before, those that are unknown now and those that are gone.

    A series that is not observed is unknown where a gap may hide it, and gone where none does.
    """
    seen = {one.series for one in observed.observations}
    unknown: list[Observation] = []
    gone: list[tuple[str, Labels]] = []
    for metric, of in known:
        if (metric, of) in seen or not observed.scope.about(metric, of):
            continue
        gap = observed.scope.hidden(metric, of)
        if gap is not None:
            since = at if gap.since is None else min(at, gap.since)
            unknown.append(Observation(metric, of, None, gap.cause, since, observed.scope.block))
        else:
            gone.append((metric, of))
    return tuple(unknown), tuple(gone)
