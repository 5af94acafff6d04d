"""Turn what a reading brought into observations: everything, or what it is sure of.

Where every position was judged at this block, the report says it all. Where only some were, the
report speaks of those, and the health of all others is observed as it was screened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from chain.types import Address
from underkeel.config.model import Settings
from underkeel.monitor.standing import PURSE, Standing, Taken
from underkeel.observe.positions import names_of, position_labels, ratio
from underkeel.observe.report import observe
from underkeel.observe.types import Labels, Observation, Observed, Scope
from underkeel.portfolio import ChainReport

SCREENED: Final = frozenset({"health_factor", "liquidatable"})


@dataclass(slots=True)
class Observing:
    """The observations of one chain. For one thread."""

    settings: Settings
    fingerprint: Mapping[str, Any] | None = None
    """What the chain's rules were when they were last looked at."""
    _labels: dict[str, Labels] = field(default_factory=dict)
    _names: dict[Address, str] = field(init=False)

    def __post_init__(self) -> None:
        self._names = names_of(self.settings)

    def failed(self, report: ChainReport, now: float, success_at: float | None) -> Observed:
        """Return the observations of a chain that could not be read."""
        return self._kept(observe(report, self.settings, now, self.fingerprint, success_at))

    def of(
        self,
        report: ChainReport,
        standing: Standing,
        taken: Taken,
        now: float,
        success_at: float | None,
    ) -> tuple[Observed, ...]:
        """Return the observations of a reading, those of its own block alone."""
        if len(taken.judged) == len(standing.held):
            return (self._kept(observe(report, self.settings, now, self.fingerprint, success_at)),)
        purses = (id_ for id_, held in standing.held.items() if held.position.kind == PURSE)
        only = frozenset((*taken.judged, *taken.gone, *purses))
        said = observe(report, self.settings, now, self.fingerprint, success_at, only=only)
        return (self._kept(said), self._screened(report, standing, only))

    def _kept(self, observed: Observed) -> Observed:
        self.fingerprint = observed.fingerprint
        return observed

    def _screened(self, report: ChainReport, standing: Standing, but: frozenset[str]) -> Observed:
        assert report.at is not None  # something was read
        found: list[Observation] = []
        sound: set[str] = set()
        for id_, held in standing.held.items():
            screened = held.screened
            if id_ in but or not screened.sound or held.position.at != report.at:
                continue
            sound.add(id_)
            if screened.health_raw is None:
                continue
            of = self._labels.get(id_)
            if of is None:
                of = position_labels(held.position, report.name, self._names)
                self._labels[id_] = of
            at, block = float(report.at.timestamp), report.at
            found.append(
                Observation(
                    "health_factor", of, ratio(screened.health_raw, screened.scale), "", at, block
                )
            )
            below = Decimal(screened.health_raw < screened.scale)
            found.append(Observation("liquidatable", of, below, "", at, block))
        scope = Scope(report.name, SCREENED, report.at, (), only=frozenset(sound))
        return Observed(scope, tuple(found))
